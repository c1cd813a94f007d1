"""Finds JSON values and Python literals in text that was written freely and may have been cut off."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems.statements.literals import read_value

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["find_literals", "read_literal"]

_MAX_RESTARTS = 20
"""Openings that led nowhere before the rest of the text is given up; keeps hostile text linear."""
_OPENING = re.compile(r'[\[{]|^[ \t]*"', re.MULTILINE)
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"' + r"|(?<![\w\"'])'[^'\\]*(?:\\.[^'\\]*)*'"
_MARK = re.compile(_STRING + r'|[\[\](){},"]', re.DOTALL)
_TRAILING_COMMA = re.compile(_STRING + r"|(,)(?=\s*[\]}])", re.DOTALL)


def read_literal(source: str) -> Any:
    """The value that `source` writes, as JSON or as Python.

    Line breaks inside JSON texts and trailing commas are forgiven.

    Raises:
        ValueError: it writes none.
    """
    without_commas = _TRAILING_COMMA.sub(lambda match: "" if match[1] else match[0], source)
    try:
        return json.loads(without_commas, strict=False)
    except (ValueError, RecursionError):
        return read_value(source)


def find_literals(text: str) -> Iterator[Any]:
    """The values in `text` outside of one another: arrays, objects, and strings that start a line.

    An array's elements are read one by one: one that cannot be read, or that the end of the text cuts,
    is left out and the others remain.
    """
    place, restarts = 0, 0
    while restarts < _MAX_RESTARTS and (opening := _OPENING.search(text, place)):
        start = opening.end() - 1
        elements, end = _split(text, start)
        if text[start] == "[":
            values = list(_read_each(elements))
            found = bool(values) or end is not None
            if found:
                yield values
        else:
            found = end is not None and (yield from _read_whole(text[start:end]))
        restarts += not found
        place = end if found and end is not None else (len(text) if found else start + 1)


def _read_each(elements: list[str]) -> Iterator[Any]:
    for element in elements:
        try:
            yield read_literal(element)
        except ValueError:
            continue


def _read_whole(source: str) -> Generator[Any, None, bool]:
    try:
        yield read_literal(source)
    except ValueError:
        return False
    return True


def _split(text: str, start: int) -> tuple[list[str], int | None]:
    """The complete elements of what opens at `start`, and the place behind its end (None: it has none)."""
    elements: list[str] = []
    depth, element = 0, start + 1
    for mark in _MARK.finditer(text, start):
        sign = mark[0]
        if sign == '"':
            break  # a string without an end
        if sign in "[({":
            depth += 1
        elif sign in "])}":
            depth -= 1
        elif depth == 0:
            return elements, mark.end()  # a string by itself
        if depth == 0:
            elements.append(text[element : mark.start()])
            return [item for item in elements if item.strip()], mark.end()
        if sign == "," and depth == 1:
            elements.append(text[element : mark.start()])
            element = mark.end()
    return elements, None
