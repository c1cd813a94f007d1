"""Domains from type annotations, for parameters that no example shows."""

from __future__ import annotations

import ast

from sstar_code.selection.inputs.contract.domain import ANYTHING, Domain

_CONTAINERS: dict[str, type] = {
    "list": list,
    "sequence": list,
    "iterable": list,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
}
_NUMBER = Domain("int", seen=(0, 1, 2, 5, 10))
_PLAIN = {
    "int": _NUMBER,
    "float": Domain("float", seen=(0.0, 1.0, 2.5, 10.0)),
    "str": Domain("text", seen=("a", "abc", "Hello world", "12")),
    "bool": Domain("bool"),
    "none": ANYTHING,
}


def read_annotation(node: ast.expr | None) -> Domain:  # noqa: C901, PLR0911 - one branch a form
    """The domain that an annotation names; integers where it names nothing that is known."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return read_annotation(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return _NUMBER
    if isinstance(node, ast.Constant):
        return Domain("other", seen=(node.value,))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Domain("mixed", parts=(read_annotation(node.left), read_annotation(node.right)))
    name, inside = _split(node)
    if name in _PLAIN:
        return _PLAIN[name]
    if name == "optional" and inside:
        return Domain("mixed", parts=(read_annotation(inside[0]), Domain("other", seen=(None,))))
    if name == "union" and inside:
        return Domain("mixed", parts=tuple(map(read_annotation, inside)))
    if name in ("dict", "mapping"):
        both = [*inside, None, None][:2]
        return Domain("mapping", parts=tuple(map(read_annotation, both)))
    if name == "tuple" and inside and not _is_ellipsis(inside[-1]):
        return Domain("record", parts=tuple(map(read_annotation, inside)), make=tuple)
    if name in _CONTAINERS:
        make = _CONTAINERS[name]
        item = read_annotation(inside[0] if inside else None)
        return Domain("list", parts=(item,), make=make, distinct=make in (set, frozenset))
    return _NUMBER


def _split(node: ast.expr | None) -> tuple[str, list[ast.expr | None]]:
    """The lowercase name of an annotation, and what its brackets hold."""
    inside: list[ast.expr | None] = []
    if isinstance(node, ast.Subscript):
        inside = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        node = node.value
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.lower(), inside


def _is_ellipsis(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
