"""The errors that users see, and the pieces of their messages.

    SstarError
    |-- UserError            what the user gave cannot be used; exit code 2
    |   `-- ProblemFileError a data file: path and line are named
    `-- InfrastructureError  the machine, the engine or the endpoint failed; exit code 3

A candidate's failure is never an exception: it is data (`sandbox.Execution`).
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path

from sstar_code.problems.plain_text import escape_line


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, of which the last three are dots where it is longer."""
    return text if len(text) <= limit else text[: max(0, limit - 3)] + "..."[:limit]


def show(value: object, limit: int) -> str:
    """`repr(value)` in at most `limit` characters, also of an integer that Python does not write."""
    try:
        return shorten(repr(value), limit)
    except ValueError:
        return shorten("an integer of more digits than are shown", limit)


_LONGEST_NAME = 100
"""A longer name is no mistyped one, and to compare it would take time."""


def suggest(name: str, known: Iterable[str]) -> str:
    """The words ` (did you mean 'x'?)` for the name of `known` that is like `name`; empty where none is."""
    if len(name) > _LONGEST_NAME:
        return ""
    by_lower = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), by_lower, 1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE})
"""Why a right path cannot be written: the disk is full, fails, or is read-only."""


class SstarError(Exception):
    """An error whose text is one line a user can act on: what, where, what to do."""


class UserError(SstarError):
    """The user gave something that cannot be used. Exit code 2."""


class InfrastructureError(SstarError):
    """Something outside the program failed and work is left. Exit code 3."""


def blame_path(error: OSError, message: str) -> SstarError:
    """The error of a path that the user gave and that cannot be written, to be raised.

    It is the user's (exit code 2), unless the disk is at fault (exit code 3).
    """
    return InfrastructureError(message) if error.errno in _DISK_ERRORS else UserError(message)


class ProblemFileError(UserError):
    """A data file cannot be read; its message starts with `path:line:` and is one line whatever it quotes."""

    def __init__(self, path: Path | str, line: int | None, message: str) -> None:
        """Name `path`, the 1-based `line` (None for the file as a whole) and the fault."""
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(escape_line(f"{where}: {message}"))
        self.path = str(path)
        self.line = line
