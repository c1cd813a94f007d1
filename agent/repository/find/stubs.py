"""Finds functions that are left open, from the syntax tree alone; nothing is imported or run.

Open is a function whose body, after its docstring, is one `...`, `pass` or `raise NotImplementedError`, or
that holds the comment `# sstar: implement`. Not open is what has to look like that, or usually does: abstract
methods (also by convention: a subclass in the file overrides it, or it says that subclasses do), members of a
Protocol, overloads, what stands under `if TYPE_CHECKING`, bodies that a decorator gives their meaning (of
command groups, of fixtures), a `pass` without docstring or return type (a hook that does nothing), what
stands in a test file, and whatever holds the comment `# sstar: ignore`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sstar_code.agent.generation.completeness import first_line
from sstar_code.agent.repository.find.project_files import is_test_file, split_lines

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

MARKER = re.compile(r"#\s*sstar:\s*implement\b[^\r\n]*")
_IGNORED = re.compile(r"#\s*sstar:\s*ignore\b")
_FOR_OTHERS = re.compile(
    r"\b(subclass|sub-class|overrid|abstract|must be implemented|derived class)", re.IGNORECASE
)
_PLAIN_DECORATORS = frozenset({
    "property", "cached_property", "staticmethod", "classmethod", "cache", "lru_cache", "wraps", "final",
    "override", "contextmanager", "asynccontextmanager", "total_ordering", "no_type_check", "deprecated",
    "setter", "getter", "deleter",
})  # fmt: skip
_EXCLUDING = frozenset({
    "overload", "abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod",
    "singledispatch", "singledispatchmethod",
})  # fmt: skip


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
        names = {_last_name(item) for item in self.node.decorator_list}
        return next((name for name in ("setter", "deleter") if name in names and self.owners), "")

    @property
    def docstring(self) -> str:
        """Its docstring, cleaned of indentation; empty where there is none."""
        return ast.get_docstring(self.node) or ""

    @property
    def shape(self) -> Shape:
        """How it is called."""
        names = {_last_name(item) for item in self.node.decorator_list}
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


def find_stubs(source: Source) -> list[Stub]:
    """The open functions of a file, in order."""
    if source.path.suffix == ".pyi":
        return []
    lines = split_lines(source.text)
    in_tests = is_test_file(source.path.as_posix())
    overridden = _overridden(source.tree)
    found = ((stub, _why_open(stub, lines, overridden, in_tests=in_tests)) for stub in all_functions(source))
    return [replace(stub, why=why) for stub, why in found if why]


def find_function(source: Source, qualname: str) -> Stub | None:
    """The function `qualname` of a file, open or not; the last of that name that is no overload or setter."""
    found = [stub for stub in all_functions(source) if stub.qualname == qualname]
    plain: list[Stub | None] = [
        stub
        for stub in found
        if not {_last_name(item) for item in stub.node.decorator_list} & {"overload", "setter"}
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


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of a module or class that exists when it runs: in branches too, not in functions."""
    for node in body:
        yield node
        if isinstance(node, FunctionNode | ast.ClassDef):
            continue
        for_types = isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING"
        for part in ("orelse",) if for_types else ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from statements(handler.body)


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


def _why_open(stub: Stub, lines: list[str], overridden: set[tuple[str, str]], *, in_tests: bool) -> str:
    """The reason why it is open; empty where it is not."""
    node = stub.node
    own = "".join(line for line in lines[first_line(node) - 1 : node.end_lineno] if "#" in line)
    if _IGNORED.search(own):
        return ""
    if MARKER.search(own) and not _marks_inner(node, lines):
        return "marked"
    why = is_open_body(node)
    if not why or in_tests or stub.is_nested:
        return ""
    return why if _is_meant(stub, why, overridden) else ""


def _marks_inner(node: FunctionNode, lines: list[str]) -> bool:
    """Whether every mark in the function stands in a function inside it."""
    marks = {
        number
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
        if MARKER.search(lines[number - 1])
    }
    inner = [item for item in ast.walk(node) if isinstance(item, FunctionNode) and item is not node]
    covered = {number for item in inner for number in range(item.lineno, (item.end_lineno or 0) + 1)}
    return bool(marks) and marks <= covered


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
    if isinstance(only, ast.Raise) and only.exc is not None:
        raised = only.exc.func if isinstance(only.exc, ast.Call) else only.exc
        if _last_name(raised) == "NotImplementedError":
            return "raise NotImplementedError"
    return ""


def _is_meant(stub: Stub, why: str, overridden: set[tuple[str, str]]) -> bool:
    """Whether an open body is meant to be written, not to stay."""
    node = stub.node
    decorators = {_last_name(item) for item in node.decorator_list}
    if decorators & _EXCLUDING:
        return False
    bases = {_last_name(base) for owner in stub.owners for base in owner.bases}
    if "Protocol" in bases:
        return False
    if why == "raise NotImplementedError":
        said = f"{stub.docstring} {ast.unparse(node.body[-1])}"
        metas = {_last_name(item.value) for owner in stub.owners for item in owner.keywords}
        by_convention = stub.owners and (
            (stub.owners[-1].name, stub.name) in overridden
            or _FOR_OTHERS.search(said)
            or {"ABC", "ABCMeta"} & bases | metas
        )
        return not by_convention
    if decorators - _PLAIN_DECORATORS or _FOR_OTHERS.search(stub.docstring):
        return False
    returns = node.returns is not None and not (
        isinstance(node.returns, ast.Constant) and node.returns.value is None
    )
    return why == "..." or returns or bool(stub.docstring)


def _overridden(tree: ast.Module) -> set[tuple[str, str]]:
    """(class, method) pairs that a subclass in the file defines anew."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {
        (_last_name(base), item.name)
        for node in classes
        for base in node.bases
        for item in node.body
        if isinstance(item, FunctionNode)
    }


def _last_name(node: ast.expr) -> str:
    """`overload` for `overload`, `typing.overload`, `typing.overload()` and `Generic[T]`'s name."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
