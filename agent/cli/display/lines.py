"""Lines for a person: broken between words and coloured on a terminal, untouched everywhere else."""

from __future__ import annotations

import re
import sys
import textwrap
from typing import IO

from sstar_code.agent.cli.display.terminal import (
    BOLD,
    CYAN,
    GREEN,
    RED,
    YELLOW,
    is_terminal,
    measure_width,
    paint,
)

_PLACE = re.compile(r"(?P<place>[^\s:][^:]*:\d+(?::\d+)?): (?P<name>[^:\s]+): (?P<what>[^(;]*)(?P<rest>.*)")
_QUOTED = re.compile(r"`[^`]{1,60}`|\(default: [^ ;)]+\)")
HARD_SPACE = "\0"
"""Stands for a blank at which no line is broken."""
_SIGNS = (("+++", BOLD), ("---", BOLD), ("@@", CYAN), ("+", GREEN), ("-", RED))


def wrap(text: str, width: int, *, indent: str = "") -> list[str]:
    """Lines of at most `width` columns, all but the first after `indent`.

    No flag, path, address, default or short command between backquotes is torn.
    """
    kept = _QUOTED.sub(lambda quoted: quoted[0].replace(" ", HARD_SPACE), text)
    lines = textwrap.wrap(
        kept, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    return [line.replace(HARD_SPACE, " ") for line in lines]


def fold(line: str, stream: IO[str]) -> str:
    """`line`, of which no word is torn where `stream` is a terminal; what follows its first line is indented.

    A line with blanks that mean something (two together) stays as it is.
    """
    if not is_terminal(stream) or "  " in line.strip():
        return line
    begin = line[: len(line) - len(line.lstrip(" "))]
    return "\n".join(wrap(line, measure_width(stream), indent=f"{begin}  ")) or line


def show_finding(line: str) -> str:
    """A finding with its place and name in colours, on a terminal."""
    match = _PLACE.fullmatch(line)
    folded = fold(line, sys.stdout)
    if match is None:
        return folded
    head = f"{match['place']}: {match['name']}: {match['what']}"
    if not folded.replace("\n  ", " ").startswith(head) or "\n" in folded[: len(head)]:
        return folded
    painted = (
        f"{paint(match['place'], CYAN, sys.stdout)}: {paint(match['name'], BOLD, sys.stdout)}: "
        f"{paint(match['what'], YELLOW, sys.stdout)}"
    )
    return painted + folded[len(head) :]


def show_diff(diff: str) -> str:
    """A diff with its lines in colours, on a terminal."""
    return "".join(_paint_line(line) for line in diff.splitlines(keepends=True))


def _paint_line(line: str) -> str:
    codes = next((codes for sign, codes in _SIGNS if line.startswith(sign)), "")
    text = line.rstrip("\n")
    return paint(text, codes, sys.stdout) + line[len(text) :] if codes else line
