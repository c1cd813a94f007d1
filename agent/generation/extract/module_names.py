"""What each statement of a module does with the module's names, read from syntax and symbol tables alone."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field

_TALKS = frozenset({"print", "pprint", "input", "raw_input", "open", "exit", "quit", "breakpoint"})
"""Functions that talk to whoever runs the program, or end it."""
_ENDS = frozenset(
    {
        "exit",
        "_exit",
        "abort",
        "main",
        "testmod",
        "run_docstring_examples",
        "system",
        "readline",
        "parse_args",
    }
)
"""Methods of modules that do."""
_KEEPS = _TALKS | {
    "len",
    "str",
    "repr",
    "sorted",
    "sum",
    "min",
    "max",
    "list",
    "range",
    "enumerate",
    "zip",
    "map",
}
"""Functions that do not change what they are given."""
_HARMLESS = (
    *(ast.Constant, ast.Name, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr, ast.FormattedValue),
    *(ast.UnaryOp, ast.unaryop, ast.expr_context),
)
"""Parts of what is printed that cannot fail."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(slots=True, eq=False)
class Statement:
    """One statement of a module; names are those of the module."""

    node: ast.stmt
    defines: bool
    """A function, a class, an import or a named lambda: nothing happens but that a name is bound."""
    binds: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    """What occurs in it, in the bodies of its functions too."""
    changes: set[str] = field(default_factory=set)
    """Variables that it may change: by an item, an attribute, a method, or as an argument."""
    runs: set[str] = field(default_factory=set)
    """What occurs where something happens at once, outside the bodies of its functions."""
    calls: bool = False
    """It calls something at once."""
    is_hazard: bool = False
    """It talks, asserts, ends or calls the entry point at once."""
    talks: bool = False
    """It does, or its functions do when they are called."""


def read_statements(tree: ast.Module, entry: str) -> list[Statement]:
    """The statements of `tree`, whose entry point is the function or method `entry`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: a statement does not compile.
    """
    return [_read(node, entry) for node in tree.body]


def _read(node: ast.stmt, entry: str) -> Statement:
    defines = isinstance(
        node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
    ) or (isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda))
    item = Statement(node, defines)
    table = symtable.symtable(ast.unparse(node), "<statement>", "exec")
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            item.binds.add(symbol.get_name())
        if symbol.is_referenced():
            item.reads.add(symbol.get_name())
    declared: set[str] = set()
    for inner in _list_inner(table):
        for symbol in inner.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                item.reads.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                declared.add(symbol.get_name())
    item.changes = declared | (_list_changed(node) & (item.reads | item.binds))
    at_once = list(_walk_at_once(node))
    item.runs = {part.id for part in at_once if isinstance(part, ast.Name)}
    item.calls = any(isinstance(part, ast.Call) for part in at_once)
    item.is_hazard = any(_is_hazard(part, entry) for part in at_once)
    item.talks = item.is_hazard or any(_is_hazard(part, entry) for part in ast.walk(node))
    return item


def _list_inner(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _list_inner(child)


def _walk_at_once(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a statement that run when it does: bodies of functions do not."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        yield part
        for name, value in ast.iter_fields(part):
            if name == "body" and isinstance(part, _FUNCTIONS):
                continue
            values = value if isinstance(value, list) else [value]
            waiting += [item for item in values if isinstance(item, ast.AST)]


def _root(node: ast.AST) -> str:
    """The variable at the root of `a.b[c].d`; empty where there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _list_changed(node: ast.AST) -> set[str]:
    changed: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load):
            changed.add(_root(part))
        elif isinstance(part, ast.AugAssign):
            changed.add(_root(part.target))
        elif isinstance(part, ast.Call):
            if isinstance(part.func, ast.Attribute):
                changed.add(_root(part.func.value))
            if not isinstance(part.func, ast.Name) or part.func.id not in _KEEPS:
                changed |= {_root(item) for item in (*part.args, *(word.value for word in part.keywords))}
    return changed - {""}


def _is_hazard(node: ast.AST, entry: str) -> bool:
    match node:
        case ast.Assert() | ast.Raise():
            return True
        case ast.For(iter=source) | ast.comprehension(iter=source) | ast.Subscript(value=source):
            return _names_stdin(source)
        case ast.Call(func=ast.Name(id="print" | "pprint")):
            return not all(isinstance(part, _HARMLESS) for item in node.args for part in ast.walk(item))
        case ast.Call(func=ast.Name(id=name)):
            return name in _TALKS or name == entry
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _ENDS or name == entry or _names_stdin(node.func)
    return False


def _names_stdin(node: ast.AST) -> bool:
    return any(
        (isinstance(part, ast.Name) and part.id == "stdin")
        or (isinstance(part, ast.Attribute) and part.attr in ("stdin", "argv"))
        for part in ast.walk(node)
    )
