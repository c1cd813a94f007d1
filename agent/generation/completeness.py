"""Judges from the syntax tree alone whether code is the program that a problem asks for."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TypeVar

from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python, walk_tree

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
        parts = [part for target in node.targets for part in walk_tree(target)]
        return {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    if isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()


def all_names(tree: ast.AST) -> set[str]:
    """The names that occur in a piece of code: variables, attributes, what is imported."""
    names: set[str] = set()
    for node in walk_tree(tree):
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
    for node in walk_tree(tree):
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


_READS = frozenset({"input", "open", "stdin", "fileinput"})
_WRITES = frozenset({"print", "write", "writelines", "stdout"})


class Grade(IntEnum):
    """How much of the program asked for a piece of code is."""

    NOTHING = 0
    """It has no statement that does anything: a sample output, a name."""
    SOMETHING = 1
    BROKEN = 2
    """It is meant to be the program but does not parse."""
    PARTIAL = 3
    """The class without the method; input or output but not both; defined but never called."""
    COMPLETE = 4


def grade_tree(tree: ast.Module, problem: Problem) -> Grade:
    """The grade of code that parses."""
    if not any(_does_something(node) for node in tree.body):
        return Grade.NOTHING
    if problem.kind is Kind.FUNCTION and problem.entry_point:
        return _grade_function(tree, problem.entry_point)
    names = all_names(tree)
    reads, writes = bool(names & _READS), bool(names & _WRITES)
    if reads and writes and any(_acts(node) for node in tree.body):
        return Grade.COMPLETE
    return Grade.PARTIAL if reads or writes else Grade.SOMETHING


def grade_text(text: str, problem: Problem) -> Grade:
    """The grade of code that does not parse: `BROKEN` or `NOTHING`."""
    if problem.kind is Kind.FUNCTION and problem.entry_point:
        name = problem.entry_point.rpartition(".")[2]
        return Grade.BROKEN if f"def {name}" in text else Grade.NOTHING
    means_it = any(word in text for word in ("input(", "stdin", "open(0")) and (
        "print(" in text or "stdout" in text
    )
    return Grade.BROKEN if means_it else Grade.NOTHING


def borrow_definitions(tree: ast.Module, earlier: Sequence[tuple[str, ast.Module]], problem: Problem) -> str:
    """Source of the definitions in `earlier` (code and tree, in order) that `tree` needs; may be empty.

    The last definition of a name wins. Only imports, functions, classes and assignments are borrowed, so that
    nothing reads the input twice.
    """
    if not earlier:
        return ""
    known = BUILTINS | _supplied_names(problem)
    offers = {
        name: (block, node)
        for block, (_, body) in enumerate(earlier)
        for node in body.body
        for name in bound_names(node)
        if name not in known
    }
    taken = reach(free_names(tree), offers, lambda offer: free_names(offer[1]))
    sources = {(block, node.lineno): _source_of(earlier[block][0], node) for block, node in taken}
    return "\n".join(sources[line] for line in sorted(sources))


def _grade_function(tree: ast.Module, entry_point: str) -> Grade:
    owner, _, name = entry_point.rpartition(".")
    if not owner:
        return Grade.COMPLETE if _defines(tree, name) else Grade.SOMETHING
    for node in tree.body:
        if owner in bound_names(node):
            complete = not isinstance(node, ast.ClassDef) or node.bases or _defines(node, name)
            return Grade.COMPLETE if complete else Grade.PARTIAL
    return Grade.PARTIAL if _defines(tree, name) else Grade.SOMETHING


def _defines(holder: ast.Module | ast.ClassDef, name: str) -> bool:
    return any(name in bound_names(node) for node in holder.body)


def _does_something(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return any(isinstance(part, ast.Call | ast.Await) for part in walk_tree(node))
    return not isinstance(node, ast.AnnAssign) or node.value is not None  # "Output: x" is an annotation


def _acts(node: ast.stmt) -> bool:
    """Whether running the statement runs something, so that it is not only a definition."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
        return False
    return any(isinstance(part, ast.Call) for part in walk_tree(node))


def _supplied_names(problem: Problem) -> set[str]:
    trees = [parse_python(source) for source in (problem.preamble, problem.starter_code)]
    return {name for tree in trees if tree is not None for node in tree.body for name in bound_names(node)}


def _source_of(code: str, node: ast.stmt) -> str:
    return "\n".join(code.split("\n")[first_line(node) - 1 : node.end_lineno])
