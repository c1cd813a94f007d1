"""Parses Python source that others wrote: no warning of the parser's ever reaches the user."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""The exceptions by which the parser refuses a text."""
MAX_SOURCE = 1 << 19
"""Characters that are parsed: a tree takes 600 times as many bytes."""
LINE_CHARS = 20
"""Characters that take as long to parse, and their tree to look through, as the shortest line does."""


def parse_strictly(text: str | bytes) -> ast.Module:
    """The tree of the module `text`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is not Python (`UNREADABLE`).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape is the author's business
        return ast.parse(text)


def parse_python(text: str | bytes) -> ast.Module | None:
    """The tree of the module `text`; None where it is not Python, or too long to be looked at."""
    if not _is_affordable(text):
        return None
    budget = _left.get()
    if budget is not None and budget.text == text:
        return budget.tree
    try:
        tree = parse_strictly(text)
    except UNREADABLE:
        tree = None
    if budget is not None:
        budget.text, budget.tree = text, tree
    return tree


def parse_expression(text: str) -> ast.expr | None:
    """The tree of the expression `text`; None where it is none, or too long to be looked at."""
    if not _is_affordable(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except UNREADABLE:
        return None


@contextmanager
def limit_parsing(chars: int) -> Iterator[None]:
    """Let `parse_python` and `parse_expression` read `chars` characters in all inside of the block.

    A line, or a statement behind a semicolon, counts for `LINE_CHARS` more, since each is a tree of its own.
    Whoever tries many readings of one text stays within a time that does not depend on how it is written.
    What is beyond is not Python, and costs nothing; blocks inside each other count for both. A text that is
    read twice in a row gives one tree, so nobody may change it.
    """
    outer = _left.get()
    budget = _Budget(chars if outer is None else min(chars, outer.chars))
    token = _left.set(budget)
    try:
        yield
    finally:
        _left.reset(token)
        if outer is not None:
            outer.chars -= min(chars, outer.chars) - budget.chars


@dataclass(slots=True)
class _Budget:
    """What may still be read, and what was read last: whoever asks again gets the same tree."""

    chars: int
    text: str | bytes | None = None
    tree: ast.Module | None = None


_left: ContextVar[_Budget | None] = ContextVar("_left", default=None)


def _is_affordable(text: str | bytes) -> bool:
    if len(text) > MAX_SOURCE:
        return False
    budget = _left.get()
    if budget is None:
        return True
    cost = len(text) + LINE_CHARS * _count_lines(text)
    if cost > budget.chars:
        return False
    budget.chars -= cost
    return True


def _count_lines(text: str | bytes) -> int:
    if isinstance(text, bytes):
        return 1 + text.count(b"\n") + text.count(b";")
    return 1 + text.count("\n") + text.count(";")


def walk_tree(tree: ast.AST) -> list[ast.AST]:
    """The nodes of a tree that the parser made, in the order of `ast.walk` and several times as quickly.

    `ast.Load` and its like are left out: they are no parts of a program.
    """
    nodes = [tree]
    for node in nodes:  # which grows meanwhile
        for value in read_fields(node):
            if isinstance(value, ast.AST):
                nodes.append(value)
            elif type(value) is list:
                nodes += [item for item in value if isinstance(item, ast.AST)]
    return nodes


def walk_statements(tree: ast.Module) -> list[ast.AST]:
    """The statements of a module, inner ones after those that they are in, with the parts that hold some."""
    nodes: list[ast.AST] = [*tree.body]
    for node in nodes:  # which grows meanwhile
        for name in _BODIES:
            if name in node._fields and type(inner := getattr(node, name)) is list:
                nodes += inner
    return nodes


_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


def read_fields(node: ast.AST) -> tuple[Any, ...]:
    """The values of the fields of a node, in order, without its context."""
    kind = type(node)
    read = _readers.get(kind)
    if read is None:
        names = [name for name in kind._fields if name != "ctx"]
        read = _readers[kind] = attrgetter(*names) if len(names) > 1 else _read_alone(*names)
    return read(node)


def _read_alone(name: str | None = None) -> Callable[[ast.AST], tuple[Any, ...]]:
    return (lambda _: ()) if name is None else (lambda node: (getattr(node, name),))


_readers: dict[type[ast.AST], Callable[[ast.AST], tuple[Any, ...]]] = {}
