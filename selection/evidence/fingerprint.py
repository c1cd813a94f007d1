"""Candidates as source text: which are the same program, and what of them a model may see."""

from __future__ import annotations

import ast

from sstar_code.problems.python_source import UNREADABLE, parse_strictly


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
    Source that does not parse is its own fingerprint, without outer blanks.
    """
    try:
        return ast.dump(_parse(code))
    except UNREADABLE:
        return code.strip()


def strip_comments(code: str) -> str:
    """`code` without comments and docstrings, reformatted; unchanged where it does not parse.

    A comment is text of the candidate addressed to whoever reads it, so a model must not.
    """
    try:
        return ast.unparse(ast.fix_missing_locations(_parse(code)))
    except UNREADABLE:
        return code
