"""APPS and CodeContests: contest problems published with their tests as inputs and outputs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.values import encode, encode_lines

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_MOST_REFERENCES = 3
"""Some problems have hundreds."""

_FUNCTION = re.compile(r"def\s+(\w+)\s*\(")


def read_apps(row: Row) -> Problem:
    """The problem of a row of either form, told apart by its keys.

    Upstream (`question`, `input_output`): no test is published as public, and hidden are all of them. With
    `sample_io`: public are the samples, hidden are the tests of `test_list` that are no sample.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    return _from_samples(row) if "test_list" in row.data else _from_upstream(row)


def split_samples(row: Row) -> tuple[tuple[Test, ...], tuple[Test, ...]]:
    """Public and hidden tests of a row with `sample_io` and `test_list`.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    public = _listed(row, "sample_io")
    hidden = [test for test in _listed(row, "test_list") if test not in public]
    return tuple(public), tuple(dict.fromkeys(hidden))


def _listed(row: Row, key: str) -> list[Test]:
    tests = []
    for place, item in enumerate(row.get(key, list, [])):
        if not (isinstance(item, dict) and isinstance(item.get("input"), str) and "output" in item):
            raise row.fail(f"{key}[{place}]: an object with 'input' and 'output' is expected")
        outputs = item["output"] if isinstance(item["output"], list) else [item["output"]]
        tests.append(Test(item["input"], "\n".join(map(_printed, outputs))))
    return tests


def _printed(value: Any) -> str:
    """The text that `print` writes for a value that JSON carried."""
    return value if isinstance(value, str) else str(value)


def _from_samples(row: Row) -> Problem:
    """Programs read standard input, also where the starter code shows a function."""
    public, hidden = split_samples(row)
    statement, function = row.text("description"), _FUNCTION.search(row.get("starter_code", str, ""))
    if function:
        statement += (
            f"\n\nWrite a program that reads the arguments of `{function[1]}` from standard input, "
            "one a line, and prints the returned value."
        )
    return Problem(
        id=str(row.need("id", (str, int))),
        statement=statement,
        kind=Kind.STDIN,
        public_tests=public,
        hidden_tests=hidden,
        time_limit_s=5.0,
        memory_limit_mb=1024,
        checker="floats:1e-6",
        metadata={"source": "apps", "difficulty": row.get("difficulty", str, "")},
    )


def _from_upstream(row: Row) -> Problem:
    cases = _json(row, "input_output", {})
    if not isinstance(cases, dict):
        raise row.fail("key 'input_output' must be JSON text of an object with 'inputs' and 'outputs'")
    name = cases.get("fn_name")
    starter = row.get("starter_code", str, "")
    inputs, outputs = cases.get("inputs", []), cases.get("outputs", [])
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs)):
        raise row.fail("key 'input_output': 'inputs' and 'outputs' must be lists of one length")
    entry_point = (f"Solution.{name}" if "class Solution" in starter else str(name)) if name else None
    make = _calls if name else _runs
    return Problem(
        id=str(row.data.get("problem_id", row.data.get("id", row.line))),
        statement=row.text("question"),
        kind=Kind.FUNCTION if name else Kind.STDIN,
        entry_point=entry_point,
        starter_code=starter,
        hidden_tests=make(inputs, outputs),
        time_limit_s=4.0,
        memory_limit_mb=1024,
        checker="apps",
        metadata={
            "source": "apps",
            "difficulty": row.get("difficulty", str, ""),
            "url": row.get("url", str, ""),
            "references": _json(row, "solutions", [])[:_MOST_REFERENCES],
        },
    )


def _runs(inputs: list[Any], outputs: list[Any]) -> tuple[Test, ...]:
    return tuple(Test(_text(given), _text(wanted)) for given, wanted in zip(inputs, outputs, strict=True))


def _text(value: Any) -> str:
    return "\n".join(map(_printed, value)) if isinstance(value, list) else _printed(value)


def _calls(inputs: list[Any], outputs: list[Any]) -> tuple[Test, ...]:
    """Upstream mostly, not always, wraps a returned value in a list of one: the checker allows for both."""
    wrapped = all(isinstance(output, list) and len(output) == 1 for output in outputs)
    return tuple(
        Test(
            encode_lines(given if isinstance(given, list) else [given]),
            encode(wanted[0] if wrapped else wanted),
        )
        for given, wanted in zip(inputs, outputs, strict=True)
    )


def _json(row: Row, key: str, default: Any) -> Any:
    value = row.data.get(key)
    if not value:
        return default
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise row.fail(f"key {key!r} must be JSON text: {error}") from error


_DEFAULT_LIMIT_S = 5.0
_LEAST_MEMORY_MB = 256
_DEFAULT_MEMORY_MB = 1024
_PLATFORMS = ("", "codechef", "codeforces", "hackerearth", "codejam", "atcoder", "aizu")
"""Upstream's numbers for `source`."""
_PYTHON3 = 3
"""Upstream's number for the language of a solution."""


def read_codecontests(row: Row) -> Problem:
    """The problem of a row of either form, told apart by its keys; programs read standard input.

    Upstream: public are `public_tests`, hidden are `private_tests` and `generated_tests`. With `sample_io`:
    public are the samples, hidden are the tests of `test_list` that are no sample.

    Raises:
        ProblemFileError: a key is missing or of another type.
    """
    if "test_list" in row.data:
        public, hidden = split_samples(row)
    else:
        public = _columns(row, "public_tests")
        hidden = _columns(row, "private_tests") + _columns(row, "generated_tests")
    return Problem(
        id=_identifier(row),
        statement=row.text("description"),
        kind=Kind.STDIN,
        public_tests=public,
        hidden_tests=tuple(dict.fromkeys(hidden)),
        time_limit_s=_time_limit(row),
        memory_limit_mb=_memory_limit(row),
        checker=_checker(row),
        metadata={
            "source": "codecontests",
            "title": row.get("name", str, ""),
            "tags": _tags(row),
            **_facts(row),
        },
    )


def _checker(row: Row) -> str | dict[str, str]:
    """The row's own checker program where it has one that can be run."""
    checker = row.get("checker", (str, dict))
    if isinstance(checker, dict) and isinstance(checker.get("program"), str):
        return {"program": checker["program"]}
    return "codecontests"


def _facts(row: Row) -> dict[str, Any]:
    """Upstream's facts about a problem: where it is from, its rating, and programs that are right."""
    facts: dict[str, Any] = {}
    source, rating = row.get("source", int, 0), row.get("cf_rating", int, 0)
    if 0 < source < len(_PLATFORMS):
        facts["platform"] = _PLATFORMS[source]
    if rating:
        facts["rating"] = rating
    solutions = row.get("solutions", dict, {})
    programs = zip(solutions.get("language", ()), solutions.get("solution", ()), strict=False)
    right = [code for language, code in programs if language == _PYTHON3][:_MOST_REFERENCES]
    if right:
        facts["references"] = right
    if isinstance(row.data.get("checker"), str):
        facts["special_judge"] = "C++" if "#include" in row.data["checker"] else "own"
    return facts


def _identifier(row: Row) -> str:
    """Not `id`: that is the contest's."""
    for key in ("problem", "name"):
        value: str | None = row.get(key, str)
        if value:
            return value
    raise row.fail("key 'name' is missing")


def _columns(row: Row, key: str) -> tuple[Test, ...]:
    columns = row.get(key, dict, {})
    inputs, outputs = columns.get("input", []), columns.get("output", [])
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs)):
        raise row.fail(f"key {key!r} must hold the lists 'input' and 'output' of one length")
    if not all(isinstance(text, str) for text in (*inputs, *outputs)):
        raise row.fail(f"key {key!r}: inputs and outputs must be strings")
    return tuple(map(Test, inputs, outputs))


def _time_limit(row: Row) -> float:
    limit = row.get("time_limit", dict, {})
    seconds = float(limit.get("seconds") or 0) + float(limit.get("nanos") or 0) / 1e9
    return seconds or _DEFAULT_LIMIT_S


def _memory_limit(row: Row) -> int:
    """A program under Python needs more than the limits written for C++ leave, so small ones are raised."""
    limit: Any = row.get("memory_limit_bytes", int, 0)
    return max(int(limit) // (1 << 20), _LEAST_MEMORY_MB) if limit else _DEFAULT_MEMORY_MB


def _tags(row: Row) -> list[str]:
    return list(row.get("tags", list, row.get("cf_tags", list, [])))
