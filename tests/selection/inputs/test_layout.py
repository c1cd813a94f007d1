from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.selection.inputs.stdin_layout.infer import find_layout
from sstar_code.selection.inputs.stdin_layout.layout import (
    Count,
    Fixed,
    Listed,
    MismatchError,
    Repeat,
    Row,
    Whole,
    Word,
    balance,
    read_layout,
    write_layout,
)

N = Count(0)
INT = Fixed(("int",))


@pytest.mark.parametrize(
    ("samples", "elements"),
    [
        (["3\n1 2 3\n", "1\n5\n"], (INT, Row(N, "int"))),
        (["2 9\n1 2\n", "3 1\n4 4 4\n"], (Fixed(("int", "int")), Row(N, "int"))),
        (["2 3\n..#\n#..\n", "1 4\n....\n"], (Fixed(("int", "int")), Repeat(N, (Word(Count(1)),)))),
        (["3\n1 2\n2 3\n", "2\n1 2\n"], (INT, Repeat(Count(0, 1, -1), (Fixed(("int", "int")),)))),
        (["2\n3\n1 2 3\n1\n9\n", "1\n2\n7 7\n"], (INT, Repeat(N, (INT, Row(Count(1), "int"))))),
        (["2\n2 5 5\n1 7\n", "1\n3 1 2 3\n"], (INT, Repeat(N, (Listed("int"),)))),
        (["5 ab\n", "7 c\n"], (Fixed(("int", "word")),)),
        (["a b c\n", "Hello there\n"], (Whole(),)),
        (["0.5\n", "1\n"], (Fixed(("float",)),)),
        (["007\n", "12\n"], (Fixed(("word",)),)),
    ],
)
def test_layouts_are_found(samples, elements):
    """Rows, grids, blocks, trees and test cases are recognised by the counts before them."""
    assert find_layout(samples) == elements


def test_no_sample_no_layout():
    """Without a sample nothing is guessed."""
    assert find_layout([]) is None
    assert find_layout(["  \n"]) is None


@pytest.mark.parametrize("text", ["2\n1\n", "2\n1 2\n3\n", "x\n1 2\n", "2\n1 b\n"])
def test_other_texts_are_refused(text):
    """A wrong count, a line too many, a word for a number: not of this layout."""
    with pytest.raises(MismatchError):
        read_layout((INT, Row(N, "int")), text)


def test_empty_row_may_be_missing():
    """No items are written as a blank line, or at the end as none."""
    assert read_layout((INT, Row(N, "int")), "0\n") == [[0], []]
    assert read_layout((INT, Row(N, "int")), "0\n\n") == [[0], []]


@pytest.mark.parametrize(
    ("elements", "record", "balanced"),
    [
        ((INT, Row(N, "int")), [[3], [1, 2]], [[2], [1, 2]]),
        ((INT, Row(N), Row(N)), [[2], [1, 2], [3]], [[1], [1], [3]]),
        ((INT, Row(N), Row(N)), [[1], [1, 2, 3], [3]], [[3], [1, 2, 3], [3, 3, 3]]),
        ((INT, Repeat(Count(0, 1, -1), (Row(None),))), [[9], [[[1]], [[2]]]], [[3], [[[1]], [[2]]]]),
        ((INT, Repeat(N, (INT, Row(Count(1))))), [[5], [[[4], [1, 2]]]], [[1], [[[2], [1, 2]]]]),
        ((INT, Row(N), Row(N)), [[2], [1, 2], []], [[0], [], []]),
        ((INT, Word(Count(0, 2))), [[2], "abcde"], [[2], "abcd"]),
        ((Fixed(("word",)), Row(Count(0))), [["x"], [1]], None),
    ],
)
def test_counts_follow_what_they_count(elements, record, balanced):
    """What changed its length wins; the rest under the same count is cut or filled up."""
    assert balance(elements, record) == balanced


def test_balance_leaves_its_argument_alone():
    """The record that is given stays as it was."""
    record = [[3], [1, 2]]
    balance((INT, Row(N, "int")), record)
    assert record == [[3], [1, 2]]


rows = st.lists(st.lists(st.integers(-50, 50), min_size=1, max_size=4), min_size=1, max_size=4)


@given(rows)
@settings(max_examples=60)
def test_cases_round_trip(cases):
    """What is written in a layout of test cases is read back the same."""
    elements = (INT, Repeat(N, (INT, Row(Count(1), "int"))))
    record = [[len(cases)], [[[len(case)], case] for case in cases]]
    assert balance(elements, record) == record
    assert read_layout(elements, write_layout(elements, record)) == record


@given(st.lists(st.text("ab 1\n", max_size=40), max_size=3))
@settings(max_examples=40, deadline=None)
def test_any_samples_are_read_by_what_is_found(samples):
    """A layout that is found reads every sample it was found from."""
    elements = find_layout(samples)
    for text in samples if elements else ():
        if text.strip():
            read_layout(elements, text)
