"""APPS: rows as upstream publishes them, and the form with `sample_io` and `test_list` that MapCoder uses."""

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
