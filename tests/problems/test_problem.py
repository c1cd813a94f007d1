"""The Problem record means what it says, however it is made."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.formats.rows import StoredTests

TEST = Test("1", "2")


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_may_be_given_as_its_text(kind):
    """`kind="function"` is a function problem: what tests the kind by identity sees no other."""
    problem = Problem("p", "s", kind.value)
    assert problem.kind is kind
    assert problem == Problem("p", "s", kind)


def test_lists_of_tests_become_tuples():
    """Made with lists it is equal to one made with tuples, and later changes of a list do not reach it."""
    tests = [TEST]
    problem = Problem("p", "s", "stdin", public_tests=tests, hidden_tests=tests)
    tests.clear()
    assert (problem.public_tests, problem.hidden_tests) == ((TEST,), (TEST,))
    assert problem == Problem("p", "s", Kind.STDIN, public_tests=(TEST,), hidden_tests=(TEST,))


def test_stored_tests_are_not_read():
    """Tests that stay in their file until they are needed are not asked for by making the record."""
    stored = StoredTests(lambda: pytest.fail("read"))
    assert Problem("p", "s", "stdin", hidden_tests=stored).hidden_tests is stored


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"kind": "functoin"}, ValueError, "'p': kind must be \"stdin\" or \"function\", got 'functoin'"),
        ({"kind": None}, ValueError, '\'p\': kind must be "stdin" or "function", got None'),
        ({"kind": []}, ValueError, "got []"),
        ({"public_tests": [("1", "2")]}, TypeError, "'p': public_tests[0] must be a Test, got tuple"),
        ({"hidden_tests": [TEST, None]}, TypeError, "'p': hidden_tests[1] must be a Test, got NoneType"),
        ({"hidden_tests": "1"}, TypeError, "'p': hidden_tests must be a list of tests, got str"),
        ({"public_tests": {TEST}}, TypeError, "'p': public_tests must be a list of tests, got set"),
        ({"id": 1}, TypeError, "1: id must be a text, got int"),
        ({"statement": None}, TypeError, "'p': statement must be a text, got NoneType"),
        ({"starter_code": None}, TypeError, "'p': starter_code must be a text, got NoneType"),
        ({"preamble": b""}, TypeError, "'p': preamble must be a text, got bytes"),
        ({"entry_point": 1}, TypeError, "'p': entry_point must be a text or None, got int"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_line(fields, error, message):
    """Problem, field and what was given are named, at the place where the record is made."""
    with pytest.raises(error) as caught:
        Problem(**{"id": "p", "statement": "s", "kind": Kind.STDIN} | fields)
    assert str(caught.value).startswith("problem ")
    assert str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)
