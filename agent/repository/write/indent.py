"""Moves a block of statements to another depth and into another file's way of indenting."""

from __future__ import annotations

import io
import token
import tokenize
from dataclasses import dataclass

__all__ = ["indent_block", "indent_unit"]

_STARTS = {getattr(token, name, None) for name in ("FSTRING_START", "TSTRING_START")} - {None}
_ENDS = {getattr(token, name, None) for name in ("FSTRING_END", "TSTRING_END")} - {None}


@dataclass(slots=True)
class _Lines:
    """What is known of each line of a block, by its 1-based number."""

    depth: dict[int, int]
    """Of lines that begin a statement, or hold a comment alone."""
    column: dict[int, int]
    """Of lines that begin a statement."""
    first: dict[int, int]
    """Of lines that go on a statement: the line that begins it."""
    raw: set[int]
    """Lines that begin inside a string."""


def indent_unit(text: str) -> str:
    """The first indentation that a file uses; four spaces where it has none."""
    try:
        for item in tokenize.generate_tokens(io.StringIO(text).readline):
            if item.type == token.INDENT:
                return item.string
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass
    return "    "


def indent_block(block: str, base: str, unit: str) -> list[str]:
    """The lines of `block`, statements at one depth, at the margin `base`, with `unit` for each depth below.

    The inside of strings stays as it is; lines that go on a statement keep their distance from its first
    line.

    Raises:
        SyntaxError: `block` is not made of whole statements.
    """
    lines = ["if 1:", *block.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")]
    if lines[1] and not lines[1][0].isspace():
        lines[1:] = _push(lines[1:])
    known = _read("\n".join(lines) + "\n")
    moved = []
    for number, line in enumerate(lines[1:], start=2):
        rest = line.lstrip(" \t\f")
        if number in known.raw:
            moved.append(line)
        elif not rest:
            moved.append("")
        elif number in known.first:
            first = known.first[number]
            ahead = max(0, _width(line) - known.column[first])
            moved.append(base + unit * (known.depth[first] - 1) + " " * ahead + rest)
        else:
            moved.append(base + unit * max(0, known.depth.get(number, 1) - 1) + rest)
    return moved


def _push(lines: list[str]) -> list[str]:
    """A block at the margin, one step in; the inside of strings stays."""
    raw = _read("\n".join(lines) + "\n").raw
    return [
        line if number in raw or not line else f"    {line}" for number, line in enumerate(lines, start=1)
    ]


def _read(text: str) -> _Lines:  # noqa: C901 - one branch a kind of token is the clearest form
    known = _Lines({}, {}, {}, set())
    stack, strings, first = [0], [], 0
    try:
        for item in tokenize.generate_tokens(io.StringIO(text).readline):
            (row, _), (end, _) = item.start, item.end
            if item.type == token.INDENT:
                stack.append(_width(item.string))
            elif item.type == token.DEDENT:
                stack.pop()
            elif item.type in (token.NEWLINE, token.ENDMARKER):
                first = 0
            elif item.type == token.COMMENT and not first:
                width = _width(item.line)
                inner = sum(column <= width for column in stack) - 1
                known.depth[row] = inner + (width > stack[-1])
            elif item.type != token.NL:
                if not first:
                    first = row
                    known.depth[row], known.column[row] = len(stack) - 1, _width(item.line)
                known.first.update(dict.fromkeys(range(max(row, first + 1), end + 1), first))
                if item.type == token.STRING:
                    known.raw.update(range(row + 1, end + 1))
                elif item.type in _STARTS:
                    strings.append(row)
                elif item.type in _ENDS:
                    known.raw.update(range(strings.pop() + 1, end + 1))
    except (tokenize.TokenError, IndentationError) as error:
        raise SyntaxError(f"not whole statements: {error}") from error
    return known


def _width(line: str) -> int:
    """The column at which `line` begins."""
    margin = line[: len(line) - len(line.lstrip(" \t\f"))]
    return len(margin.expandtabs(8))
