"""Files of programs that already exist."""

from __future__ import annotations

import gzip
import json

import pytest

from sstar_code.problems import Kind, Problem, ProblemFileError, Sample, read_samples, resolve


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


def test_sources_are_read(tmp_path):
    """A row says who wrote it, by one name or several; a code list has a list of them."""
    path = tmp_path / "s.jsonl"
    rows = [
        {"task_id": "a", "solution": "x", "source": "m"},
        {"task_id": "a", "completion": "y", "source": ["m", "n", "m", ""]},
        {"question_id": "b", "code_list": ["z", "w"], "sources": ["m", ["n"]]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [sample.sources for sample in read_samples(path)] == [("m",), ("m", "n"), ("m",), ("n",)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "a", "solution": "x", "source": 3}, "a source must be a text or a list of texts"),
        ({"question_id": "a", "code_list": ["x"], "sources": []}, "'sources' has 0 entries for 1 of"),
    ],
)
def test_bad_sources_are_named(tmp_path, row, message):
    """A source that is no name, or is missing for a code, is an error with path and line."""
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(ProblemFileError, match=message):
        read_samples(path)


def test_a_folder_of_programs_is_read(tmp_path):
    """Every Python file is a sample named by its path, numbers in order; hidden files are none."""
    for name in (
        "HumanEval_0/10.py",
        "HumanEval_0/2.py",
        "two-sum.py",
        ".hidden/1.py",
        "__pycache__/x.py",
        "a.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = [(sample.problem_id, sample.file, sample.code) for sample in read_samples(tmp_path)]
    names = ["HumanEval_0/2", "HumanEval_0/10", "two-sum"]
    assert found == [(name, f"{name}.py", f"{name}.py") for name in names]
    (tmp_path / "bad.py").write_bytes(b"\xff")
    with pytest.raises(ProblemFileError, match=r"bad\.py: is not UTF-8"):
        read_samples(tmp_path)
