"""LiveCodeBench: rows exactly as the data set `code_generation_lite` publishes them."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from sstar_code.problems import values
from sstar_code.problems.bounds import MIB, check_json, parse_json, unpacked_bytes
from sstar_code.problems.calls import CallForm
from sstar_code.problems.formats.fields import check_count, read_checker
from sstar_code.problems.formats.rows import StoredTests
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.statements import leetcode
from sstar_code.problems.statements.leetcode import PREAMBLE

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_MANY_CHARS = 4096
"""More than any list of no tests is packed to."""
_PIECE = 1 << 16
_CLASS = re.compile(r"class\s+(\w+)")
_METHOD = re.compile(r"\s*def\s+(?!__)(\w+)\s*\(")
_FRAME = rb"(?:\x95.{8})?"
_TEXT = re.compile(rb"(?:\x80.)?" + _FRAME + rb"(?:\x8c(.)|X(.{4})|\x8d(.{8}))", re.DOTALL)
"""The opcodes before a pickled text: protocol, frame, and the number of bytes that follow."""
_END = re.compile(_FRAME + rb"(?:\x94|q.|r.{4})?\.", re.DOTALL)


def _unpack_tests(text: str) -> list[Any]:
    """The list of tests under `private_test_cases`: JSON text, or base64 of zlib of a pickled JSON text.

    The pickle may hold a text and nothing else, so it is read here and not by `pickle`, which takes memory
    for any number that it finds. What is packed may unpack to `bounds.unpacked_bytes` of its size.

    Raises:
        ValueError: `text` is neither, holds something else, or is beyond a bound.
    """
    tests = parse_json(text if text.lstrip()[:1] == "[" else _unpickle(_inflate(text)))
    if not isinstance(tests, list):
        raise ValueError("a list of tests is expected")  # noqa: TRY004 - a fault of the data
    return tests


def _inflate(text: str) -> bytearray:
    unpacked = bytearray()
    try:
        packed = base64.b64decode(text, validate=True)
        most = unpacked_bytes(len(packed))
        inflater = zlib.decompressobj()
        for start in range(0, len(packed), _PIECE):
            unpacked += inflater.decompress(packed[start : start + _PIECE])
            if len(unpacked) > most:
                raise ValueError(f"it unpacks to more than {most // MIB} MB, too much for its size")
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"neither JSON nor base64 of zlib: {error}") from error
    if not inflater.eof:
        raise ValueError("the zlib data ends too early")
    return unpacked


def _unpickle(data: bytearray) -> str:
    head = _TEXT.match(data)
    size = int.from_bytes(head[1] or head[2] or head[3], "little") if head else 0
    start = head.end() if head else 0
    if head is None or _END.fullmatch(data, start + size) is None:
        raise ValueError("refused to unpickle: a pickled text and nothing else is expected")
    try:
        return str(memoryview(data)[start : start + size], "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("refused to unpickle: its text is not UTF-8") from error


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
    public = _tests(row, "public_test_cases", kind)
    entry_point = _entry_point(row, starter, function_name) if kind is Kind.FUNCTION else None
    hidden = _hidden(row, kind)
    first = public[:1] or (hidden[:1] if "__init__" in starter else ())  # reading hidden ones may be slow
    driven = leetcode.find_driven_class(starter, first[0].input) if first else None
    problem = Problem(
        id=str(row.need("question_id", (str, int))),
        statement=row.text("question_content"),
        kind=kind,
        entry_point=driven or entry_point,
        starter_code=starter,
        public_tests=public,
        hidden_tests=hidden,
        time_limit_s=6.0,
        memory_limit_mb=4096,
        int_digits=50_000,  # LiveCodeBench's judge calls sys.set_int_max_str_digits(50000)
        checker=read_checker(row, kind, "livecodebench"),
        preamble=PREAMBLE,
        metadata={
            "source": "livecodebench",
            "title": row.get("question_title", str, ""),
            "platform": row.get("platform", str, ""),
            "difficulty": row.get("difficulty", str, ""),
            "date": day.isoformat() if day else None,
            "contest": str(row.get("contest_id", (str, int), "")),
        },
        call=CallForm(either=kind is Kind.FUNCTION),
    )
    return leetcode.complete(problem)


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
        details = parse_json(value) if isinstance(value, str) else value
    except ValueError as error:
        raise row.fail(f"key 'metadata' must be JSON text: {error}") from error
    return details if isinstance(details, dict) else {}


def _entry_point(row: Row, starter: str, function_name: Any) -> str:
    """LiveCodeBench calls a method of `Solution` where the starter code has that class, else the function."""
    owner, method = _find_method(starter)
    name = str(function_name) if function_name else method
    if not name:
        raise row.fail("key 'metadata' names no 'func_name' and 'starter_code' shows no method")
    return f"{owner}.{name}" if owner else name


def _find_method(starter: str) -> tuple[str, str]:
    """The first class that is followed by a method, and that; empty texts where there is none."""
    owner, stands_in = "", False
    for line in starter.split("\n"):
        if not owner:
            found = _CLASS.match(line)
            owner = found[1] if found and line.rstrip().endswith(":") else ""
        elif (stands_in or line[:1].isspace()) and (found := _METHOD.match(line)):
            return owner, found[1]
        stands_in = bool(owner) and not line.strip()  # a blank line before it is as good as an indent
    return "", ""


def _tests(row: Row, key: str, kind: Kind) -> tuple[Test, ...]:
    value = row.get(key, (str, list), "[]")
    try:
        items = _unpack_tests(value) if isinstance(value, str) else value
    except ValueError as error:
        raise row.fail(f"key {key!r}: {error}") from error
    check_count(row, key, len(items))
    tests = []
    for place, item in enumerate(items):
        if not (isinstance(item, dict) and isinstance(item.get("input"), str)):
            raise row.fail(f"{key}[{place}]: an object with the strings 'input' and 'output' is expected")
        output = item.get("output")
        if not isinstance(output, str):
            got = (
                "key 'output' is missing"
                if output is None
                else f"key 'output' must be a string, got {output!r:.60}"
            )
            raise row.fail(f"{key}[{place}]: {got}")
        tests.append(Test(_end_lines(item["input"]), _end_lines(output)))
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
        check_json(test.input)
        check_json(test.output or "")
        values.decode_lines(test.input)
        values.decode(test.output or "")
    except ValueError as error:
        raise row.fail(f"{where}: {error}") from error
