"""What each set's own judge supplies or admits, and rows that nobody can judge."""

from __future__ import annotations

import json

import pytest

from sstar_code.problems import Kind, ProblemFileError, load_set
from sstar_code.problems.formats.contests import read_apps, read_codecontests
from sstar_code.problems.formats.evalplus import read_humaneval, read_mbpp
from sstar_code.problems.formats.jsonl import read_problem
from sstar_code.problems.formats.livecodebench import read_livecodebench
from sstar_code.problems.formats.rows import Row
from sstar_code.problems.sets.faults import find_faults
from sstar_code.problems.values import decode, decode_lines, encode, load_json, show_integer

PROGRAM = {"program": "exit(0)"}
LCB = {"question_id": "q", "question_content": "c", "public_test_cases": '[{"input": "1", "output": "2"}]'}
APPS = {"problem_id": 3, "question": "q", "input_output": '{"inputs": ["1"], "outputs": ["2"]}'}
SAMPLES = {"id": 3, "description": "q", "test_list": [{"input": "1", "output": "2"}]}
CONTEST = {"name": "n", "description": "q", "public_tests": {"input": ["1"], "output": ["2"]}}
JSONL = {"id": "a", "statement": "s", "kind": "stdin", "hidden_tests": [{"input": "1", "output": "2"}]}
HUMANEVAL = {
    "task_id": "H/0",
    "prompt": "def f():\n",
    "entry_point": "f",
    "test": "",
    "canonical_solution": " 0",
}
MBPP = {"task_id": 1, "text": "t", "code": "def f(): 0", "test_list": ["assert f() is None"]}
READERS = [
    (read_livecodebench, LCB),
    (read_apps, APPS),
    (read_apps, SAMPLES),
    (read_codecontests, CONTEST),
    (read_problem, JSONL),
]


def read(reader, row, **change):
    return reader(Row("rows.jsonl", 4, row | change))


def refused(reader, row, **change):
    with pytest.raises(ProblemFileError) as caught:
        read(reader, row, **change)
    assert str(caught.value).startswith("rows.jsonl:4: ")
    return str(caught.value)


@pytest.mark.parametrize(("reader", "row"), READERS)
def test_a_checker_of_a_row_decides_in_every_set_or_is_refused(reader, row):
    """A program or a name that there is; what is neither is named with its place."""
    assert read(reader, row, checker=PROGRAM).checker == PROGRAM
    assert read(reader, row, checker="floats:1e-3").checker == "floats:1e-3"
    assert "unknown checker 'fuzzy'" in refused(reader, row, checker="fuzzy")
    assert "key 'checker'" in refused(reader, row, checker={"source": "x"})
    if reader is not read_codecontests:  # which has checkers in C++ and says which
        assert 'source in Python is given as {"program"' in refused(reader, row, checker="int main() {}")


@pytest.mark.parametrize(("reader", "row"), [(read_humaneval, HUMANEVAL), (read_mbpp, MBPP)])
def test_where_tests_are_programs_no_checker_is_asked(reader, row):
    """So a row that has one is refused, and not graded without it."""
    assert read(reader, row, checker=None).checker.startswith("python")
    assert "key 'checker'" in refused(reader, row, checker=PROGRAM)


@pytest.mark.parametrize(
    ("reader", "row", "change", "message"),
    [
        (
            read_livecodebench,
            LCB,
            {"private_test_cases": [{"input": "4", "output": 5}]},
            "must be a string, got 5",
        ),
        (
            read_livecodebench,
            LCB,
            {"private_test_cases": [{"input": "4"}]},
            "private_test_cases[0]: key 'output' is",
        ),
        (
            read_livecodebench,
            LCB,
            {"public_test_cases": [{"input": "4", "output": None}]},
            "'output' is missing",
        ),
        (read_problem, JSONL, {"hidden_tests": [{"input": "4"}]}, "hidden_tests[0]: key 'output' is missing"),
        (
            read_apps,
            SAMPLES,
            {"sample_io": [{"input": "1", "output": None}]},
            "sample_io[0]: key 'output' is null",
        ),
        (read_apps, APPS, {"input_output": {"inputs": ["1"], "outputs": [None]}}, "'outputs'[0] is null"),
    ],
)
def test_a_test_that_expects_nothing_is_refused(reader, row, change, message):
    """Every program would pass it."""
    assert message in refused(reader, row, **change)


@pytest.mark.parametrize(
    ("reader", "row", "change", "message"),
    [
        (read_problem, JSONL, {"time_limit_s": 1e9}, "'time_limit_s' must be at most 86400 s, got 1e+09"),
        (read_problem, JSONL, {"time_limit_s": 0}, "'time_limit_s' must be greater than 0"),
        (read_problem, JSONL, {"time_limit_s": float("nan")}, "'time_limit_s' must be greater than 0"),
        (read_problem, JSONL, {"memory_limit_mb": 10**12}, "'memory_limit_mb' must be at most 1048576 MB"),
        (
            read_codecontests,
            CONTEST,
            {"time_limit": {"seconds": 1e9}},
            "'time_limit' must be at most 86400 s",
        ),
        (read_codecontests, CONTEST, {"time_limit": {"seconds": "x"}}, "'time_limit' must hold numbers"),
        (read_codecontests, CONTEST, {"memory_limit_bytes": 10**18}, "'memory_limit_bytes' must be at most"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(reader, row, change, message):
    """Seconds in place of milliseconds, bytes in place of megabytes."""
    assert message in refused(reader, row, **change)


def test_apps_takes_either_form_and_supplies_names():
    """As its grader: a class or a function, and common modules imported."""
    cases = {"fn_name": "f", "inputs": [[1]], "outputs": [[2]]}
    problem = read(read_apps, APPS, input_output=cases, starter_code="def f(a: Optional[int]):\n")
    assert problem.call.either
    assert "from typing import List, Tuple\n" in problem.preamble
    assert "from typing import *\n" in problem.preamble  # the starter code uses Optional
    assert "from typing import *\n" not in read(read_apps, APPS).preamble


@pytest.mark.parametrize(
    ("given", "restored"),
    [
        ({"1": "a", "-2": {"3": 4}}, {1: "a", -2: {"3": 4}}),
        ({"1": 0, "a": 0}, {"1": 0, "a": 0}),
        ([{"1": 0}], [{"1": 0}]),
        ({}, {}),
    ],
)
def test_apps_keys_of_digits_become_numbers(given, restored):
    """At the top of an argument or a result, as its grader has it."""
    cases = {"fn_name": "f", "inputs": [[given, 1]], "outputs": [[given]]}
    (test,) = read(read_apps, APPS, input_output=json.dumps(cases)).hidden_tests
    assert decode_lines(test.input) == [restored, 1]
    assert decode(test.output) == restored


@pytest.mark.parametrize("digits", [4301, 9131, 60_000])
def test_apps_reads_integers_of_any_length(digits):
    """As text of JSON, wherever they stand."""
    number = load_json("7" * digits)
    assert show_integer(number) == "7" * digits
    assert show_integer(-(10**digits)) == "-1" + "0" * digits
    calls = '{"fn_name": "f", "inputs": [[1]], "outputs": [[%s]]}' % ("7" * digits)
    assert decode(read(read_apps, APPS, input_output=calls).hidden_tests[0].output) == number
    runs = '{"inputs": ["1"], "outputs": [[[%s, "a"]]]}' % ("7" * digits)
    assert read(read_apps, APPS, input_output=runs).hidden_tests[0].output == f"[{'7' * digits}, 'a']"


def test_a_class_of_the_starter_code_is_driven(tmp_path):
    """In every form whose tests are lists of calls."""
    starter = "class Box:\n    def __init__(self):\n        \n    def add(self, n: int) -> None:\n        "
    names, arguments, results = ["Box", "add"], [[], [1]], [None, None]
    text = f"{json.dumps(names)}\n{json.dumps(arguments)}"
    test = {"input": text, "output": json.dumps(results)}
    details = {"func_name": "add"}
    apps = {"fn_name": "Box", "inputs": [[names, arguments]], "outputs": [[results]]}
    rows = [
        read(read_livecodebench, LCB, starter_code=starter, public_test_cases=[test], metadata=details),
        read(
            read_livecodebench,
            LCB | {"public_test_cases": "[]"},
            starter_code=starter,
            private_test_cases=[test],
        ),
        read(read_apps, APPS, starter_code=starter, input_output=apps),
        read(
            read_problem, JSONL, kind="function", entry_point="Box", starter_code=starter, hidden_tests=[test]
        ),
    ]
    for problem in rows:
        assert (problem.kind, problem.entry_point, problem.call.driven) == (Kind.FUNCTION, "Box", True)
        assert [(item.input, item.output) for item in [*problem.public_tests, *problem.hidden_tests]] == [
            (text, json.dumps(results))
        ]


def test_a_rows_own_call_form_is_taken():
    """`call` of a jsonl row says what no starter code shows."""
    row = {"kind": "function", "entry_point": "f", "hidden_tests": []}
    assert read(read_problem, JSONL | row, call={"in_place": 1}).call.in_place == 1
    assert "key 'call': unknown key 'place'" in refused(read_problem, JSONL | row, call={"place": 1})
    assert "is for function problems" in refused(read_problem, JSONL, call={"in_place": 1})


def test_more_output_than_can_be_made_is_a_fault(tmp_path):
    """A test that expects more than a program may write cannot be passed."""
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(JSONL | {"hidden_tests": [{"input": "", "output": "é" * (9 << 20)}]}))
    (fault,) = find_faults(load_set(f"jsonl:{path}").problems)
    assert fault.what == "hidden test 0: expects more output than a program may write (18 MB of 16 MB)"


@pytest.mark.parametrize(
    "text", ['{"$fraction": [1, 0]}', '{"$fraction": [1]}', '{"$decimal": "sNaN"}', '{"$decimal": 1}']
)
def test_a_number_that_is_none_is_refused(text):
    """What a candidate packs is untrusted."""
    with pytest.raises(ValueError, match=r"number|fraction|encoded value|is expected"):
        decode(text)


def test_a_number_too_long_to_compare_is_opaque():
    """It is known by its text alone."""
    from decimal import Decimal
    from fractions import Fraction

    assert "$repr" in encode(Decimal("1" * 5000))
    assert decode(encode([Fraction(1, 3), Decimal("1.50")])) == [Fraction(1, 3), Decimal("1.5")]
