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


def test_a_null_is_a_sample_without_a_program(tmp_path):
    """It is named with its place, and the other rows are read."""
    path = tmp_path / "s.jsonl"
    rows = [
        {"task_id": "a", "solution": None},
        {"task_id": "a", "completion": None},
        {"question_id": "a", "code_list": ["x", None]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = [(sample.code, sample.fault.removeprefix(f"{path}:")) for sample in read_samples(path)]
    assert found == [
        ("", "1: key 'solution' is null"),
        ("", "2: key 'completion' is null"),
        ("x", ""),
        ("", "3: code_list[1] is null"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "a"}, ":1: a sample needs"),
        ({"solution": "a"}, ":1: key 'task_id' is missing"),
        ({"task_id": "a", "solution": 3}, ":1: key 'solution' must be a string"),
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


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xef\xbb\xbfprint('\xc3\xa9')\n", "print('é')\n"),
        (b"# -*- coding: latin-1 -*-\nprint('\xe9')\n", "# -*- coding: latin-1 -*-\nprint('é')\n"),
        (b"#!/usr/bin/python3\n# vim: set fileencoding=cp1251 :\n# \xe9", None),
        (b"print('\xc3\xa9')\n", "print('é')\n"),
    ],
    ids=["byte order mark", "latin-1", "second line", "none"],
)
def test_a_file_is_read_in_the_encoding_that_it_names(tmp_path, data, code):
    """As the interpreter reads it."""
    (tmp_path / "p.py").write_bytes(data)
    (sample,) = read_samples(tmp_path)
    assert sample.code == (code or data.decode("cp1251"))


@pytest.mark.parametrize(
    "data", [b"# coding: no-such\n# \xff", b"x = '\xff'\n", b"# coding: ascii\n# \xe9\n"]
)
def test_a_file_in_no_encoding_is_named(tmp_path, data):
    """One line says which file it is and that it is no text."""
    (tmp_path / "p.py").write_bytes(data)
    with pytest.raises(ProblemFileError, match=r"p\.py: is not UTF-8 text"):
        read_samples(tmp_path)


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
