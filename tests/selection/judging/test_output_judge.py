from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem
from sstar_code.sandbox import Status
from sstar_code.selection.evidence.clustering import Behaviour
from sstar_code.selection.judging.question import (
    Ruling,
    clip,
    make_case,
    read_ruling,
    score,
    show_input,
    swap_cases,
)

STDIN = Problem("p", "", Kind.STDIN)
CALL = Problem("p", "", Kind.FUNCTION, "Solution.twoSum")


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        ("ANSWER: 1", Ruling.FIRST),
        ("because...\n**ANSWER:** 2\n", Ruling.SECOND),
        ("Final answer: neither", Ruling.NEITHER),
        ("ANSWER: tie", Ruling.NEITHER),
        ("answer: both are wrong", Ruling.NEITHER),
        ("ANSWER: 1\nwait\nANSWER: 2", Ruling.SECOND),
        ("ANSWER: output 1.", Ruling.FIRST),
        ("ANSWER: 1\nANSWER:", Ruling.FIRST),
        ("ANSWER: 1|2|neither", None),
        ("ANSWER: 1 or 2", None),
        ("ANSWER: 12", None),
        ("the first is right", None),
        ("The answer is in the text: 1", None),
        ("", None),
    ],
)
def test_read_ruling(text, ruling):
    """The last line that answers counts; anything ambiguous or missing is no answer."""
    assert read_ruling(text) is ruling


@given(st.text())
def test_read_ruling_never_raises(text):
    """No reply breaks the reader."""
    read_ruling(text)
    read_ruling("ANSWER: " + text)


@pytest.mark.parametrize(
    ("straight", "swapped", "points"),
    [
        (Ruling.FIRST, Ruling.FIRST, (1.0, 0.0)),
        (Ruling.SECOND, Ruling.SECOND, (0.0, 1.0)),
        (Ruling.NEITHER, Ruling.NEITHER, (0.5, 0.5)),
        (Ruling.FIRST, Ruling.SECOND, (0.0, 0.0)),
        (Ruling.FIRST, Ruling.NEITHER, (0.0, 0.0)),
        (Ruling.FIRST, None, (0.0, 0.0)),
        (None, None, (0.0, 0.0)),
    ],
)
def test_score(straight, swapped, points):
    """Only what is said in both orders counts."""
    assert score(straight, swapped) == points


def test_swapped_ruling():
    """A ruling on swapped sides is put back into the first order."""
    assert [ruling.swapped for ruling in Ruling] == [Ruling.SECOND, Ruling.FIRST, Ruling.NEITHER]


def test_case_reads_like_python():
    """A judge is shown a call and values as a person writes them."""
    first, second = Behaviour(Status.OK, '{"$tuple": [0, 1]}'), Behaviour(Status.RE, failure="IndexError")
    assert make_case(CALL, "[2, 7]\n9", first, second) == {
        "input": "twoSum([2, 7], 9)",
        "first": "(0, 1)",
        "second": "no output: the program failed (IndexError)",
    }


def test_case_shows_a_late_difference():
    """Long outputs are capped around the place where they differ."""
    case = make_case(
        STDIN, "1", Behaviour(Status.OK, "a" * 5000 + "X"), Behaviour(Status.OK, "a" * 5000 + "Y")
    )
    assert "X" in case["first"]
    assert "Y" in case["second"]
    assert len(case["first"]) < 1100


@given(st.text(), st.text())
def test_case_is_capped_and_differs(first, second):
    """Different outputs never look alike in a case."""
    case = make_case(STDIN, "in", Behaviour(Status.OK, first), Behaviour(Status.OK, second))
    assert (case["first"] == case["second"]) is (first == second)
    assert swap_cases(swap_cases([case])) == [case]


def test_clip_says_what_is_missing():
    """Cut text says how much is missing; short text is unchanged."""
    assert clip("abc", 5) == "abc"
    assert clip("abcdef", 4) == "abcd [2 characters left out]"


def test_undecodable_input_is_shown_as_it_is():
    """An input that is no list of values is shown raw."""
    assert show_input(CALL, "{oops") == "{oops"
