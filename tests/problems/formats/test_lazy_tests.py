"""Tests that stay in their file."""

from __future__ import annotations

import base64
import gc
import json
import pickle
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import ProblemFileError, Test, load_set
from sstar_code.problems.formats.rows import StoredTests

TESTS = st.lists(st.builds(Test, st.text(), st.text()), min_size=1, max_size=6)


@given(TESTS, st.booleans())
def test_they_are_like_a_tuple(tests, counted):
    """Length, order, places, membership, equality and truth are those of the tuple."""
    stored = StoredTests(lambda: tuple(tests), len(tests) if counted else None)
    assert stored
    assert len(stored) == len(tests)
    assert list(stored) == tests
    assert stored == tuple(tests)
    assert tuple(tests) == stored
    assert stored[0] == tests[0]
    assert stored[:-1] == tuple(tests[:-1])
    assert tests[0] in stored
    assert (*stored,) == tuple(tests)
    assert stored != (*tests, Test("more"))


def test_few_are_in_memory_at_once():
    """Going through many problems twice reads each twice, and one problem again and again reads once."""
    read = []

    def make(number):
        return StoredTests(lambda: (read.append(number), (Test(str(number)),))[1])

    many = [make(number) for number in range(10)]
    assert [test.input for stored in many * 2 for test in stored] == [str(n) for n in range(10)] * 2
    assert read == [*range(10)] * 2
    for _ in range(5):
        list(many[9])
    assert len(read) == 20


def large_row(name, packed):
    tests = [{"input": "x" * 50_000, "output": name}]
    text = json.dumps(tests)
    private = base64.b64encode(zlib.compress(pickle.dumps(text), 0)).decode() if packed else text
    return {
        "question_id": name,
        "question_content": "s",
        "private_test_cases": private,
        "public_test_cases": "[]",
    }


@pytest.mark.parametrize("packed", [True, False])
def test_hidden_tests_of_large_rows_are_read_when_needed(tmp_path, packed):
    """A set takes the memory of its statements; its tests are all there, in a file or in a list."""
    path = tmp_path / "p.jsonl"
    rows = [large_row(f"q{number}", packed) for number in range(60)]
    path.write_text("\ufeff" + "".join(json.dumps(row) + "\n" for row in rows))
    gc.collect()
    tracemalloc.start()
    loaded = load_set(f"lcb:{path}")
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 500_000
    assert [problem.hidden_tests[0].output for problem in loaded.problems] == [f"q{n}" for n in range(60)]
    whole = tmp_path / "p.json"
    whole.write_text(json.dumps(rows))
    assert load_set(f"lcb:{whole}").problems == loaded.problems


def test_a_file_that_changed_meanwhile_is_said(tmp_path):
    """Tests that are no longer where they were are an error with the file's name, not other tests."""
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(json.dumps(large_row(name, packed=True)) for name in "ab"))
    (_, problem) = load_set(f"lcb:{path}").problems
    path.write_text("short")
    with pytest.raises(ProblemFileError, match=r"p\.jsonl:2: is not JSON"):
        list(problem.hidden_tests)
    path.unlink()
    with pytest.raises(ProblemFileError, match="cannot be read"):
        list(problem.hidden_tests)
