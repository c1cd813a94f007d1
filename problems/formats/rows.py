"""Rows of data files: read, hashed, checked, with tests that are unpacked when they are asked for."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from sstar_code.problems.bounds import MAX_ROWS, LineReader, has_surrogate, open_file, parse_json, row_bytes
from sstar_code.problems.errors import ProblemFileError, shorten
from sstar_code.problems.formats.parquet import open_parquet
from sstar_code.problems.problem import Test
from sstar_code.problems.sets.faults import Fault

if TYPE_CHECKING:
    from sstar_code.problems.problem import Problem

_MOST_MESSAGE = 500
"""Characters of what is wrong with a row, which may quote a value of it."""
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
        if _recent:  # None while Python ends
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


_PARQUET_MAGIC = b"PAR1"
_LARGE_BYTES = 32_768
_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


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
        with open_file(self.path) as stream:
            stream.seek(self.span[0])
            raw = stream.read(self.span[1])
        return _row(self.path, self.line, _parse(self.path, self.line, raw), self.span)

    def fail(self, message: str) -> ProblemFileError:
        """The error that says `message` of this row; to be raised by the caller."""
        return ProblemFileError(self.path, self.line, shorten(message, _MOST_MESSAGE))

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
            raise self.fail(f"key {key!r} must be {wanted}, got {_show(value)}")
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


def read_rows(path: Path | str) -> Iterator[Row]:
    """The rows of a file in order, read as they are asked for.

    Raises:
        ProblemFileError: the file cannot be read, is not JSON, or holds something else than objects.
    """
    path = Path(path)
    with open_file(path) as stream:
        if stream.read(4) == _PARQUET_MAGIC:
            with open_parquet(path, row_bytes()) as rows:
                yield from _rows(path, LineReader(path, rows))
        else:
            stream.seek(0)
            yield from _rows(path, LineReader(path, stream))


def _rows(path: Path, lines: LineReader) -> Iterator[Row]:
    for line in lines:
        if line.number > MAX_ROWS:
            raise ProblemFileError(path, line.number, f"more than {MAX_ROWS} lines; split the file")
        if line.data.startswith(b"["):
            whole = _parse(path, line.number, lines.read_on(line))
            for place, item in enumerate(whole, 1):
                yield _row(path, place, item)
            return
        if line.data == b"{":  # one object over many lines
            yield _row(path, line.number, _parse(path, line.number, lines.read_on(line)))
            return
        yield _row(path, line.number, _parse(path, line.number, line.data), line.span)


def _parse(path: Path, line: int, raw: bytes) -> Any:
    try:
        return parse_json(raw, unique=True)
    except UnicodeDecodeError as error:
        raise ProblemFileError(path, line, "is not UTF-8 text; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        where = line + error.lineno - 1
        raise ProblemFileError(path, where, f"is not JSON: {error.msg} at column {error.colno}") from error
    except ValueError as error:
        raise ProblemFileError(path, line, f"is not JSON that can be read: {error}") from error


def _show(value: Any) -> str:
    """The beginning of `value` as JSON; no more of it is written out, since it may be long."""
    parts: list[str] = []
    for part in json.JSONEncoder().iterencode(value):
        parts.append(part)
        if len(parts) == 60:
            break
    return shorten("".join(parts), 60)


def _row(path: Path, line: int, item: Any, span: tuple[int, int] | None = None) -> Row:
    if not isinstance(item, dict):
        raise ProblemFileError(path, line, f"a JSON object is expected, got {_show(item)}")
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
            refuse_halves(row)
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


def refuse_halves(row: Row) -> None:
    """Refuse a row whose texts cannot be written to a file, or whose id no store keeps whole."""
    for key, value in row.data.items():
        if has_surrogate(key) or has_surrogate(value):
            name = shorten(key, 40).encode("ascii", "backslashreplace").decode()
            raise row.fail(
                f"key {name!r} holds half of a character (a lone surrogate); write the whole one or U+FFFD"
            )
    for key in _ID_KEYS:
        if "\0" in str(row.data.get(key)):
            raise row.fail(f"key {key!r} holds the character NUL; leave it out")


_ID_KEYS = ("id", "question_id", "task_id", "problem_id", "problem", "name")


def _leave_tests(problem: Problem, row: Row, build: Callable[[Row], Problem]) -> Problem:
    hidden = problem.hidden_tests
    if not row.is_large or not hidden or isinstance(hidden, StoredTests):
        return problem
    place = replace(row, data={})  # not the row itself: it holds the tests

    def read() -> tuple[Test, ...]:
        return tuple(build(place.read_again()).hidden_tests)

    return replace(problem, hidden_tests=StoredTests(read, len(hidden)))
