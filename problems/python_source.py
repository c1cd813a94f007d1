"""Parses Python source that others wrote: no warning of the parser's ever reaches the user."""

from __future__ import annotations

import ast
import warnings

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""The exceptions by which the parser refuses a text."""


def parse_strictly(text: str | bytes) -> ast.Module:
    """The tree of the module `text`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is not Python (`UNREADABLE`).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape is the author's business
        return ast.parse(text)


def parse_python(text: str | bytes) -> ast.Module | None:
    """The tree of the module `text`; None where it is not Python."""
    try:
        return parse_strictly(text)
    except UNREADABLE:
        return None


def parse_expression(text: str) -> ast.expr | None:
    """The tree of the expression `text`; None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except UNREADABLE:
        return None
