"""Finds the fenced blocks of a model's answer.

Looser than CommonMark where models are: a fence may be indented, may open at the end of a line of prose,
may be closed at the end of a line of code, or not at all. Time is linear in the text's length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from sstar_code.problems.python_source import parse_python

PYTHON_TAGS = frozenset(
    {"python", "py", "python3", "python2", "py3", "ipython", "ipython3", "pycon", "pypy3"}
)
"""Language tags under which a block may hold Python, in lower case; an untagged block may too."""

_MAX_BLOCKS = 256
_MAX_NESTED = 8
"""Closing fences skipped at most while looking for the one that ends a program with fences inside."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    tag: str
    """First word after the opening fence, in lower case; empty where there is none."""
    text: str
    """Between the fences, without the indent of the opening fence."""
    closed: bool

    @property
    def may_be_python(self) -> bool:
        """Tagged as Python or not tagged."""
        return not self.tag or self.tag in PYTHON_TAGS


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    tag: str
    indent: str


def find_blocks(text: str) -> tuple[list[Block], str]:
    """All fenced blocks in order, and the text before the first of them."""
    lines = text.split("\n")
    closers = {char: [place for place, line in enumerate(lines) if _closes(line, char * 3)] for char in "`~"}
    blocks: list[Block] = []
    place = 0
    first: int | None = None
    while place < len(lines) and len(blocks) < _MAX_BLOCKS:
        fence = _opening(lines[place])
        if fence is None:
            place += 1
            continue
        first = place if first is None else first
        block, place = _read_block(lines, place + 1, fence, closers[fence.mark[0]])
        blocks.append(block)
    return blocks, "\n".join(lines[:first])


def _opening(line: str) -> _Fence | None:
    bare = line.lstrip()
    for char in "`~":
        if bare.startswith(char * 3):
            info = bare.lstrip(char)
            if char in info:
                return None  # inline code, not a block
            mark = bare[: len(bare) - len(info)]
            return _Fence(mark, _tag_of(info), line[: len(line) - len(bare)])
    if line.count("```") == 1:
        tag = _tag_of(line[line.rfind("```") + 3 :])
        if tag in PYTHON_TAGS:
            return _Fence("```", tag, "")
    return None


def _tag_of(info: str) -> str:
    words = info.strip().strip("{}.").replace(",", " ").lower().split()
    return words[0] if words else ""


def _closes(line: str, mark: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(mark) and bare == mark[0] * len(bare)


def _read_block(
    lines: Sequence[str], start: int, fence: _Fence, candidates: Sequence[int]
) -> tuple[Block, int]:
    """The block whose first line is `start`, and the place after it; it ends at one of `candidates`."""
    closers: list[int] = []
    for place in candidates[bisect_left(candidates, start) :]:
        if not _closes(lines[place], fence.mark):
            continue
        closers.append(place)
        if len(closers) > _MAX_NESTED or fence.tag not in PYTHON_TAGS:
            break
        if parse_python(_join(lines[start:place], fence.indent)) is not None:
            break
    if not closers:
        return _read_unclosed(lines, start, fence)
    end = closers[0]
    if len(closers) > 1 and parse_python(_join(lines[start : closers[-1]], fence.indent)) is not None:
        end = closers[-1]  # the fences before it stand inside a string of the program
    return Block(fence.tag, _join(lines[start:end], fence.indent), closed=True), end + 1


def _read_unclosed(lines: Sequence[str], start: int, fence: _Fence) -> tuple[Block, int]:
    for place in range(start, len(lines)):
        line = lines[place].rstrip()
        if line.endswith(fence.mark) and line.count(fence.mark) == 1:
            kept = [*lines[start:place], line[: -len(fence.mark)]]
            return Block(fence.tag, _join(kept, fence.indent), closed=True), place + 1
    return Block(fence.tag, _join(lines[start:], fence.indent), closed=False), len(lines)


def _join(lines: Sequence[str], indent: str) -> str:
    if indent:
        lines = [line.removeprefix(indent) for line in lines]
    return "\n".join(lines)
