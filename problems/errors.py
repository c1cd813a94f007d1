"""The errors that users see, and the pieces of their messages.

    SstarError
    |-- UserError            what the user gave cannot be used; exit code 2
    |   `-- ProblemFileError a data file: path and line are named
    `-- InfrastructureError  the machine, the engine or the endpoint failed; exit code 3

A candidate's failure is never an exception: it is data (`sandbox.Execution`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, of which the last three are dots where it is longer."""
    return text if len(text) <= limit else text[: max(0, limit - 3)] + "..."[:limit]


def suggest(name: str, known: Iterable[str]) -> str:
    """The words ` (did you mean 'x'?)` for the name of `known` that is like `name`; empty where none is."""
    by_lower = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), by_lower, 1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


class SstarError(Exception):
    """An error whose text is one line a user can act on: what, where, what to do."""


class UserError(SstarError):
    """The user gave something that cannot be used. Exit code 2."""


class InfrastructureError(SstarError):
    """Something outside the program failed and work is left. Exit code 3."""


class ProblemFileError(UserError):
    """A data file cannot be read; the message starts with `path:line:`."""

    def __init__(self, path: Path | str, line: int | None, message: str) -> None:
        """Name `path`, the 1-based `line` (None for the file as a whole) and the fault."""
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {message}")
        self.path = str(path)
        self.line = line
