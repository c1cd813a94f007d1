"""CodeContests is compared as the set's own tester compares."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind
from sstar_code.problems.checkers import accepts
from sstar_code.problems.formats.contests import read_codecontests
from sstar_code.problems.formats.rows import Row

ROW = {"problem": "1_A", "description": "d", "sample_io": [], "test_list": []}


@pytest.mark.parametrize(
    ("expected", "got", "right"),
    [
        ("3.162277660\n", "3.1622776602\n", True),
        ("3.162277660\n", "3.16300\n", False),
        ("YES\n1 2\n", "Yes\n1\n2", True),
        ("YES", "NO", False),
        ("1", "2", False),
        ("1000000007", "1000000008", False),
        ("0.0", "-0.000000001", True),
        ("1 2", "1", False),
    ],
)
def test_a_contest_accepts_near_numbers_and_any_letter_case(expected, got, right):
    """A real answer need not be printed with the digits of the jury, nor a word with its letter case."""
    problem = read_codecontests(Row("a.jsonl", 1, ROW))
    assert accepts(problem.checker, Kind.STDIN, expected, got) is right
