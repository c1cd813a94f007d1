"""Where a stream goes, and what may be written there: colours, and a width to draw for."""

from __future__ import annotations

import os
import shutil
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"
"""Codes of `paint`; several are joined with `;`."""
_NO_CODES = ("", "dumb", "unknown")
"""Values of TERM of terminals that know no control codes."""


def is_terminal(stream: IO[str]) -> bool:
    """Whether somebody looks at `stream`: it is a terminal."""
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def has_colours(stream: IO[str]) -> bool:
    """Whether colours may be written to `stream`; NO_COLOR, FORCE_COLOR and TERM have their usual meaning."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM", "") not in _NO_CODES


def paint(text: str, codes: str, stream: IO[str]) -> str:
    """`text` in a colour where `stream` has colours, else as it is. Line ends stay outside of the colour."""
    if not text or not has_colours(stream):
        return text
    return "\n".join(f"\x1b[{codes}m{line}\x1b[0m" if line else line for line in text.split("\n"))


def measure_width(stream: IO[str], *, most: int | None = None) -> int:
    """Columns to write for: those of the terminal, COLUMNS, or 80; never more than `most`."""
    width = 80
    if os.environ.get("COLUMNS", "").isdigit() or is_terminal(stream):
        width = shutil.get_terminal_size((80, 24)).columns
    return width if most is None else min(width, most)


def open_console(*, to_stderr: bool = False) -> Console:
    """A console of rich for stdout or stderr, in which no text is taken for markup."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    return Console(
        file=stream, width=measure_width(stream), no_color=not has_colours(stream), markup=False,
        highlight=False, emoji=False,
    )  # fmt: skip
