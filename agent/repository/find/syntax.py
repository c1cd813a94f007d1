"""What the syntax tree of one file says: its functions, which bodies are empty, what names stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Shape(StrEnum):
    """How a function is called."""

    FUNCTION = "function"
    METHOD = "method"
    STATIC = "static method"
    CLASS = "class method"
    PROPERTY = "property"
    SETTER = "property setter"


@dataclass(frozen=True, slots=True)
class Stub:
    """A function that is to be written."""

    source: Source
    qualname: str
    """`f`, `Class.method`, `Outer.Inner.method`."""
    node: FunctionNode
    owners: tuple[ast.ClassDef, ...]
    """The classes around it, outermost first."""
    why: str
    """Reason why it is to be written: `...`, `pass`, `raise NotImplementedError`, `marked`, `asked for`."""
    is_nested: bool = False
    """Inside another function, where nobody outside can call it."""

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.node.name

    @property
    def line(self) -> int:
        """1-based line of its `def`."""
        return self.node.lineno

    @property
    def label(self) -> str:
        """`path::qualname`, as `sstar fix` takes it; a setter or deleter says that it is one."""
        return f"{self.source.path}::{self.qualname}{f' ({self.accessor})' if self.accessor else ''}"

    @property
    def accessor(self) -> str:
        """`setter` or `deleter` of a property, whose qualified name it shares; else empty."""
        names = {last_name(item) for item in self.node.decorator_list}
        return next((name for name in ("setter", "deleter") if name in names and self.owners), "")

    @property
    def docstring(self) -> str:
        """Its docstring, cleaned of indentation; empty where there is none."""
        return ast.get_docstring(self.node) or ""

    @property
    def shape(self) -> Shape:
        """How it is called."""
        names = {last_name(item) for item in self.node.decorator_list}
        if not self.owners:
            return Shape.FUNCTION
        if names & {"setter", "deleter"}:
            return Shape.SETTER
        if names & {"property", "cached_property"}:
            return Shape.PROPERTY
        if "staticmethod" in names:
            return Shape.STATIC
        return Shape.CLASS if "classmethod" in names or self.name == "__new__" else Shape.METHOD

    @property
    def is_async(self) -> bool:
        """Whether it is an `async def`."""
        return isinstance(self.node, ast.AsyncFunctionDef)


def find_function(source: Source, qualname: str) -> Stub | None:
    """The function `qualname` of a file, open or not; the last of that name that is no overload or setter."""
    found = [stub for stub in all_functions(source) if stub.qualname == qualname]
    plain: list[Stub | None] = [
        stub
        for stub in found
        if not {last_name(item) for item in stub.node.decorator_list} & {"overload", "setter"}
    ]
    return (plain or [*found] or [None])[-1]


def find_again(source: Source, stub: Stub) -> Stub | None:
    """`stub` as it stands in another state of its file."""
    found = find_function(source, stub.qualname)
    if found is None or found.accessor == stub.accessor:
        return found
    alike = [item for item in all_functions(source) if item.qualname == stub.qualname]
    return next((item for item in reversed(alike) if item.accessor == stub.accessor), None)


def all_functions(source: Source) -> Iterator[Stub]:
    """Every function of a file, in order, what is there for the type checker alone left out."""
    return _walk(source, source.tree.body, (), nested=False)


def _walk(
    source: Source, body: list[ast.stmt], owners: tuple[ast.ClassDef, ...], *, nested: bool, prefix: str = ""
) -> Iterator[Stub]:
    for node in statements(body):
        if isinstance(node, FunctionNode):
            qualname = prefix + ".".join([*(owner.name for owner in owners), node.name])
            yield Stub(source, qualname, node, owners, "asked for", nested)
            yield from _walk(source, node.body, (), nested=True, prefix=f"{qualname}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from _walk(source, node.body, (*owners, node), nested=nested, prefix=prefix)


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of a module or class that exists when it runs: in branches too, not in functions."""
    for node in body:
        yield node
        if isinstance(node, FunctionNode | ast.ClassDef):
            continue
        for part in _branches(node):
            yield from statements(getattr(node, part, []))
        for case in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from statements(case.body)


def every_statement(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement, those inside functions and classes too."""
    waiting = [*body]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody"):
            waiting += getattr(node, part, [])
        for case in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            waiting += case.body


def _branches(node: ast.stmt) -> tuple[str, ...]:
    """The parts of a statement that hold statements, without what is there for the type checker alone."""
    if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
        return ("orelse",)
    if isinstance(node, ast.If) and isinstance(node.test, ast.UnaryOp):  # if not TYPE_CHECKING
        return ("body",) if last_name(node.test.operand) == "TYPE_CHECKING" else ("body", "orelse")
    return ("body", "orelse", "finalbody")


def is_open_body(node: FunctionNode) -> str:
    """`...`, `pass` or `raise NotImplementedError` where that is the whole body, else an empty text."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if len(body) != 1:
        return ""
    (only,) = body
    if isinstance(only, ast.Pass):
        return "pass"
    if isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant) and only.value.value is Ellipsis:
        return "..."
    if isinstance(only, ast.Raise) and only.exc is not None and last_name(only.exc) == "NotImplementedError":
        return "raise NotImplementedError"
    return ""


def last_name(node: ast.expr) -> str:
    """`overload` for `overload`, `typing.overload`, `typing.overload()` and `Generic[T]`'s name."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def read_aliases(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Name in the module -> (module, name there) of what it is imported from; module empty for `A = B`."""
    found: dict[str, tuple[str, str]] = {}
    for node in statements(tree.body):
        if isinstance(node, ast.ImportFrom):
            for item in node.names:
                found[item.asname or item.name] = (node.module or "", item.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = ("", last_name(node.value))
    return found


def original_name(node: ast.expr, aliases: Mapping[str, tuple[str, str]]) -> str:
    """`last_name` of an expression, as the module that defines it calls it."""
    name = last_name(node)
    for _ in range(3):  # an alias of an alias; a name may also be its own
        if name not in aliases or aliases[name][1] == name:
            break
        name = aliases[name][1]
    return name
