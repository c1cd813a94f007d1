"""Files of programs that already exist."""

from __future__ import annotations

import gzip
import json

import pytest

from problems import Kind, Problem, ProblemFileError, Sample, read_samples, resolve


def test_the_three_forms_are_read(tmp_path):
    """Solutions, completions and code lists become samples in file order, plain or gzip."""
    path = tmp_path / "s.jsonl"
    path.write_text(
        '{"task_id": "HumanEval/0", "solution": "a"}\n{"task_id": 7, "completion": "b", "extra": 1}\n'
    )
    assert read_samples(path) == [Sample("HumanEval/0", "a"), Sample("7", "b", completion=True)]
    path = tmp_path / "s.json"
    path.write_bytes(gzip.compress(json.dumps([{"question_id": 12, "code_list": ["c", "d"]}]).encode()))
    assert read_samples(path) == [Sample("12", "c"), Sample("12", "d")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "a"}, ":1: a sample needs"),
        ({"solution": "a"}, ":1: key 'task_id' is missing"),
        ({"task_id": "a", "solution": 3}, ":1: key 'solution' must be a string"),
        ({"task_id": "a", "completion": None}, ":1: key 'completion' is missing"),
        ({"question_id": "a", "code_list": ["x", 3]}, ":1: code_list[1] must be a string"),
        ({"question_id": "a", "code_list": "x"}, ":1: key 'code_list' must be a list"),
    ],
)
def test_a_row_of_no_form_is_named(tmp_path, row, message):
    """A row that is no sample is an error with path and line."""
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(ProblemFileError) as caught:
        read_samples(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_completion_continues_the_starter_code():
    """A completion is put behind the starter code; a solution stands alone."""
    problem = Problem("p", "s", Kind.FUNCTION, "f", "def f():\n")
    assert resolve(Sample("p", "    return 1\n", completion=True), problem) == "def f():\n    return 1\n"
    assert resolve(Sample("p", "x"), problem) == "x"
