"""Which names a piece of Python defines and needs, from the syntax tree alone."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__class__"}
"""Names that every module has."""

Offer = TypeVar("Offer")


def bound_names(node: ast.AST) -> set[str]:
    """The names that a definition, an import or an assignment gives a value; none for other statements."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return set()
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign):
        parts = [part for target in node.targets for part in ast.walk(target)]
        return {part.id for part in parts if isinstance(part, ast.Name)}
    if isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()


def all_names(tree: ast.AST) -> set[str]:
    """The names that occur in a piece of code: variables, attributes, what is imported."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.add(node.name.partition(".")[0])
    return names


def free_names(tree: ast.AST) -> list[str]:
    """Names read and bound nowhere inside, in order: a name bound in any scope counts as defined."""
    loaded: dict[str, None] = {}
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                loaded[node.id] = None
            else:
                bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        else:
            bound |= bound_names(node)
    return [name for name in loaded if name not in bound]


def reach(
    names: Iterable[str], offers: Mapping[str, Offer], needs: Callable[[Offer], Iterable[str]]
) -> set[Offer]:
    """The `offers` (name -> its definition) for `names`, and for the names that these need in turn."""
    waiting, taken = list(names), set[Offer]()
    while waiting:
        offer = offers.get(waiting.pop())
        if offer is not None and offer not in taken:
            taken.add(offer)
            waiting += needs(offer)
    return taken


def first_line(node: ast.stmt) -> int:
    """The 1-based line on which a statement begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])
