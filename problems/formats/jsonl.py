"""The product's own problem format: one JSON object a line, as the `jsonl` set reads and writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.problems import calls, values
from sstar_code.problems.bounds import check_json
from sstar_code.problems.calls import CallForm
from sstar_code.problems.errors import shorten, show, suggest
from sstar_code.problems.formats.fields import check_count, check_memory, check_time, read_checker, read_judge
from sstar_code.problems.formats.frames import FRAME_KEYS
from sstar_code.problems.prediction.answers import ENTRY_POINT
from sstar_code.problems.problem import Asked, Kind, Problem, Test
from sstar_code.problems.statements import leetcode

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
    "int_digits",
    "checker",
    "preamble",
    "metadata",
    "several_answers",
    "call",
    "asks",
    "interactor",
    "validator",
    "generator",
    "frame",
    "full_score",
)
_TEST_KEYS = ("input", "output", "program")
_MOST_SCORE = 1e9
_ENTRY_POINT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)?")


def read_problem(row: Row) -> Problem:
    """The problem that a row describes.

    Raises:
        ProblemFileError: a key is unknown, missing or has a value that cannot be used.
    """
    _refuse_unknown(row, row.data, _KEYS)
    kind = _kind(row)
    entry_point = _entry_point(row, kind)
    problem = Problem(
        id=_identifier(row),
        statement=row.text("statement"),
        kind=kind,
        entry_point=entry_point,
        starter_code=row.get("starter_code", str, ""),
        public_tests=_tests(row, "public_tests", kind),
        hidden_tests=_tests(row, "hidden_tests", kind),
        time_limit_s=check_time(row, "time_limit_s", row.get("time_limit_s", (int, float), 6.0)),
        memory_limit_mb=check_memory(row, "memory_limit_mb", row.get("memory_limit_mb", int, 1024)),
        int_digits=_int_digits(row),
        checker=read_checker(row, kind, "exact"),
        preamble=row.get("preamble", str, ""),
        metadata=_metadata(row),
        several_answers=row.get("several_answers", bool, False),
        call=_call(row, entry_point),
        asks=_asks(row, kind),
        interactor=_interactor(row, kind),
        validator=read_judge(row, "validator"),
        generator=read_judge(row, "generator", "commands"),
        frame=_frame(row, kind),
        full_score=_full_score(row),
    )
    return leetcode.supply_names(problem) if row.data.get("call") is not None else leetcode.complete(problem)


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


def _int_digits(row: Row) -> int | None:
    """Python takes no limit below 640 digits; 0 lifts it."""
    digits: int | None = row.get("int_digits", int, None)
    if digits is not None and digits != 0 and not 640 <= digits < 1 << 31:
        raise row.fail(f"key 'int_digits' must be 0 (no limit) or at least 640, got {show(digits, 30)}")
    return digits


def _metadata(row: Row) -> dict[str, Any]:
    metadata: dict[str, Any] = row.get("metadata", dict, {})
    try:
        json.dumps(metadata, allow_nan=False)
    except ValueError as error:
        raise row.fail(
            "key 'metadata' holds NaN or Infinity, which JSON does not have; give a text"
        ) from error
    return metadata


def _call(row: Row, entry_point: str | None) -> CallForm:
    data = row.get("call", dict, {})
    if data and entry_point is None:
        raise row.fail("key 'call' is for function problems")
    try:
        return calls.from_json(data)
    except ValueError as error:
        raise row.fail(f"key 'call': {error}") from error


def _asks(row: Row, kind: Kind) -> Asked:
    text = row.get("asks", str, Asked.PROGRAM.value)
    if text not in list(Asked):
        raise row.fail(f"key 'asks' must be one of {', '.join(Asked)}, got {shorten(repr(text), 60)}")
    if text != Asked.PROGRAM and (kind is not Kind.FUNCTION or row.data.get("entry_point") != ENTRY_POINT):
        raise row.fail(f'key \'asks\': a {text} is judged as a function; give "entry_point": "{ENTRY_POINT}"')
    return Asked(text)


def _interactor(row: Row, kind: Kind) -> dict[str, str] | None:
    judge = read_judge(row, "interactor")
    if judge is not None and kind is not Kind.STDIN:
        raise row.fail("key 'interactor' is for stdin problems: a function has nothing to talk to")
    return judge


def _frame(row: Row, kind: Kind) -> dict[str, str] | None:
    frame: dict[str, str] | None = row.get("frame", dict, None)
    if frame is None:
        return None
    texts = all(isinstance(text, str) for text in frame.values())
    if set(frame) != set(FRAME_KEYS) or not texts or kind is not Kind.STDIN:
        raise row.fail(f"key 'frame' must have the texts {', '.join(FRAME_KEYS)}, and 'kind' be \"stdin\"")
    return frame


def _full_score(row: Row) -> float | None:
    score: float | None = row.get("full_score", (int, float), None)
    if score is not None and not 0 < score <= _MOST_SCORE:
        raise row.fail(f"key 'full_score' must be a number above 0, the score of a right answer, got {score}")
    return score


def _tests(row: Row, key: str, kind: Kind) -> tuple[Test, ...]:
    items = row.get(key, list, [])
    check_count(row, key, len(items))
    tests = tuple(_test(row, item, f"{key}[{place}]: ", kind) for place, item in enumerate(items))
    for place, test in enumerate(tests if key == "hidden_tests" else ()):
        if test.program is None and test.output is None:
            raise row.fail(f"{key}[{place}]: key 'output' is missing: every program would pass this test")
    return tests


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
        check_json(test.input)
        values.decode_lines(test.input)
    except ValueError as error:
        raise row.fail(f"{where}'input' must be one JSON value per argument, one a line: {error}") from error
    try:
        check_json(test.output or "")
        values.decode("null" if test.output is None else test.output)
    except ValueError as error:
        raise row.fail(f"{where}'output' must be one JSON value: {error}") from error


def to_json(problem: Problem) -> dict[str, Any]:
    """The object that `read_problem` reads back as an equal problem.

    Left out are an empty preamble, a false `several_answers`, Python's own limit of digits, and the call
    where the starter code shows it.
    """
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
        "checker": checker if isinstance(checker, str) else _judge_json(checker),
        "metadata": dict(problem.metadata),
    }
    if problem.preamble:
        data["preamble"] = problem.preamble
    if problem.several_answers:
        data["several_answers"] = True
    if problem.call != leetcode.read_form(replace(problem, call=CallForm())):
        data["call"] = calls.to_json(problem.call)
    if problem.asks is not Asked.PROGRAM:
        data["asks"] = problem.asks.value
    if problem.int_digits is not None:
        data["int_digits"] = problem.int_digits
    for role in ("interactor", "validator", "generator"):
        if (judge := getattr(problem, role)) is not None:
            data[role] = _judge_json(judge)
    if problem.frame is not None:
        data["frame"] = dict(problem.frame)
    if problem.full_score is not None:
        data["full_score"] = problem.full_score
    return data


def _judge_json(judge: Mapping[str, str]) -> dict[str, str]:
    """Without testlib's header, which is the user's own."""
    return {name: text for name, text in judge.items() if name != "testlib"}


def _test_json(test: Test) -> dict[str, Any]:
    if test.program is not None:
        return {"program": test.program}
    return {"input": test.input, "output": test.output}
