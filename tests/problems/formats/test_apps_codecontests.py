"""APPS and CodeContests rows in upstream's form and in the one with samples."""

from __future__ import annotations

import json
import sys

import pytest

from sstar_code.problems import Kind, ProblemFileError, Test, load_set
from sstar_code.problems.formats.contests import read_apps, read_codecontests
from sstar_code.problems.formats.rows import Row
from sstar_code.problems.sets.faults import find_faults

SAMPLES = {
    "id": 3613,
    "description": "Text.",
    "difficulty": "introductory",
    "sample_io": [{"input": "1\n2", "output": [True]}],
    "test_list": [
        {"input": "1\n2", "output": [True]},
        {"input": "2", "output": [[1, "a"]]},
        {"input": "3", "output": ["a", "b"]},
        {"input": "3", "output": ["a", "b"]},
    ],
    "starter_code": "\ndef same(a, b):\n\t",
}
UPSTREAM = {
    "problem_id": 7,
    "question": "Text.",
    "input_output": json.dumps({"inputs": ["1\n", ["a", "b"]], "outputs": ["2\n", ["c", "d"]]}),
    "solutions": '["print(2)"]',
    "difficulty": "interview",
    "url": "u",
    "starter_code": "",
}
CONTEST = {
    "name": "1575_A. Another",
    "description": "Text.",
    "public_tests": {"input": ["1\n"], "output": ["2\n"]},
    "private_tests": {"input": ["3\n"], "output": ["4\n"]},
    "generated_tests": {"input": ["3\n", "5\n"], "output": ["4\n", "6\n"]},
    "time_limit": {"seconds": 2, "nanos": 500_000_000},
    "memory_limit_bytes": 512_000_000,
    "cf_tags": ["dp"],
}


def read(reader, row):
    return reader(Row("a.jsonl", 4, row))


def test_apps_samples_are_public_and_the_other_tests_hidden():
    """No test is both; values that are no text are expected as Python prints them."""
    problem = read(read_apps, SAMPLES)
    assert (problem.id, problem.kind, problem.checker) == ("3613", Kind.STDIN, "floats:1e-6")
    assert problem.public_tests == (Test("1\n2", "True"),)
    assert problem.hidden_tests == (Test("2", "[1, 'a']"), Test("3", "a\nb"))
    assert "arguments of `same`" in problem.statement
    assert "all as Python's `print` writes them" in problem.statement
    assert read(read_apps, SAMPLES | {"starter_code": ""}).statement == "Text."


def test_an_upstream_apps_program_is_read():
    """All published tests are hidden, lists of lines are joined."""
    problem = read(read_apps, UPSTREAM)
    assert (problem.id, problem.kind, problem.public_tests) == ("7", Kind.STDIN, ())
    assert problem.hidden_tests == (Test("1\n", "2\n"), Test("a\nb", "c\nd"))
    assert problem.metadata["references"] == ["print(2)"]


@pytest.mark.parametrize(
    ("starter", "outputs", "entry_point", "expected"),
    [("", [[3], [4]], "f", "3"), ("class Solution:\n    def f(self, x):\n", [3, [4]], "Solution.f", "3")],
)
def test_an_upstream_apps_function_is_read(starter, outputs, entry_point, expected):
    """Arguments become encoded lines; a list of one around every output is taken off."""
    cases = {"fn_name": "f", "inputs": [[1, "a"], [2, "b"]], "outputs": outputs}
    problem = read(read_apps, UPSTREAM | {"input_output": json.dumps(cases), "starter_code": starter})
    assert (problem.kind, problem.entry_point, problem.checker) == (Kind.FUNCTION, entry_point, "apps")
    assert problem.hidden_tests[0] == Test('1\n"a"', expected)


def test_an_upstream_contest_is_read():
    """Private and generated tests are hidden, each once; limits are the problem's own."""
    problem = read(read_codecontests, CONTEST)
    assert (problem.id, problem.time_limit_s, problem.memory_limit_mb) == ("1575_A. Another", 2.5, 488)
    assert problem.public_tests == (Test("1\n", "2\n"),)
    assert problem.hidden_tests == (Test("3\n", "4\n"), Test("5\n", "6\n"))
    assert problem.metadata["tags"] == ["dp"]


def test_contest_limits_have_defaults_and_a_floor():
    """No limit is five seconds and 1 GB; a small memory limit is raised to what Python needs."""
    bare = {"problem": "1575_A", "description": "d", "sample_io": [], "test_list": []}
    problem = read(read_codecontests, bare)
    assert (problem.id, problem.time_limit_s, problem.memory_limit_mb) == ("1575_A", 5.0, 1024)
    assert read(read_codecontests, CONTEST | {"memory_limit_bytes": 1_000_000}).memory_limit_mb == 256


@pytest.mark.parametrize(
    ("reader", "row", "message"),
    [
        (read_apps, SAMPLES | {"test_list": [{"input": 1}]}, "test_list[0]"),
        (read_apps, UPSTREAM | {"input_output": "{"}, "'input_output' must be JSON text"),
        (read_apps, UPSTREAM | {"input_output": "[1]"}, "an object with 'inputs'"),
        (read_apps, UPSTREAM | {"input_output": '{"inputs": [1], "outputs": []}'}, "lists of one length"),
        (read_codecontests, CONTEST | {"name": None}, "'name' is missing"),
        (read_codecontests, CONTEST | {"public_tests": {"input": ["1"]}}, "'public_tests' must hold"),
        (read_codecontests, CONTEST | {"public_tests": {"input": [1], "output": [1]}}, "must be strings"),
    ],
)
def test_a_fault_names_line_and_key(reader, row, message):
    """A row that cannot be used is named."""
    with pytest.raises(ProblemFileError) as caught:
        read(reader, row)
    assert str(caught.value).startswith("a.jsonl:4: ")
    assert message in str(caught.value)


def test_upstream_parquet_is_read(tmp_path):
    """CodeContests as it is published: columns of tests, numbers for platforms and languages."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    row = {
        "name": "1_A",
        "description": "Print the number.",
        "public_tests": {"input": ["1\n"], "output": ["1\n"]},
        "private_tests": {"input": ["2\n"], "output": ["2\n"]},
        "generated_tests": {"input": [], "output": []},
        "source": 2,
        "cf_rating": 1200,
        "cf_tags": ["math"],
        "solutions": {
            "language": [2, 3, 1, 3],
            "solution": ["c++", "print(input())", "print raw_input()", "x"],
        },
        "time_limit": {"seconds": 2, "nanos": 500_000_000},
        "memory_limit_bytes": 512 << 20,
    }
    path = tmp_path / "test-00000-of-00001.parquet"
    parquet.write_table(arrow.Table.from_pylist([row, row | {"name": "1_B", "description": "Again."}]), path)
    (first, second) = load_set(f"codecontests:{path}").problems
    assert (first.id, second.id, first.time_limit_s, first.memory_limit_mb) == ("1_A", "1_B", 2.5, 512)
    assert first.public_tests == (Test("1\n", "1\n"),)
    assert first.metadata["references"] == ["print(input())", "x"]
    assert (first.metadata["platform"], first.metadata["rating"]) == ("codeforces", 1200)


def test_parquet_without_its_library_says_what_to_do(tmp_path, monkeypatch):
    """The extra is named, and the other way."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = tmp_path / "p.parquet"
    path.write_bytes(b"PAR1 and so on")
    with pytest.raises(ProblemFileError, match=r"pip install 'pyarrow>=20', or give JSON Lines"):
        load_set(f"codecontests:{path}")


def test_a_rows_own_checker_decides(tmp_path):
    """A checker program of the row is used; one in C++ is said not to be."""
    row = {"name": "a", "description": "d", "public_tests": {"input": ["1"], "output": ["1"]}}
    rows = [
        row | {"checker": {"program": "exit(0)"}},
        row | {"name": "b", "description": "e", "checker": '#include "testlib.h"'},
    ]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    (own, foreign) = load_set(f"codecontests:{path}").problems
    assert own.checker == {"program": "exit(0)"}
    assert foreign.checker == "codecontests"
    (note,) = find_faults([own, foreign])
    assert (note.problem_id, note.is_note) == ("b", True)
    assert "C++ checker is not run" in note.what
