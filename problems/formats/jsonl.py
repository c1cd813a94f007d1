"""The product's own problem format: one JSON object a line, as the `jsonl` set reads and writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sstar_code.problems import values
from sstar_code.problems.checkers import validate_checker
from sstar_code.problems.errors import suggest
from sstar_code.problems.problem import Kind, Problem, Test

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_KEYS = (
    "id",
    "statement",
    "kind",
    "entry_point",
    "starter_code",
    "public_tests",
    "hidden_tests",
    "time_limit_s",
    "memory_limit_mb",
    "checker",
    "preamble",
    "metadata",
)
_TEST_KEYS = ("input", "output", "program")
_ENTRY_POINT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)?")


def read_problem(row: Row) -> Problem:
    """The problem that a row describes.

    Raises:
        ProblemFileError: a key is unknown, missing or has a value that cannot be used.
    """
    _refuse_unknown(row, row.data, _KEYS)
    kind = _kind(row)
    return Problem(
        id=_identifier(row),
        statement=row.text("statement"),
        kind=kind,
        entry_point=_entry_point(row, kind),
        starter_code=row.get("starter_code", str, ""),
        public_tests=_tests(row, "public_tests", kind),
        hidden_tests=_tests(row, "hidden_tests", kind),
        time_limit_s=float(_positive(row, "time_limit_s", (int, float), 6.0)),
        memory_limit_mb=int(_positive(row, "memory_limit_mb", int, 1024)),
        checker=_checker(row, kind),
        preamble=row.get("preamble", str, ""),
        metadata=row.get("metadata", dict, {}),
    )


def _refuse_unknown(row: Row, data: Mapping[str, Any], known: tuple[str, ...], where: str = "") -> None:
    for key in data:
        if key not in known:
            raise row.fail(f"{where}unknown key {key!r}{suggest(key, known)}; known are {', '.join(known)}")


def _identifier(row: Row) -> str:
    identifier = str(row.need("id", (str, int)))
    if not identifier.strip():
        raise row.fail("key 'id' must not be empty")
    return identifier


def _kind(row: Row) -> Kind:
    text = row.text("kind")
    try:
        return Kind(text)
    except ValueError as error:
        raise row.fail(f'key \'kind\' must be "stdin" or "function", got {text!r}') from error


def _entry_point(row: Row, kind: Kind) -> str | None:
    name: str | None = row.get("entry_point", str)
    if kind is Kind.FUNCTION and name is None:
        raise row.fail("key 'entry_point' is missing; a function problem names its function or Class.method")
    if kind is Kind.STDIN and name is not None:
        raise row.fail("key 'entry_point' must be null where 'kind' is \"stdin\"")
    if name is not None and not _ENTRY_POINT.fullmatch(name):
        raise row.fail(f"key 'entry_point' must be a name or Class.method, got {name!r}")
    return name


def _positive(row: Row, key: str, kind: type | tuple[type, ...], default: float) -> float:
    value: float = row.get(key, kind, default)
    if not 0 < value < float("inf"):
        raise row.fail(f"key {key!r} must be greater than 0, got {value}")
    return value


def _checker(row: Row, kind: Kind) -> str | dict[str, str]:
    checker: str | dict[str, str] = row.get("checker", (str, dict), "exact")
    if isinstance(checker, dict):
        if set(checker) != {"program"} or not isinstance(checker["program"], str):
            raise row.fail("key 'checker' must be a name or {\"program\": source}")
        return checker
    try:
        validate_checker(checker, kind)
    except ValueError as error:
        raise row.fail(f"key 'checker': {error}") from error
    return checker


def _tests(row: Row, key: str, kind: Kind) -> tuple[Test, ...]:
    return tuple(
        _test(row, item, f"{key}[{place}]: ", kind) for place, item in enumerate(row.get(key, list, []))
    )


def _test(row: Row, item: Any, where: str, kind: Kind) -> Test:
    if not isinstance(item, dict):
        raise row.fail(f"{where}an object with 'input' and 'output' is expected")
    _refuse_unknown(row, item, _TEST_KEYS, where)
    for key, value in item.items():
        if not (isinstance(value, str) or (value is None and key == "output")):
            raise row.fail(f"{where}key {key!r} must be a string")
    if "program" in item:
        if len(item) > 1:
            raise row.fail(f"{where}'program' stands alone, without 'input' and 'output'")
        return Test(program=item["program"])
    if "input" not in item:
        raise row.fail(f"{where}key 'input' is missing")
    test = Test(item["input"], item.get("output"))
    if kind is Kind.FUNCTION:
        _check_values(row, test, where)
    return test


def _check_values(row: Row, test: Test, where: str) -> None:
    try:
        values.decode_lines(test.input)
    except ValueError as error:
        raise row.fail(f"{where}'input' must be one JSON value per argument, one a line: {error}") from error
    try:
        values.decode("null" if test.output is None else test.output)
    except ValueError as error:
        raise row.fail(f"{where}'output' must be one JSON value: {error}") from error


def to_json(problem: Problem) -> dict[str, Any]:
    """The object that `read_problem` reads back as an equal problem; only an empty preamble is left out."""
    checker = problem.checker
    data = {
        "id": problem.id,
        "statement": problem.statement,
        "kind": problem.kind.value,
        "entry_point": problem.entry_point,
        "starter_code": problem.starter_code,
        "public_tests": [_test_json(test) for test in problem.public_tests],
        "hidden_tests": [_test_json(test) for test in problem.hidden_tests],
        "time_limit_s": problem.time_limit_s,
        "memory_limit_mb": problem.memory_limit_mb,
        "checker": checker if isinstance(checker, str) else dict(checker),
        "metadata": dict(problem.metadata),
    }
    return data | {"preamble": problem.preamble} if problem.preamble else data


def _test_json(test: Test) -> dict[str, Any]:
    if test.program is not None:
        return {"program": test.program}
    return {"input": test.input, "output": test.output}
