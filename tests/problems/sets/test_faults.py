"""What is wrong with a set is found without running it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test, load_set
from sstar_code.problems.sets.faults import find_faults, list_references

GOOD = Problem("p", "Return x.", Kind.FUNCTION, "f", "def f(x):\n", hidden_tests=(Test("1", "1"),))


def faults(*problems):
    return [fault.what for fault in find_faults(problems) if not fault.is_note]


def test_a_sound_problem_has_no_fault():
    """Nothing is found where nothing is wrong."""
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statement": " \n"}, "empty statement"),
        ({"hidden_tests": ()}, "no tests"),
        ({"hidden_tests": (Test("1", "1"), Test("x", "1"))}, "hidden test 1: input is not JSON"),
        ({"public_tests": (Test("1", "[1"),)}, "public test 0: output is not JSON"),
        ({"hidden_tests": (Test("1"),)}, "hidden test 0: no expected output, so that every answer passes"),
        ({"hidden_tests": (Test(program="assert f(1"),)}, "hidden test 0: the test program does not compile"),
        ({"checker": "exakt"}, "unknown checker 'exakt'"),
        ({"checker": {"program": "def"}}, "the checker program does not compile"),
        ({"starter_code": "def g(x):\n"}, "the starter code has no 'f' (entry point f)"),
        ({"entry_point": "Solution.f"}, "the starter code has no 'Solution'"),
        ({"entry_point": None}, "no entry point"),
    ],
)
def test_each_fault_is_told(change, message):
    """Every fault is one line that says what and, for a test, which."""
    (found,) = faults(replace(GOOD, **change))
    assert found.startswith(message)
    assert "\n" not in found


def test_line_ends_that_a_program_would_find_in_its_input_are_noted():
    """CR LF in the input of a program's test is a note; in a call's arguments it is a blank."""
    program = Problem("p", "s", Kind.STDIN, public_tests=(Test("1\r\n", "1"),))
    assert [(fault.what[:24], fault.is_note) for fault in find_faults([program])] == [
        ("lines of a test's input ", True)
    ]
    assert list(find_faults([replace(GOOD, hidden_tests=(Test("1\r\n", "1"),))])) == []


def test_one_statement_under_two_ids_is_told():
    """Blanks do not hide a duplicate; another function in the same words is none."""
    twin = replace(GOOD, id="q", statement="Return\n  x.")
    assert faults(GOOD, twin) == ["the same statement as 'p'"]
    assert faults(GOOD, replace(twin, entry_point="g", starter_code="def g(x):\n")) == []


def test_every_bad_row_is_told_and_the_rest_is_read(tmp_path):
    """One broken row does not hide the next; repeated rows are a note."""
    row = {"id": "a", "statement": "s", "kind": "stdin"}
    rows = [row, row | {"kind": "x"}, row, row | {"statement": "t"}, row | {"id": "b"}, {"id": "c"}]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n{x")
    told = []
    loaded = load_set(f"jsonl:{path}", on_fault=told.append)
    assert [problem.id for problem in loaded.problems] == ["a", "b"]
    lines = [fault.what.removeprefix(f"{path}:")[0] for fault in told]
    assert lines == ["2", "3", "4", "6", "7"]
    assert [fault.is_note for fault in told] == [False, True, False, False, False]


def test_references_are_the_sets_own():
    """One reference, or the first three of several; what is no text is none."""
    assert list_references(GOOD) == ()
    assert list_references(replace(GOOD, metadata={"reference": "a"})) == ("a",)
    assert list_references(replace(GOOD, metadata={"references": ["a", None, "c", "d"]})) == ("a", "c")


@given(
    st.builds(Test, st.text(), st.none() | st.text(), st.none() | st.text()), st.text(), st.sampled_from(Kind)
)
def test_nothing_in_a_problem_makes_it_fail(test, text, kind):
    """Whatever a test or a statement holds, faults are told and never raised."""
    problem = Problem("p", text, kind, text or None, text, public_tests=(test,), hidden_tests=(test,))
    assert all(isinstance(what, str) for what in faults(problem))


def test_what_was_not_understood_in_a_statement_is_noted(tmp_path):
    """A folder of statements keeps what their reading says, and validate tells it."""
    (tmp_path / "a.md").write_text(
        "Guess my number. This is an interactive problem.\n\nInput\n1\nOutput\n? 2\n"
    )
    (problem,) = load_set(f"jsonl:{tmp_path}").problems
    notes = [fault.what for fault in find_faults([problem]) if fault.is_note]
    assert [note.partition(":")[0] for note in notes] == ["an interactive problem"]
