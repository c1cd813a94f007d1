"""Moves a block of statements to another depth and into another file's way of indenting."""

from __future__ import annotations

import io
import token
import tokenize
from dataclasses import dataclass

_STARTS = {getattr(token, name, None) for name in ("FSTRING_START", "TSTRING_START")} - {None}
_ENDS = {getattr(token, name, None) for name in ("FSTRING_END", "TSTRING_END")} - {None}


@dataclass(slots=True)
class _Lines:
    """How the lines of a block are indented, by their 1-based numbers."""

    depth: dict[int, int]
    """Depth of each line that begins a statement, or holds a comment alone."""
    column: dict[int, int]
    """Column of each line that begins a statement."""
    first: dict[int, int]
    """For each line that goes on a statement the line that begins it."""
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
    block = block.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    outer = int(block[:1].isspace())  # a block that is indented is read inside a statement
    lines = ["if 1:"] * outer + block.split("\n")
    known = _read("\n".join(lines) + "\n")
    moved = []
    for number, line in enumerate(lines[outer:], start=outer + 1):
        rest = line.lstrip(" \t\f")
        first = known.first.get(number, number)
        margin = base + unit * max(0, known.depth.get(first, outer) - outer)
        if number in known.raw:
            moved.append(line)
        elif not rest:
            moved.append("")
        elif first != number:
            moved.append(margin + " " * max(0, _width(line) - known.column[first]) + rest)
        else:
            moved.append(margin + rest)
    return moved


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
