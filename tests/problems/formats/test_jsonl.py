"""The product's own problem format."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, ProblemFileError, Test
from sstar_code.problems.bounds import hash_file
from sstar_code.problems.formats.jsonl import read_problem, to_json
from sstar_code.problems.formats.rows import Row, build_problems, read_rows
from sstar_code.problems.statements.leetcode import supply_names
from sstar_code.problems.values import encode, encode_lines

FUNCTION = {"id": "p", "statement": "s", "kind": "function", "entry_point": "f"}
STDIN = {"id": "q", "statement": "s", "kind": "stdin"}
PLAIN_TESTS = st.builds(Test, st.text(), st.none() | st.text())
CALL_TESTS = st.builds(
    Test,
    st.lists(st.integers() | st.text(), max_size=3).map(encode_lines),
    st.none() | st.integers().map(encode),
)
COMMON = {
    "id": st.text(min_size=1).filter(str.strip),
    "statement": st.text(),
    "starter_code": st.text(),
    "time_limit_s": st.floats(0.1, 1e3),
    "memory_limit_mb": st.integers(1, 10_000),
    "int_digits": st.none() | st.just(0) | st.integers(640, 1 << 30),
    "preamble": st.text(),
    "metadata": st.dictionaries(st.text(), st.integers() | st.text(), max_size=3),
    "several_answers": st.booleans(),
}


def judging(test):
    return test.program is not None or test.output is not None


def list_of_tests(strategy):
    return st.lists(strategy | st.builds(lambda text: Test(program=text), st.text()), max_size=3).map(tuple)


PROBLEMS = st.builds(
    Problem,
    kind=st.just(Kind.STDIN),
    public_tests=list_of_tests(PLAIN_TESTS),
    hidden_tests=list_of_tests(PLAIN_TESTS.filter(judging)),
    checker=st.sampled_from(["exact", "lines", "floats:1e-6", {"program": "pass"}]),
    **COMMON,
) | st.builds(
    Problem,
    kind=st.just(Kind.FUNCTION),
    entry_point=st.sampled_from(["f", "Solution.twoSum"]),
    public_tests=list_of_tests(CALL_TESTS),
    hidden_tests=list_of_tests(CALL_TESTS.filter(judging)),
    checker=st.sampled_from(["python:1e-6", "unordered"]),
    **COMMON,
)


def row(tmp_path, data, line=3):
    return Row(tmp_path / "p.jsonl", line, data)


def write(path, *objects):
    path.write_text("".join(json.dumps(item) + "\n" for item in objects))
    return path


@given(PROBLEMS)
def test_a_problem_written_is_read_back_equal(problem):
    """Writing a problem as JSON and reading it again adds at most the names that its starter code uses."""
    data = json.loads(json.dumps(to_json(problem)))
    assert read_problem(Row("p.jsonl", 1, data)) == supply_names(problem)
    assert supply_names(supply_names(problem)) == supply_names(problem)


def test_what_is_left_out_takes_the_defaults(tmp_path):
    """Only id, statement, kind and, for functions, the entry point are needed."""
    problem = read_problem(row(tmp_path, FUNCTION))
    assert (problem.checker, problem.time_limit_s, problem.memory_limit_mb) == ("exact", 6.0, 1024)
    assert read_problem(row(tmp_path, STDIN)).entry_point is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statment": "x"}, "unknown key 'statment' (did you mean 'statement'?); known are id, "),
        ({"zzz": 1}, "known are id, "),
        ({"id": None}, "'id' is missing"),
        ({"id": " "}, "'id' must not be empty"),
        ({"statement": 3}, "'statement' must be a string, got 3"),
        ({"kind": "io"}, '"stdin" or "function"'),
        ({"entry_point": None}, "'entry_point' is missing"),
        ({"entry_point": "f()"}, "name or Class.method"),
        ({"kind": "stdin"}, "must be null"),
        ({"checker": "fuzzy"}, "unknown checker 'fuzzy'; there are exact, "),
        ({"checker": {"code": "x"}}, "'checker' must be a name or"),
        ({"time_limit_s": 0}, "'time_limit_s' must be greater than 0"),
        ({"time_limit_s": True}, "'time_limit_s' must be a whole number or a number"),
        ({"memory_limit_mb": 1.5}, "'memory_limit_mb' must be a whole number"),
        ({"several_answers": 1}, "'several_answers' must be true or false, got 1"),
        ({"int_digits": 639}, "'int_digits' must be 0 (no limit) or at least 640, got 639"),
        ({"int_digits": -1}, "'int_digits' must be 0 (no limit) or at least 640, got -1"),
        ({"public_tests": {}}, "'public_tests' must be a list"),
        ({"public_tests": [1]}, "public_tests[0]: an object"),
        (
            {"hidden_tests": [{"inptu": "1"}]},
            "hidden_tests[0]: unknown key 'inptu' (did you mean 'input'?); known are input",
        ),
        ({"hidden_tests": [{"output": "1"}]}, "key 'input' is missing"),
        ({"hidden_tests": [{"input": 1}]}, "'input' must be a string"),
        ({"hidden_tests": [{"input": "1", "program": "x"}]}, "'program' stands alone"),
        ({"hidden_tests": [{"input": "{"}]}, "one JSON value per argument"),
        ({"hidden_tests": [{"input": "1", "output": "x"}]}, "'output' must be one JSON value"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, change, message):
    """Every fault names file, line and key."""
    with pytest.raises(ProblemFileError) as caught:
        read_problem(row(tmp_path, FUNCTION | change))
    assert str(caught.value).startswith(f"{tmp_path / 'p.jsonl'}:3: ")
    assert message in str(caught.value)


def test_a_file_may_be_lines_or_a_list_plain_or_gzip(tmp_path):
    """The four shapes of a file hold the same rows; compression is told by content, not by name."""
    rows = [STDIN, FUNCTION]
    lines = "\ufeff" + "\n\n".join(map(json.dumps, rows))
    for name, text in [
        ("a.jsonl", lines),
        ("b.json", json.dumps(rows)),
        ("c.json", json.dumps(rows, indent=1)),
    ]:
        plain, packed = tmp_path / name, tmp_path / f"packed-{name}"
        plain.write_text(text)
        packed.write_bytes(gzip.compress(text.encode()))
        assert [one.data for one in read_rows(plain)] == [one.data for one in read_rows(packed)] == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": \n', ":2: is not JSON"),
        (b"3\n", ":1: a JSON object is expected"),
        (b'[{"a": 1}, 2]', ":2: a JSON object is expected"),
        (b'[{"a": 1},\n,]', ":2: is not JSON"),
        (b'{"a": "\xff"}\n', ":1: is not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, ":1: is not JSON that can be read"),
        (b"\x1f\x8bnonsense", ": damaged gzip file"),
        (gzip.compress(b'{"a": 1}', mtime=0)[:-9], ": damaged gzip file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, message):
    """Path and line of what is not JSON are in the error."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(ProblemFileError) as caught:
        list(read_rows(path))
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_missing_file_is_named(tmp_path):
    """A file that is not there is one clear line, for its rows and for its hash."""
    for read in (lambda path: list(read_rows(path)), hash_file):
        with pytest.raises(ProblemFileError, match=r"no\.jsonl: cannot be read: No such file"):
            read(tmp_path / "no.jsonl")


def test_repeated_rows_count_once_and_differing_ones_are_refused(tmp_path):
    """The first of identical problems is kept; one id for two problems is an error that names both lines."""
    path = write(tmp_path / "p.jsonl", STDIN, FUNCTION, STDIN)
    assert [problem.id for problem in build_problems(read_rows(path), read_problem)] == ["q", "p"]
    path = write(tmp_path / "p.jsonl", STDIN, STDIN | {"statement": "other"})
    with pytest.raises(ProblemFileError, match=r"p\.jsonl:2: id 'q' is already used on line 1"):
        build_problems(read_rows(path), read_problem)
