"""Rows of data files: read, hashed, checked, with tests that are unpacked when they are asked for."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast, overload

from sstar_code.problems.errors import ProblemFileError, shorten
from sstar_code.problems.problem import Test
from sstar_code.problems.sets.faults import Fault

if TYPE_CHECKING:
    from sstar_code.problems.problem import Problem

_KEPT = 4
"""Problems whose tests are in memory at once: the samples of one problem are mostly run one after another."""

_recent: OrderedDict[int, tuple[Test, ...]] = OrderedDict()
"""Tests by the identity of their `StoredTests`; the least recently used first."""


class StoredTests(Sequence[Test]):
    """At least one test, read again whenever they are asked for; equal to a tuple of the same tests."""

    def __init__(self, read: Callable[[], tuple[Test, ...]], count: int | None = None) -> None:
        """Read with `read`; `count` saves a reading where their number is known."""
        self._read = read
        self._count = count

    def load(self) -> tuple[Test, ...]:
        """All of them.

        Raises:
            ProblemFileError: the file changed or holds tests that cannot be used.
        """
        tests = _recent.get(id(self))
        if tests is None:
            tests = _recent[id(self)] = self._read()
            self._count = len(tests)
            while len(_recent) > _KEPT:
                _recent.popitem(last=False)
        else:
            _recent.move_to_end(id(self))
        return tests

    def __del__(self) -> None:
        _recent.pop(id(self), None)  # another object may get this identity

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.load()) if self._count is None else self._count

    def __iter__(self) -> Iterator[Test]:
        return iter(self.load())

    @overload
    def __getitem__(self, place: int) -> Test: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Test, ...]: ...
    def __getitem__(self, place: int | slice) -> Test | tuple[Test, ...]:
        return self.load()[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredTests | tuple) and self.load() == tuple(other)

    def __hash__(self) -> int:
        return hash(self.load())


_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_PARQUET_MAGIC = b"PAR1"
_HASH_CHARS = 16
_LARGE_BYTES = 32_768
_NAMES = {str: "a string", int: "a whole number", float: "a number", list: "a list", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a data file and where it stands."""

    path: Path
    line: int
    """1-based; in a JSON list the place in the list."""
    data: dict[str, Any]
    span: tuple[int, int] | None = None
    """Where a line of a plain file stands, first byte and number of bytes: it can be read again."""

    @property
    def is_large(self) -> bool:
        """Whether it can be read again and is better read again than kept."""
        return self.span is not None and self.span[1] >= _LARGE_BYTES

    def read_again(self) -> Row:
        """The same row from its file.

        Raises:
            ProblemFileError: the file is gone or was changed meanwhile.
        """
        assert self.span is not None
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.span[0])
                raw = stream.read(self.span[1])
        except OSError as error:
            raise ProblemFileError(self.path, None, f"cannot be read: {error.strerror or error}") from error
        return _row(self.path, self.line, _parse(self.path, self.line, raw), self.span)

    def fail(self, message: str) -> ProblemFileError:
        """The error that says `message` of this row; to be raised by the caller."""
        return ProblemFileError(self.path, self.line, message)

    def get(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        """The value of `key`, or `default` where it is absent or null.

        Raises:
            ProblemFileError: the value is of another type than `kind`.
        """
        value = self.data.get(key)
        if value is None:
            return default
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = " or ".join(_NAMES.get(one, one.__name__) for one in kinds)
            raise self.fail(f"key {key!r} must be {wanted}, got {shorten(json.dumps(value), 60)}")
        return value

    def need(self, key: str, kind: type | tuple[type, ...]) -> Any:
        """The value of `key`.

        Raises:
            ProblemFileError: it is missing or of another type than `kind`.
        """
        if self.data.get(key) is None:
            raise self.fail(f"key {key!r} is missing")
        return self.get(key, kind)

    def text(self, key: str) -> str:
        """The string under `key`.

        Raises:
            ProblemFileError: it is missing or not a string.
        """
        return str(self.need(key, str))


def hash_file(path: Path) -> str:
    """The first 16 hex digits of the file's SHA-256: its revision in a manifest.

    Raises:
        ProblemFileError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:_HASH_CHARS]
    except OSError as error:
        raise ProblemFileError(path, None, f"cannot be read: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        ProblemFileError: it cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProblemFileError(path, None, "is not UTF-8 text") from error
    except OSError as error:
        raise ProblemFileError(path, None, f"cannot be read: {error.strerror or error}") from error


def read_rows(path: Path | str) -> Iterator[Row]:
    """The rows of a file in order, read as they are asked for.

    Raises:
        ProblemFileError: the file cannot be read, is not JSON, or holds something else than objects.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
            raw.seek(0)
            if magic == _PARQUET_MAGIC:
                yield from _read_parquet(path)
            elif magic[:2] == _GZIP_MAGIC:
                with gzip.open(raw) as stream:
                    yield from _rows(path, cast("BinaryIO", stream), plain=False)
            else:
                yield from _rows(path, raw, plain=True)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ProblemFileError(path, None, f"damaged gzip file: {error}") from error
    except OSError as error:
        raise ProblemFileError(path, None, f"cannot be read: {error.strerror or error}") from error


def _rows(path: Path, stream: BinaryIO, *, plain: bool) -> Iterator[Row]:
    start = 0
    for number, raw in enumerate(stream, 1):
        line = raw.removeprefix(_BOM).strip() if number == 1 else raw.strip()
        span = (start, len(raw)) if plain and not raw.startswith(_BOM) else None
        start += len(raw)
        if not line:
            continue
        if line.startswith(b"["):
            whole = _parse(path, number, line + b"\n" + stream.read())
            for place, item in enumerate(whole, 1):
                yield _row(path, place, item)
            return
        if line == b"{":  # one object over many lines
            yield _row(path, number, _parse(path, number, line + b"\n" + stream.read()))
            return
        yield _row(path, number, _parse(path, number, line), span)


def _read_parquet(path: Path) -> Iterator[Row]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ProblemFileError(
            path, None, "is a Parquet file: pip install 'pyarrow>=20', or give JSON Lines"
        ) from error
    with parquet.ParquetFile(path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=16):
            for item in batch.to_pylist():
                number += 1
                yield _row(path, number, item)


def _parse(path: Path, line: int, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except UnicodeDecodeError as error:
        raise ProblemFileError(path, line, "is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        where = line + error.lineno - 1
        raise ProblemFileError(path, where, f"is not JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise ProblemFileError(path, line, f"is not JSON that can be read: {error}") from error


def _row(path: Path, line: int, item: Any, span: tuple[int, int] | None = None) -> Row:
    if not isinstance(item, dict):
        raise ProblemFileError(path, line, f"a JSON object is expected, got {shorten(json.dumps(item), 60)}")
    return Row(path, line, item, span)


def build_problems(
    rows: Iterator[Row], build: Callable[[Row], Problem], on_fault: Callable[[Fault], None] | None = None
) -> Sequence[Problem]:
    """One problem a row, in order; of rows that say the same the first is kept.

    Hidden tests of a large row stay in its file (`StoredTests`). With `on_fault` a row that cannot be used is
    told of and left out, and one that repeats another is told of.

    Raises:
        ProblemFileError: two different problems have one id, or a row cannot be used.
    """
    problems: dict[str, Problem] = {}
    lines: dict[str, int] = {}
    rows = iter(rows)
    while True:
        try:
            row = next(rows)
            problem = _leave_tests(build(row), row, build)
            first = problems.setdefault(problem.id, problem)
            if first != problem:
                raise row.fail(
                    f"id {problem.id!r} is already used on line {lines[problem.id]} by another problem"
                )
        except StopIteration:
            return list(problems.values())
        except ProblemFileError as error:
            if on_fault is None:
                raise
            on_fault(Fault("", str(error)))
            continue
        if first is not problem and on_fault is not None:
            where = f"{row.path}:{row.line}: repeats line {lines[problem.id]} word for word; it counts once"
            on_fault(Fault(problem.id, where, is_note=True))
        lines.setdefault(problem.id, row.line)


def _leave_tests(problem: Problem, row: Row, build: Callable[[Row], Problem]) -> Problem:
    hidden = problem.hidden_tests
    if not row.is_large or not hidden or isinstance(hidden, StoredTests):
        return problem
    place = replace(row, data={})  # not the row itself: it holds the tests

    def read() -> tuple[Test, ...]:
        return tuple(build(place.read_again()).hidden_tests)

    return replace(problem, hidden_tests=StoredTests(read, len(hidden)))
