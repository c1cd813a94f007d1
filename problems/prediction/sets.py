"""CRUXEval, and LiveCodeBench's code execution and test output prediction, as they are published."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from sstar_code.problems import values
from sstar_code.problems.bounds import check_json, parse_json
from sstar_code.problems.errors import shorten
from sstar_code.problems.formats.fields import refuse_checker
from sstar_code.problems.formats.livecodebench import read_date
from sstar_code.problems.prediction.answers import ENTRY_POINT
from sstar_code.problems.problem import Asked, Kind, Problem, Test
from sstar_code.problems.python_source import parse_expression, parse_python
from sstar_code.problems.statements.leetcode import PREAMBLE
from sstar_code.problems.statements.literals import read_literal

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_TIME_S = 3.0
"""Upstream's limit for one assert, in both repositories."""


def read_cruxeval_output(row: Row) -> Problem:
    """CRUXEval-O: the value of a call is asked for.

    Raises:
        ProblemFileError: a key is missing, of another type, or no Python.
    """
    code, call, wanted = _read_call(row)
    statement = (
        f"```python\n{code.rstrip()}\n```\n\nWhich value does `{call}` have?\n\n    assert {call} == ??\n"
    )
    facts = {"source": "cruxeval", "reference": f"{code.rstrip()}\n\n\n{_returning(call)}"}
    return _make(row, row.text("id"), statement, wanted, facts=facts)


def read_cruxeval_input(row: Row) -> Problem:
    """CRUXEval-I: a call that has the value shown is asked for; there may be many.

    Raises:
        ProblemFileError: a key is missing, of another type, or no Python.
    """
    code, call, wanted = _read_call(row)
    shown = row.text("output")
    statement = (
        f"```python\n{code.rstrip()}\n```\n\nFor which arguments does `f` return the value `{shown}`?\n\n"
        f"    assert f(??) == {shown}\n"
    )
    facts = {"source": "cruxeval", "reference": _returning(call)}
    return _make(
        row, row.text("id"), statement, wanted, facts=facts, asks=Asked.CALL, preamble=f"{code.rstrip()}\n"
    )


def read_execution(row: Row) -> Problem:
    """LiveCodeBench's code execution: a method's program and a call, of which the value is asked for.

    Raises:
        ProblemFileError: a key is missing, of another type, or no Python.
    """
    code, call, wanted = row.text("code"), row.text("input"), row.text("output")
    if parse_python(code) is None:
        raise row.fail("key 'code' is not Python that can be read")
    statement = (
        f"```python\n{code.rstrip()}\n```\n\nWhich value does `{call}` have?\n\n    assert {call} == ??\n"
    )
    facts = {
        "question": str(row.get("question_id", (str, int), "")),
        "steps": row.get("numsteps", int, None),
        "reference": f"{code.rstrip()}\n\n\n{_returning(call)}",
        **_facts(row),
    }
    value = _literal(row, "output", wanted)
    return _make(row, row.text("id"), statement, value, facts=facts, preamble=PREAMBLE)


def read_output_prediction(row: Row) -> Problem:
    """LiveCodeBench's test output prediction: statement, stub and one input, whose output is asked for.

    Raises:
        ProblemFileError: a key is missing, of another type, or the tests cannot be read.
    """
    test, name = _one_test(row), row.text("function_name")
    arguments = ", ".join(line.strip() for line in test["input"].split("\n") if line.strip())
    statement = (
        f"{row.text('question_content').strip()}\n\n```python\n{row.text('starter_code').rstrip()}\n```\n\n"
        f"Which value has to be returned for this input?\n\n    assert {name}({arguments}) == ??\n"
    )
    try:
        check_json(test["output"])
        value = values.decode(test["output"])
    except ValueError as error:
        raise row.fail(f"key 'test': 'output' must be one JSON value: {error}") from error
    identifier = f"{row.need('question_id', (str, int))}/{row.need('test_id', (str, int))}"
    return _make(row, identifier, statement, value, facts=_facts(row))


def _returning(call: str) -> str:
    return f"def {ENTRY_POINT}():\n    return {call}\n"


def _read_call(row: Row) -> tuple[str, str, Any]:
    """The function, the call of it and the call's value."""
    code, given = row.text("code"), row.text("input")
    if parse_python(code) is None:
        raise row.fail("key 'code' is not Python that can be read")
    call = f"f({given})"
    if parse_expression(call) is None:
        raise row.fail(f"key 'input' is no list of arguments: f({given:.60}) is not Python")
    return code, call, _literal(row, "output", row.text("output"))


def _literal(row: Row, key: str, text: str) -> Any:
    tree = parse_expression(text)
    try:
        return read_literal(tree or ast.Name("no literal"))
    except ValueError as error:
        raise row.fail(f"key {key!r} must be a Python literal, got {shorten(text, 60)!r}") from error


def _one_test(row: Row) -> dict[str, str]:
    text = row.need("test", (str, list))
    try:
        tests = parse_json(text) if isinstance(text, str) else text
    except ValueError as error:
        raise row.fail(f"key 'test' must be JSON text: {error}") from error
    found = tests[0] if isinstance(tests, list) and tests else None
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("input", "output")):
        raise row.fail("key 'test' must be a list with one object of the strings 'input' and 'output'")
    return found


def _facts(row: Row) -> dict[str, Any]:
    day = read_date(row)
    return {
        "source": "livecodebench",
        "difficulty": row.get("difficulty", str, ""),
        "date": day.isoformat() if day else None,
        "contest": str(row.get("contest_id", (str, int), "")),
    }


def _make(
    row: Row,
    identifier: str,
    statement: str,
    value: Any,
    *,
    facts: dict[str, Any],
    asks: Asked = Asked.VALUE,
    preamble: str = "",
) -> Problem:
    refuse_checker(row)
    try:
        expected = values.encode(value)
    except (ValueError, RecursionError) as error:
        raise row.fail(f"key 'output': {error}") from error
    if '{"$repr":' in expected:
        raise row.fail("key 'output' is an omission (...); the whole value is needed")
    return Problem(
        id=identifier,
        statement=statement,
        kind=Kind.FUNCTION,
        entry_point=ENTRY_POINT,
        public_tests=(Test("", None),),  # so that answers which have one value are one group
        hidden_tests=(Test("", expected),),
        time_limit_s=_TIME_S,
        checker="python",
        preamble=preamble,
        metadata=facts,
        asks=asks,
    )
