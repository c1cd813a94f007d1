"""Where to cut a program: before the statements that a wrong value came from, the nearest first.

A dynamic backward slice (Korel and Laski, 1988), coarse: a statement is in it where it was executed before
and binds, or changes in place, a name that a statement of the slice reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from sstar_code.problems.python_source import parse_python


def list_cuts(code: str, executed: Sequence[int]) -> list[int]:
    """Lines (from 1) before which `code` may be cut, each above the one before it; never empty.

    Args:
        code: the program.
        executed: its lines in the order of their last execution; that of the wrong value is the last.
    """
    tree = parse_python(code)
    if tree is None or not executed:
        lines = code.split("\n")
        last = executed[-1] if executed else len(lines)
        return [number for number in range(last, 0, -1) if number == 1 or lines[number - 1].strip()] or [1]
    statements = sorted(
        (node for node in ast.walk(tree) if isinstance(node, ast.stmt)), key=lambda node: node.lineno
    )
    ran = [found for line in executed if (found := _find_statement(statements, line)) is not None]
    others = sorted((node.lineno for node in ran), reverse=True)
    return list(_descend([*_walk_slice(ran), *others, 1]))


def _descend(lines: Iterable[int]) -> Iterator[int]:
    """Those of `lines` that are above all before them."""
    above: int | None = None
    for line in lines:
        if above is None or line < above:
            above = line
            yield line


def _walk_slice(ran: Sequence[ast.stmt]) -> Iterator[int]:
    """Lines of the slice: the wrong value's own unless it only shows names, its latest source, the others."""
    if not ran:
        return
    last, before = ran[-1], [node for node in ran if node is not ran[-1]]
    if not _only_shows(last):
        yield last.lineno
    wanted, size = _reads(last), -1
    found: list[ast.stmt] = []
    while len(found) > size:  # a loop's header ran after its body, which may read what it binds
        size = len(found)
        for node in reversed(before):
            if node not in found and _binds(node) & wanted:
                found.append(node)
                wanted |= _reads(node)
    yield from (node.lineno for node in found[:1])
    yield from sorted((node.lineno for node in found), reverse=True)


def _find_statement(statements: Sequence[ast.stmt], line: int) -> ast.stmt | None:
    """The innermost statement on this line; of a compound one its header."""
    inside = [node for node in statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return inside[-1] if inside else None


_WORK = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript)
"""Expressions in which a value may go wrong; calls mostly give it a form: `" ".join(map(str, found))`."""


def _only_shows(node: ast.stmt) -> bool:
    """Whether a statement prints or returns what others worked out."""
    if isinstance(node, ast.Return):
        return isinstance(node.value, ast.Name)
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    call = node.value
    is_print = isinstance(call.func, ast.Name) and call.func.id == "print"
    is_write = isinstance(call.func, ast.Attribute) and call.func.attr == "write"
    inside = (item for argument in call.args for item in ast.walk(argument))
    return (is_print or is_write) and all(not isinstance(item, _WORK) or _adds_text(item) for item in inside)


def _adds_text(node: ast.AST) -> bool:
    """Whether it is a value and a text put together, as with a line end behind a number."""
    ends = [node.left, node.right] if isinstance(node, ast.BinOp) else []
    return any(isinstance(end, ast.Constant) and isinstance(end.value, str) for end in ends)


def _header(node: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that belong to it and not to the statements inside it."""
    bodies = ("body", "orelse", "finalbody", "handlers", "cases")
    return [
        part
        for name, value in ast.iter_fields(node)
        if name not in bodies
        for part in (value if isinstance(value, list) else [value])
        if isinstance(part, ast.AST)
    ]


def _names(node: ast.stmt) -> Iterator[ast.Name]:
    for part in _header(node):
        yield from (item for item in ast.walk(part) if isinstance(item, ast.Name))


def _reads(node: ast.stmt) -> set[str]:
    changed = {_base(node.target)} if isinstance(node, ast.AugAssign) else set()
    return {item.id for item in _names(node) if isinstance(item.ctx, ast.Load)} | (changed - {""})


def _binds(node: ast.stmt) -> set[str]:
    """Names that get a value, or whose value is changed: `a[0] = 1`, `a.append(1)`, `heappush(a, 1)`."""
    bound = {item.id for item in _names(node) if not isinstance(item.ctx, ast.Load)}
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        items = [item for target in targets for item in ast.walk(target)]
        bound |= {_base(item) for item in items if isinstance(item, ast.Subscript | ast.Attribute)}
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        is_method = isinstance(call.func, ast.Attribute)
        bound |= {_base(item) for item in ([call.func] if is_method else call.args)}
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        bound.add(node.name)
    return bound - {""}


def _base(node: ast.AST) -> str:
    """`a` of `a`, `a[0].b` and `a.b`; empty where there is no such name."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
