"""LiveCodeBench: rows exactly as the data set `code_generation_lite` publishes them."""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, NoReturn

from sstar_code.problems import values
from sstar_code.problems.formats.rows import StoredTests
from sstar_code.problems.problem import Kind, Problem, Test

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

MAX_UNPACKED_BYTES = 1 << 30
"""The most that the private tests of one row may take: a bound against hostile zlib data."""

_MANY_CHARS = 4096
"""More than any list of no tests is packed to."""

_MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random"),
    *("statistics", "itertools", "functools", "operator", "io", "sys", "json"),
)
PREAMBLE = "".join(
    [f"from {name} import *\n" for name in (*_MODULES, "builtins", "typing")]
    + [f"import {name}\n" for name in _MODULES]
    + ["sys.setrecursionlimit(50000)\n"]
)
"""The names LiveCodeBench's grader offers every program; later modules win, so the order is part of it."""

_METHOD = re.compile(r"^class\s+(\w+)[^\n]*:\s*\n(?:.*\n)*?\s+def\s+(?!__)(\w+)\s*\(", re.MULTILINE)


class _StringUnpickler(pickle.Unpickler):
    """Unpickles plain data only: whatever names a class or a function is refused."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> NoReturn:
        raise pickle.UnpicklingError(f"it names the object {pid!r}")


def _unpack_tests(text: str) -> list[Any]:
    """The list of tests under `private_test_cases`: JSON text, or base64 of zlib of a pickled JSON text.

    The pickle may hold a string and nothing else, and may unpack to `MAX_UNPACKED_BYTES` at most.

    Raises:
        ValueError: `text` is neither, or holds something else.
    """
    if not text.lstrip().startswith("["):
        text = _unpickle(_inflate(text))
    tests = json.loads(text)
    if not isinstance(tests, list):
        raise ValueError("a list of tests is expected")  # noqa: TRY004 - a fault of the data
    return tests


def _inflate(text: str) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
        inflater = zlib.decompressobj()
        unpacked = inflater.decompress(packed, MAX_UNPACKED_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"neither JSON nor base64 of zlib: {error}") from error
    if inflater.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    if not inflater.eof:
        raise ValueError("the zlib data ends too early")
    return unpacked


def _unpickle(data: bytes) -> str:
    try:
        value = _StringUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # a hostile pickle can make it raise anything
        raise ValueError(f"refused to unpickle: {error}") from error
    if not isinstance(value, str):
        raise ValueError(f"a pickled string is expected, got {type(value).__name__}")  # noqa: TRY004
    return value


def read_date(row: Row) -> date | None:
    """The day of the contest, or None where the row gives none.

    Raises:
        ProblemFileError: it is not an ISO date.
    """
    text = row.get("contest_date", str, "")
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError as error:
        raise row.fail(f"key 'contest_date' must start with a date like 2024-08-03, got {text!r}") from error


def read_livecodebench(row: Row) -> Problem:
    """The problem of a row: public are its public test cases, hidden its private ones.

    Raises:
        ProblemFileError: a key is missing, of another type, or cannot be unpacked.
    """
    starter = row.get("starter_code", str, "")
    details = _metadata(row)
    function_name = details.get("func_name")
    kind = Kind.FUNCTION if function_name or starter.strip() else Kind.STDIN
    day = read_date(row)
    return Problem(
        id=str(row.need("question_id", (str, int))),
        statement=row.text("question_content"),
        kind=kind,
        entry_point=_entry_point(row, starter, function_name) if kind is Kind.FUNCTION else None,
        starter_code=starter,
        public_tests=_tests(row, "public_test_cases", kind),
        hidden_tests=_hidden(row, kind),
        time_limit_s=6.0,
        memory_limit_mb=4096,
        checker="livecodebench",
        preamble=PREAMBLE,
        metadata={
            "source": "livecodebench",
            "title": row.get("question_title", str, ""),
            "platform": row.get("platform", str, ""),
            "difficulty": row.get("difficulty", str, ""),
            "date": day.isoformat() if day else None,
            "contest": str(row.get("contest_id", (str, int), "")),
        },
    )


def _hidden(row: Row, kind: Kind) -> Sequence[Test]:
    """Packed tests of a large row are unpacked when they are needed: those of all rows fill gigabytes."""
    packed = row.get("private_test_cases", (str, list), "[]")
    if not row.is_large or not isinstance(packed, str) or len(packed) < _MANY_CHARS:
        return _tests(row, "private_test_cases", kind)
    place = replace(row, data={})
    return StoredTests(lambda: _tests(place.read_again(), "private_test_cases", kind))


def _metadata(row: Row) -> dict[str, Any]:
    value = row.get("metadata", (str, dict), "{}")
    try:
        details = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise row.fail(f"key 'metadata' must be JSON text: {error}") from error
    return details if isinstance(details, dict) else {}


def _entry_point(row: Row, starter: str, function_name: Any) -> str:
    """LiveCodeBench calls a method of `Solution` where the starter code has that class, else the function."""
    match = _METHOD.search(starter)
    name = str(function_name) if function_name else match[2] if match else ""
    if not name:
        raise row.fail("key 'metadata' names no 'func_name' and 'starter_code' shows no method")
    return f"{match[1]}.{name}" if match else name


def _tests(row: Row, key: str, kind: Kind) -> tuple[Test, ...]:
    value = row.get(key, (str, list), "[]")
    try:
        items = _unpack_tests(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise row.fail(f"key {key!r}: {error}") from error
    tests = []
    for place, item in enumerate(items):
        if not (isinstance(item, dict) and isinstance(item.get("input"), str)):
            raise row.fail(f"{key}[{place}]: an object with the strings 'input' and 'output' is expected")
        output = item.get("output")
        tests.append(
            Test(_end_lines(item["input"]), _end_lines(output) if isinstance(output, str) else output)
        )
        if kind is Kind.FUNCTION:
            _check(row, tests[-1], f"{key}[{place}]")
    return tuple(tests)


def _end_lines(text: str) -> str:
    """`text` with LF where CR LF was.

    LiveCodeBench's tests have LF alone, also where the statement that shows them has CR LF. A file whose
    tests were taken from statements has the CR too, which `input()` would leave at the end of a word.
    """
    return text.replace("\r\n", "\n")


def _check(row: Row, test: Test, where: str) -> None:
    try:
        values.decode_lines(test.input)
        values.decode(test.output or "null")
    except ValueError as error:
        raise row.fail(f"{where}: {error}") from error
