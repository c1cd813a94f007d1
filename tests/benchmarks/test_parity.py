"""Comparing an official judge's two readings with our verdicts."""

from __future__ import annotations

from benchmarks.agreement import Case
from benchmarks.parity import Program, compare, print_table
from problems import Kind, Problem
from sandbox import Verdict


def make(case, *names):
    problem = Problem("p", "s", Kind.STDIN)
    cases = tuple(Case(name, problem, 0, "code", (), recorded=False) for name in names)
    return Program("judge", {"case": case}, cases)


def test_a_judge_that_contradicts_itself_is_counted_apart(capsys):
    """Agreement is over the verdicts that the judge gave twice; each side's own passes are counted."""
    programs = [make("a", "set"), make("b", "set"), make("c", "set"), make("d", "base", "plus")]
    official = {
        "a": [[True], [True]],
        "b": [[True], [False]],
        "c": [[False], [False]],
        "d": [[True, False], [True, False]],
    }
    ours = [(Verdict.AC, {}), (Verdict.WA, {}), (Verdict.AC, {}), (Verdict.AC, {}), (Verdict.TLE, {})]
    rows = compare(programs, official, ours)
    assert [(row["steady"], row["agrees"]) for row in rows] == [
        (True, True),
        (False, False),
        (True, False),
        (True, True),
        (True, True),
    ]
    print_table(rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| set | 3 | 1 | 1 | 50.00% | 1 | 0 |"
    assert lines[3] == "| base | 1 | 0 | 1 | 100.00% | 0 | 0 |"
