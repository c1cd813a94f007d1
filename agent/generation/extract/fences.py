"""Finds the fenced blocks of an answer.

Looser than CommonMark where models are: a fence may be indented, may open at the end of a line of prose,
may have code behind its tag, may be closed at the end of a line of code or with a tag behind it, or not at
all. Time is linear in the text's length.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from sstar_code.problems.python_source import parse_python

PYTHON_TAGS = frozenset(
    {"python", "py", "python3", "python2", "py3", "ipython", "ipython3", "pycon", "pypy", "pypy3", "sage"}
)
"""Language tags under which a block may hold Python, in lower case; an untagged block may too."""

_MAX_BLOCKS = 256
_MAX_NESTED = 8
"""Ends tried at most while looking for the one that ends a program with fences inside."""
_MAX_PLACES = 100
"""Lines with a fence looked at for the end of one block."""
_MAX_LEAD = 200
_CONTAINER_TAGS = frozenset({"markdown", "md"})
"""Blocks that are answers themselves: only their inner blocks count."""
_TAG = re.compile(r"[{.\s]*([\w+#-]*)")
_CODE_WORDS = frozenset({"def", "class", "import", "from", "async"})
_AFTER_CLOSING = re.compile(r"\s*(?:(?:<[^<>\n]{1,40}>|\[/?\w{1,20}\]|[}.)*])\s*)*$")
"""What may stand behind a closing fence: an end token, a closing tag, punctuation."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    tag: str
    """First word after the opening fence, in lower case; empty where there is none."""
    text: str
    """Between the fences, without the indent of the opening fence."""
    closed: bool
    rest: str = ""
    """What the opening fence's line holds behind the tag: attributes, or the first line of code."""
    lead: str = ""
    """The end of the prose before the block."""

    @property
    def is_python(self) -> bool:
        """Tagged as Python."""
        return self.tag in PYTHON_TAGS

    @property
    def may_be_python(self) -> bool:
        """Tagged as Python or not tagged."""
        return not self.tag or self.is_python


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    tag: str
    rest: str
    indent: str


def find_blocks(text: str) -> tuple[list[Block], str]:
    """All fenced blocks in order, and the text before the first of them."""
    lines = text.split("\n")
    marked = {char: [place for place, line in enumerate(lines) if char * 3 in line] for char in "`~"}
    blocks: list[Block] = []
    first: int | None = None
    place = after = 0
    while place < len(lines) and len(blocks) < _MAX_BLOCKS:
        fence = _opening(lines[place])
        if fence is None or fence.tag in _CONTAINER_TAGS:
            place += 1
            continue
        first = place if first is None else first
        lead = _lead(lines, after, place)
        if fence.rest.endswith(fence.mark):
            block = Block(fence.tag, fence.rest.removesuffix(fence.mark), closed=True, lead=lead)
            place += 1
        else:
            end = _find_end(lines, place + 1, fence, marked[fence.mark[0]])
            text_inside = _text_of(lines, place + 1, end, fence)
            block = Block(fence.tag, text_inside, end.closed, fence.rest, lead)
            place = end.after
        blocks.append(block)
        after = place
    return blocks, "\n".join(lines[:first])


def _lead(lines: Sequence[str], start: int, end: int) -> str:
    """The last words before the fence on line `end`, back to line `start`."""
    before = [line for line in lines[max(start, end - 4) : end] if line.strip()]
    return "\n".join([*before[-2:], re.split("```|~~~", lines[end])[0]])[-_MAX_LEAD:].strip()


def _opening(line: str) -> _Fence | None:
    bare = line.lstrip(" \t>")  # in a quotation its marks are a part of the margin
    for char in "`~":
        if bare.startswith(char * 3):
            info = bare.lstrip(char)
            mark = bare[: len(bare) - len(info)]
            tag, rest = _tag_of(info)
            is_whole = tag in PYTHON_TAGS and rest.endswith(mark) and rest.count(char) == len(mark)
            if char in info and not is_whole:
                return None  # inline code, not a block
            return _Fence(mark, tag, rest, line[: len(line) - len(bare)])
    if line.count("```") == 1:
        tag, rest = _tag_of(line[line.rfind("```") + 3 :])
        if tag in PYTHON_TAGS:
            return _Fence("```", tag, rest, "")
    return None


def _tag_of(info: str) -> tuple[str, str]:
    """The language in lower case, without a version or a file name, and what follows it."""
    found = _TAG.match(info)
    word, rest = (found[1].lower(), info[found.end() :]) if found else ("", info)
    if word in _CODE_WORDS:
        return "", info.strip()
    if rest[:1] in tuple(".:},;="):  # python3.12, python:solution.py, {.python}
        rest = rest[len(rest.split()[0]) :]
    if word.startswith(("python-", "python_")):
        word = "python"
    return word, rest.strip()


@dataclass(frozen=True, slots=True)
class _End:
    stop: int
    """The line after the block's last whole one."""
    after: int
    """The line at which to go on."""
    tail: str = ""
    """Code before a fence on the line `stop`."""
    closed: bool = True


def _find_end(lines: list[str], start: int, fence: _Fence, marked: Sequence[int]) -> _End:
    """Where the block that begins on line `start` ends: at one of the lines `marked`, which hold a fence.

    Python ends where what is before parses, so that fences inside its strings do not count.
    """
    first = bisect_left(marked, start)
    places = marked[first : first + _MAX_PLACES]
    ends = [end for place in places if (end := _end_at(lines[place], place, fence)) is not None]
    if fence.tag in PYTHON_TAGS:
        for end in ends[:_MAX_NESTED]:
            text = _text_of(lines, start, end, fence)
            if not text.strip() or parse_python(text) is not None:
                return end
    last = _End(len(lines), len(lines), closed=False)
    return next((end for end in ends if not end.tail), ends[0] if ends else last)


def _end_at(line: str, place: int, fence: _Fence) -> _End | None:
    """The end that `line` number `place` makes for a block, if it is one."""
    bare = line.removeprefix(fence.indent).strip()
    if bare.startswith(fence.mark):
        after = bare.lstrip(fence.mark[0])
        if _AFTER_CLOSING.match(after):
            return _End(place, place + 1)
        if _tag_of(after)[0] in PYTHON_TAGS:
            return _End(place, place)
        return _End(place, place + 1) if len(after.split()) > 2 else None
    before, found, after = line.partition(fence.mark)
    if found and fence.mark not in after and _AFTER_CLOSING.match(after.lstrip(fence.mark[0])):
        return _End(place, place + 1, before)
    return None


def _text_of(lines: list[str], start: int, end: _End, fence: _Fence) -> str:
    kept = [*lines[start : end.stop], *([end.tail] if end.tail else [])]
    margin = fence.indent
    if ">" in margin:
        kept = [line if line.strip() != margin.strip() else "" for line in kept]
    return "\n".join(line.removeprefix(margin) for line in kept)
