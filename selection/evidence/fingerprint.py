"""Candidates as source text: which are the same program, and what of them a model may see."""

from __future__ import annotations

import ast
import re
from typing import Any

from sstar_code.problems.python_source import UNREADABLE, parse_strictly, read_fields
from sstar_code.sandbox.languages.marks import mark, read_mark
from sstar_code.sandbox.languages.table import PYTHON

_CPP_PARTS = re.compile(
    r"""R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//(?:\\\n|[^\n])*|/\*.*?\*/""",
    re.DOTALL,
)


def _strip_cpp(code: str) -> str:
    """C++ without comments; what stands in texts and characters stays."""
    return _CPP_PARTS.sub(lambda found: " " if found[0][:2] in ("//", "/*") else found[0], code)


class _Bare(ast.NodeTransformer):
    """Drops docstrings and every other statement that is a lone constant: they do nothing."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def _parse(code: str) -> ast.Module:
    bare: ast.Module = _Bare().visit(parse_strictly(code))
    for node in ast.walk(bare):
        body = getattr(node, "body", None)
        if isinstance(body, list) and not body and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]  # else it is no longer Python
    return bare


def fingerprint(code: str) -> str:
    """Text that is equal for programs that differ only in comments, docstrings and formatting.

    Names are kept: a renamed variable makes another program, since renaming can change behaviour.
    Source that does not parse is its own fingerprint, without outer blanks. Of another language than Python
    it is the text without comments.
    """
    if (language := read_mark(code)[0]).name != PYTHON:
        lines = (line.rstrip() for line in strip_comments(code).splitlines())
        return f"// language: {language.name}\n" + "\n".join(filter(None, lines))
    try:
        return _write(parse_strictly(code))
    except UNREADABLE:
        return code.strip()


def _write(tree: ast.Module) -> str:
    """The tree level by level: the kinds of its nodes, and what their fields hold besides nodes."""
    parts: list[str] = []
    nodes: list[ast.AST] = [tree]
    for node in nodes:  # which grows meanwhile
        parts.append(type(node).__name__)
        for value in read_fields(node):
            kind = type(value)
            if kind is list:
                _write_list(node, value, parts, nodes) if value else parts.append("0")
            elif kind in _ATOMS:
                parts.append(repr(value))
            else:
                nodes.append(value)
    return "\n".join(parts)


_ATOMS = frozenset(map(type, (None, "", b"", 0, 0.0, 0j, True, ...)))


def _write_list(node: ast.AST, value: list[Any], parts: list[str], nodes: list[ast.AST]) -> None:
    items = [item for item in value if type(item) is not ast.Expr or type(item.value) is not ast.Constant]
    if not items and value is getattr(node, "body", None) and not isinstance(node, ast.Module):
        items = [ast.Pass()]
    inner = [item for item in items if isinstance(item, ast.AST)]
    nodes += inner
    others = [None if isinstance(item, ast.AST) else repr(item) for item in items]
    parts.append(str(len(items)) if len(inner) == len(items) else repr(others))


def strip_comments(code: str) -> str:
    """`code` without comments and docstrings, reformatted; unchanged where it does not parse.

    A comment is text of the candidate addressed to whoever reads it, so a model must not.
    """
    (language, text) = read_mark(code)
    if language.name != PYTHON:
        return mark(_strip_cpp(text), language.name)
    try:
        return ast.unparse(ast.fix_missing_locations(_parse(code)))
    except UNREADABLE:
        return code
