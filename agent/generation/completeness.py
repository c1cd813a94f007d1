"""Judges from the syntax tree alone whether a piece of code is the program that a problem asks for."""

from __future__ import annotations

import ast
import builtins
from enum import IntEnum
from typing import TYPE_CHECKING

from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Grade", "borrow_definitions", "grade_text", "grade_tree"]

_READS = frozenset({"input", "open", "stdin", "fileinput"})
_WRITES = frozenset({"print", "write", "writelines", "stdout"})
_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__"}
_DEFINITIONS = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
)


class Grade(IntEnum):
    """How much of the program asked for a piece of code is."""

    NOTHING = 0
    """No statement that does anything: a sample output, a name."""
    SOMETHING = 1
    BROKEN = 2
    """Means to be the program but does not parse."""
    PARTIAL = 3
    """The class without the method; input or output but not both; defined but never called."""
    COMPLETE = 4


def grade_tree(tree: ast.Module, problem: Problem) -> Grade:
    """The grade of code that parses."""
    if not any(_does_something(node) for node in tree.body):
        return Grade.NOTHING
    if problem.kind is Kind.FUNCTION and problem.entry_point:
        return _grade_function(tree, problem.entry_point)
    names = _all_names(tree)
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
    known = _BUILTINS | _supplied_names(problem)
    needed = [name for name in _free_names(tree) if name not in known]
    offers = {
        name: (block, node)
        for block, (_, body) in enumerate(earlier)
        for node in body.body
        if isinstance(node, _DEFINITIONS)
        for name in _bound_names(node)
    }
    taken: dict[tuple[int, int], str] = {}
    seen: set[str] = set()
    while needed:
        name = needed.pop()
        if name in seen or name not in offers:
            continue
        seen.add(name)
        block, node = offers[name]
        taken[block, node.lineno] = _source_of(earlier[block][0], node)
        needed += [name for name in _free_names(node) if name not in known]
    return "\n".join(taken[place] for place in sorted(taken))


def _grade_function(tree: ast.Module, entry_point: str) -> Grade:
    owner, _, name = entry_point.rpartition(".")
    if not owner:
        defined = any(name in _bound_names(node) for node in tree.body)
        return Grade.COMPLETE if defined else Grade.SOMETHING
    for node in tree.body:
        if owner in _bound_names(node):
            complete = not isinstance(node, ast.ClassDef) or any(
                name in _bound_names(item) for item in node.body
            )
            return Grade.COMPLETE if complete or _has_bases(node) else Grade.PARTIAL
    return Grade.PARTIAL if any(name in _bound_names(node) for node in tree.body) else Grade.SOMETHING


def _has_bases(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and bool(node.bases)


def _does_something(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return any(isinstance(part, ast.Call | ast.Await) for part in ast.walk(node))
    return not isinstance(node, ast.AnnAssign) or node.value is not None  # "Output: x" is an annotation


def _acts(node: ast.stmt) -> bool:
    """Running the module runs something, not only definitions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
        return False
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


def _all_names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.add(node.name.partition(".")[0])
    return names


def _bound_names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign):
        parts = [part for target in node.targets for part in ast.walk(target)]
        return {part.id for part in parts if isinstance(part, ast.Name)}
    if isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()


def _free_names(tree: ast.AST) -> list[str]:
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
        elif isinstance(node, ast.stmt):
            bound |= _bound_names(node)
    return [name for name in loaded if name not in bound]


def _supplied_names(problem: Problem) -> set[str]:
    names: set[str] = set()
    for source in (problem.preamble, problem.starter_code):
        tree = parse_python(source)
        names |= _names_of(tree.body) if tree is not None else set()
    return names


def _names_of(body: Iterable[ast.stmt]) -> set[str]:
    return {name for node in body for name in _bound_names(node)}


def _source_of(code: str, node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(item.lineno for item in decorators)])
    return "\n".join(code.split("\n")[first - 1 : node.end_lineno])
