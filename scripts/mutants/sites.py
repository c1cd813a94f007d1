"""Where the product can be changed by a little, and how: cosmic-ray's operators less what changes nothing."""

from __future__ import annotations

import ast
import random
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Keyword

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parso.tree import NodeOrLeaf

__all__ = ["PACKAGES", "Mutant", "draw_mutants"]

PACKAGES = ("problems", "sandbox", "selection", "agent")
_POINTLESS = re.compile(
    r"_Is(Not)?$|Variable|RemoveDecorator|NoOp|_[RL]Shift$|_Pow$|(Add|Sub|Mul|Div|Mod|Pow)_Bit"
)
"""Operators that nobody would mistake for one another, or that crash for certain or change nothing."""
_LOGS = {"debug", "info", "warning", "error", "exception", "critical"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file."""

    file: str
    """Relative to the root of the tree."""
    line: int
    column: int
    operator: str
    occurrence: int
    """The how manieth place of the file that the operator finds."""

    @property
    def package(self) -> str:
        """One of the four."""
        return self.file.partition("/")[0]

    @property
    def key(self) -> str:
        """A name that stays the same while the file does."""
        return f"{self.file}:{self.line}:{self.column} {self.operator}"

    def compiles(self, root: Path) -> bool:
        """Whether the changed file is a program at all."""
        try:
            ast.parse(self.apply((root / self.file).read_text(encoding="utf-8")))
        except SyntaxError:
            return False
        return True

    def apply(self, source: str) -> str:
        """The changed source."""
        changed = mutate_code(source, _operators()[self.operator], self.occurrence)
        assert changed is not None, self
        return changed


class DropCall(Operator):  # type: ignore[misc]
    """A call whose result nobody wants is not made."""

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Statements that are a call, awaited or not."""
        if node.type == "atom_expr" and node.parent.type == "simple_stmt" and node.get_last_leaf() == ")":
            yield node.start_pos, node.end_pos

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        """`pass` in its place."""
        del index
        return Keyword("pass", node.start_pos, node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        """None: they are for cosmic-ray's own tests."""
        return ()


def _operators() -> dict[str, Operator]:
    found = {name: plugins.get_operator(name) for name in plugins.operator_names()}
    made = {name.removeprefix("core/"): kind() for name, kind in found.items() if not kind.arguments()}
    return {name: one for name, one in made.items() if not _POINTLESS.search(name)} | {"DropCall": DropCall()}


def draw_mutants(root: Path, count: int, seed: int, only: str = "") -> list[Mutant]:
    """`count` mutants, places first: every place of the four packages is as likely as any other.

    A larger count with the same seed begins with the same mutants. `only` is how the paths begin.
    """
    places: dict[tuple[str, int, int], list[Mutant]] = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            file = str(path.relative_to(root))
            for mutant in _find(path.read_text(encoding="utf-8"), file) if file.startswith(only) else ():
                places.setdefault((mutant.file, mutant.line, mutant.column), []).append(mutant)
    dice = random.Random(seed)
    order = sorted(places)
    dice.shuffle(order)
    drawn = (dice.choice(places[place]) for place in order)
    return list(islice((mutant for mutant in drawn if mutant.compiles(root)), count))


def _find(source: str, file: str) -> Iterator[Mutant]:
    spared = _find_spared(source)
    nodes = list(ast_nodes(get_ast(source)))
    for name, operator in _operators().items():
        found = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (line, column) in enumerate(found):
            if not any(start <= (line, column) < end for start, end in spared):
                yield Mutant(file, line, column, name, occurrence)


def _find_spared(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where a change changes nothing that a test could see.

    These are annotations, what is for type checkers alone, names that a module exports, options of records
    (`slots=True`) and what is logged.
    """
    spared: list[ast.AST | None] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Assign(targets=[ast.Name(id="__all__")]):
                spared.append(node)
            case ast.Call(func=ast.Attribute(attr=name)) if name in _LOGS:
                spared.append(node)
            case ast.AnnAssign() | ast.arg():
                spared.append(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                spared += [*node.decorator_list, node.returns]
            case ast.ClassDef():
                spared += node.decorator_list
    return [_span(node) for node in spared if node is not None]


def _span(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
    place = node.__dict__
    return (place["lineno"], place["col_offset"]), (place["end_lineno"], place["end_col_offset"])
