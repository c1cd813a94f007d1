"""Parses Python source that others wrote: no warning of the parser's ever reaches the user."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
    try:
        return parse_strictly(text)
    except UNREADABLE:
        return None


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
    What is beyond is not Python, and costs nothing; blocks inside each other count for both.
    """
    outer = _left.get()
    budget = [chars] if outer is None else [min(chars, outer[0])]
    token = _left.set(budget)
    try:
        yield
    finally:
        _left.reset(token)
        if outer is not None:
            outer[0] -= min(chars, outer[0]) - budget[0]


_left: ContextVar[list[int] | None] = ContextVar("_left", default=None)


def _is_affordable(text: str | bytes) -> bool:
    if len(text) > MAX_SOURCE:
        return False
    budget = _left.get()
    if budget is None:
        return True
    cost = len(text) + LINE_CHARS * _count_lines(text)
    if cost > budget[0]:
        return False
    budget[0] -= cost
    return True


def _count_lines(text: str | bytes) -> int:
    if isinstance(text, bytes):
        return 1 + text.count(b"\n") + text.count(b";")
    return 1 + text.count("\n") + text.count(";")
