"""CRUXEval and LiveCodeBench's scenarios without a program: their rows, and how answers are read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sstar_code.problems import ProblemFileError, Test, load_set, read_samples, resolve
from sstar_code.problems.formats.jsonl import read_problem, to_json
from sstar_code.problems.formats.rows import Row
from sstar_code.problems.prediction.answers import find_answer, write_program
from sstar_code.problems.problem import Asked
from sstar_code.problems.sets.faults import find_faults
from sstar_code.problems.sets.readers import find_reader

CRUXEVAL = {
    "code": "def f(a, b):\n    return (a, {b: None})",
    "input": "(1, ), 'x'",
    "output": "((1,), {'x': None})",
    "id": "sample_7",
}
EXECUTION = {
    "question_id": 2777,
    "contest_id": "weekly-1",
    "contest_date": "2023-08-06T00:00:00",
    "difficulty": "easy",
    "function_name": "total",
    "code": "def total(xs: List[int]) -> int:\n    return sum(xs)",
    "input": "total(xs = [1, 2])",
    "output": "3",
    "id": "sample_0",
    "problem_id": 2777,
    "numsteps": 12,
}
TEST_OUTPUT = {
    "question_title": "total",
    "question_content": "The sum of the items.",
    "question_id": "2777",
    "contest_id": "weekly-1",
    "contest_date": "2023-08-06T00:00:00",
    "difficulty": "easy",
    "test": '[{"input": "[1, 2]\\n[0]", "output": "[true, null]", "testtype": "functional"}]',
    "starter_code": "class Solution:\n    def total(self, xs, ys):\n        ",
    "function_name": "total",
    "test_id": 3,
}
SETS = [
    ("cruxeval-o", CRUXEVAL, Asked.VALUE),
    ("cruxeval-i", CRUXEVAL, Asked.CALL),
    ("lcb-execution", EXECUTION, Asked.VALUE),
    ("lcb-test-output", TEST_OUTPUT, Asked.VALUE),
]


def read(name, row):
    return find_reader(name)(Row("a.jsonl", 4, row))


@pytest.mark.parametrize(("name", "row", "asks"), SETS)
def test_a_row_is_a_problem_without_a_program(tmp_path, name, row, asks):
    """Statement with the open assert, the true value hidden, no fault, and the same again as JSON."""
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (problem,) = load_set(f"{name}:{path}").problems
    assert problem.asks is asks
    assert "assert " in problem.statement
    assert "??" in problem.statement
    assert list(find_faults([problem])) == []
    assert problem.public_tests == (Test("", None),)
    again = read_problem(Row("a.jsonl", 1, json.loads(json.dumps(to_json(problem)))))
    assert again == problem


def test_the_values_expected():
    """Python's types are kept; a predicted output of LiveCodeBench's tests is JSON."""
    crux, execution, output = (read(name, row) for name, row, _ in (SETS[0], SETS[2], SETS[3]))
    assert crux.hidden_tests[0].output == '{"$tuple": [{"$tuple": [1]}, {"x": null}]}'
    assert execution.hidden_tests[0].output == "3"
    assert execution.metadata["date"] == "2023-08-06"
    assert output.hidden_tests[0].output == "[true, null]"
    assert output.id == "2777/3"
    assert "assert total([1, 2], [0]) == ??" in output.statement


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("cruxeval-o", {"output": "f(1)"}, "key 'output' must be a Python literal, got 'f(1)'"),
        ("cruxeval-o", {"output": "..."}, "key 'output' is an omission"),
        ("cruxeval-o", {"code": "def f("}, "key 'code' is not Python"),
        ("cruxeval-i", {"input": "1)"}, "key 'input' is no list of arguments"),
        ("cruxeval-i", {"input": "an input\n"}, "of arguments: f(an input\\n) is not Python"),
        ("cruxeval-i", {"id": None}, "key 'id' is missing"),
        ("lcb-execution", {"output": "[1"}, "key 'output' must be a Python literal"),
        ("lcb-test-output", {"test": "[]"}, "key 'test' must be a list with one object"),
        ("lcb-test-output", {"test": "{"}, "key 'test' must be JSON text"),
        ("lcb-test-output", {"checker": "exact"}, "key 'checker'"),
    ],
)
def test_a_row_that_is_not_understood_is_named(name, change, message):
    """Path, line and key."""
    row = dict(next(row for known, row, _ in SETS if known == name)) | change
    with pytest.raises(ProblemFileError) as raised:
        read(name, row)
    assert str(raised.value).startswith("a.jsonl:4: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("[ANSWER] old [/ANSWER] no:\n[ANSWER]\nassert f(1) == 2\n[/ANSWER]", "assert f(1) == 2"),
        ("So it is 2.\nassert f(1) == 2\nDone.", "assert f(1) == 2"),
        ("Thus:\n```python\n[1,\n 2]\n```\nok", "[1,\n 2]"),
        ("It is\n\n'ab'\n", "'ab'"),
        ("[ANSWER]\n3", "3"),
        ("", ""),
    ],
)
def test_where_an_answer_stands(response, answer):
    """Tags, else an assert, else a block, else the last line."""
    assert find_answer(response).strip() == answer


def run(program, preamble=""):
    space: dict[str, object] = {}
    exec(preamble + program, space)
    return space["answer"]()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("assert f((1,), 'x') == ((1,), {'x': None})  # so", ((1,), {"x": None})),
        ("f(1, 2) == [3]", [3]),
        ("```python\n'a\\nb'\n```", "a\nb"),
        ("`5`", 5),
        ("'''a\nb'''", "a\nb"),
        ("1 < 2", True),
    ],
)
def test_a_value_becomes_a_program_that_returns_it(answer, value):
    """The right side of a comparison is taken; the text of a value stays what it is."""
    program = write_program(answer, read("cruxeval-o", CRUXEVAL))
    assert program is not None
    assert run(program) == value


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "1)\nimport os\n(",
        "x = 1",
        "assert True",
        "1 == 2 == 3",
        "def answer():\n    import os\n    return 1",
        "def answer():\n    return 1\nanswer = 2",
        "def answer(x=print()): return 1",
        "@print\ndef answer(): return 1",
    ],
)
def test_what_is_no_value_makes_no_program(answer):
    """Nothing but one expression gets into the program."""
    assert write_program(answer, read("cruxeval-o", CRUXEVAL)) is None


@pytest.mark.parametrize(
    ("answer", "is_call"),
    [
        ("assert f((1,), 'x') == ((1,), {'x': None})", True),
        ("f((1,), b='x')", True),
        ("((1,), {'x': None})", False),
        ("g(1)", False),
        ("f", False),
        ("(1,), 'x'", False),
        ("def answer():\n    return (\nf((1,), 'x')\n)\n", True),
        ("def answer():\n    return ((1,), {'x': None})\n", False),
        ("f(tuple(x for x in [1]), 'X'.lower())", True),
        ("f(*[(1,), 'x'])", True),
        ("f(f.__setattr__('__code__', (lambda *a: ((1,), {'x': None})).__code__), 'x')", False),
        ("f(type('T', (tuple,), {})(), 'x')", False),
        ("f(exec('...'), 'x')", False),
        ("f([exec for exec in []] or exec('...'), 'x')", False),
        ("f((x for x in ()).gi_frame.f_builtins['exec']('...'), 'x')", False),
        ("f((f := 1), 'x')", False),
        ("f(__import__('os').name, 'x')", False),
    ],
)
def test_a_call_has_to_be_one_of_the_function(answer, is_call):
    """The value that the statement shows is no answer to the question which call gives it.

    Neither is a call that changes the function, or that brings an object which lies to it.
    """
    problem = read("cruxeval-i", CRUXEVAL)
    program = write_program(answer, problem)
    assert (program is not None) is is_call
    if program is not None:
        assert run(program, problem.preamble) == ((1,), {"x": None})


def test_samples_in_the_forms_of_both_evaluators(tmp_path):
    """LiveCodeBench's lists and CRUXEval's one object; a program of our own runs stays what it is."""
    path = tmp_path / "s.json"
    rows = [
        {"question_id": "2777", "test_id": 3, "pred_list": ["assert total([1]) == 1", None]},
        {"id": "sample_0", "pred_list": ["3"]},
        {"task_id": "sample_0", "solution": "def answer():\n    return 3\n"},
        {"question_id": 2777, "id": "sample_0", "pred_list": ["4"]},
    ]
    path.write_text(json.dumps(rows))
    found = read_samples(path)
    assert [(one.problem_id, bool(one.fault)) for one in found] == [
        ("2777/3", False),
        ("2777/3", True),
        ("sample_0", False),
        ("sample_0", False),
        ("sample_0", False),
    ]
    problem = read("lcb-execution", EXECUTION)
    assert [run(resolve(one, problem)) for one in found[2:]] == [3, 3, 4]
    path.write_text(json.dumps({"sample_0": ["1", "'a'"], "sample_12": ["[]"]}))
    assert [(one.problem_id, one.code) for one in read_samples(path)] == [
        ("sample_0", "1"),
        ("sample_0", "'a'"),
        ("sample_12", "[]"),
    ]
    path.write_text(json.dumps({"sample_0": ["1", 2]}))
    with pytest.raises(ProblemFileError, match=r"s.json:1: sample_0\[1\] must be a string"):
        read_samples(path)


def test_a_prediction_needs_the_entry_point_of_its_program():
    """`asks` is one of three words, and a value is judged as the function that returns it."""
    data = to_json(read("cruxeval-o", CRUXEVAL))
    for change, message in [
        ({"asks": "guess"}, "key 'asks' must be one of program, value, call"),
        ({"entry_point": "f"}, "is judged as a function"),
    ]:
        with pytest.raises(ProblemFileError, match=message):
            read_problem(Row("a.jsonl", 1, data | change))
    assert replace(read("cruxeval-o", CRUXEVAL), asks="call").asks is Asked.CALL
