"""What reading a run store may cost, and what is said of one that is damaged or made to do harm.

A run folder may be anybody's: a colleague's, a download, an artifact of CI. SQLite reads what a file says:
pages that name each other, or values that share their pages, make a small file endless.
"""

from __future__ import annotations

import math
import os
import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from sstar_code.problems import ProblemFileError, UserError
from sstar_code.problems.bounds import read_json
from sstar_code.problems.errors import shorten

_LONGEST_BYTES = 128 << 20
"""Bytes of one value, packed or not: an output has at most 16 MB, as JSON six times that."""
_STEPS_AT_ONCE = 100_000
_LEAST_STEPS, _STEPS_A_BYTE = 20_000_000, 20
"""Steps of SQLite's machine that a query may take. A row takes tens of either."""
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")
"""The end of a journal behind the name of another file."""
_MACHINE = frozenset({3, 5, 6, 7, 8, 10, 13, 14, 15, 22})
"""SQLite's codes for what is no fault of the file: rights, locks, memory, the disk."""
DAMAGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a value of another shape or type raises."""
Kind: TypeAlias = type | tuple[type, ...]


def damaged(path: Path | None, error: BaseException) -> UserError:
    """What is said of the store at `path`."""
    why = shorten(f"{type(error).__name__}: {error}", 160)
    return UserError(f"{path}: damaged or not written by sstar ({why}); use another copy of the run folder")


def is_of_the_machine(error: sqlite3.Error) -> bool:
    """Whether the machine failed, not the file."""
    return getattr(error, "sqlite_errorcode", 1) & 0xFF in _MACHINE


def refuse_traps(path: Path) -> None:
    """See that opening the database (or another file) at `path` reaches no other file.

    Neither it nor what belongs to it is a link, or no file. And its journal names no other file: that of a
    transaction over several databases ends with the name of a journal of journals, which SQLite deletes
    with it (https://sqlite.org/fileformat2.html, section 3.2). Ours are over one.

    Raises:
        UserError: it would; what is in the way is named.
    """
    for place in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        if place.is_symlink() or (os.path.lexists(place) and not place.is_file()):
            raise UserError(f"{place}: a link, or no file; what belongs to a run is a file of its own")
    try:
        with place.open("rb") as journal:
            journal.seek(-len(_NAMES_ANOTHER), os.SEEK_END)
            end = journal.read()
    except OSError:  # there is none, or it is shorter
        return
    if end == _NAMES_ANOTHER:
        raise UserError(
            f"{place}: names another file for SQLite to delete; sstar did not write it: remove it"
        )


def read_own_json(path: Path) -> Any:
    """The value in a file of JSON of a run folder, which may come from anybody: no link is followed.

    Raises:
        ProblemFileError: it is a link, cannot be read, is too long or is not JSON.
    """
    if path.is_symlink():
        raise ProblemFileError(path, None, "is a link; what belongs to a run is a file of its own")
    return read_json(path)


def protect(database: sqlite3.Connection) -> None:
    """Let the database's own definitions call nothing, and no value be longer than is ever written."""
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    database.execute("PRAGMA mmap_size = 0")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_BYTES)


def unpack(packed: bytes) -> str:
    """The text that `zlib.compress` packed.

    Raises:
        ValueError: it is longer than any that is written, cut short, or no text.
        zlib.error: it is nothing packed.
    """
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(packed, _LONGEST_BYTES)
    if not unpacking.eof:
        raise ValueError("a packed value is too long, or cut short")
    return data.decode("utf-8")


class Bound:
    """How much one query after another may take and give, by the size of the files that are read."""

    def __init__(self, database: sqlite3.Connection, *paths: Path | None) -> None:
        """Watch `database`, which is that at `paths`; None is in memory, and bounds nothing."""
        self._paths = paths
        self._steps = 0
        self._most_steps: float = math.inf
        if None not in paths:
            database.set_progress_handler(self._count, _STEPS_AT_ONCE)

    def begin(self) -> int:
        """Begin with a query; the size of the files in bytes."""
        names = [f"{path}{end}" for path in self._paths if path for end in ("", "-wal")]
        size = sum(os.stat(name).st_size for name in names if os.path.exists(name))  # noqa: PTH110, PTH116
        if self._paths and None not in self._paths:
            self._most_steps = _LEAST_STEPS + _STEPS_A_BYTE * size
        self._steps = 0
        return size

    def begin_one(self) -> int:
        """Begin with a query by a key, for one row: the bytes of the longest one. No file is looked at."""
        self._steps, self._most_steps = 0, _LEAST_STEPS
        return _LONGEST_BYTES

    def _count(self) -> int:
        self._steps += _STEPS_AT_ONCE
        return self._steps > self._most_steps

    @staticmethod
    def check(row: Sequence[Any], kinds: Sequence[Kind]) -> int:
        """See that the columns of `row` are of `kinds`; how many characters and bytes they have together.

        Raises:
            TypeError: one is of another type.
            ValueError: a number is not finite.
        """
        for value, kind in zip(row, kinds, strict=True):
            if not isinstance(value, kind):
                raise TypeError(f"{shorten(repr(value), 40)} is of another type")
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{value} is not finite")
        return sum(len(value) for value in row if isinstance(value, str | bytes))
