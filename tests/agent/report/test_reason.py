"""The sentence that says why a program was chosen, word for word, for each method and outcome.

    SSTAR_WRITE_EXPECTED=1 python -m pytest tests/agent/report/test_reason.py

writes the sentences anew.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sstar_code.agent.report.reason import explain_choice
from sstar_code.problems import Kind, Problem
from sstar_code.selection import Candidate, Selection
from sstar_code.selection.pool import withhold
from sstar_code.selection.protocols import Asked, Distinguishing, Evidence

WRITES = bool(os.environ.get("SSTAR_WRITE_EXPECTED"))
EXPECTED = Path(__file__).parent / "expected" / "reasons.json"
PROBLEM = Problem("square", "Is n a square?", Kind.FUNCTION, "f")
STDIN = replace(PROBLEM, kind=Kind.STDIN, entry_point=None)
THREE = tuple(Candidate(f"return {place}", 1, 1) for place in range(3))
ONE_PASSES = (THREE[0], *(Candidate("pass", 0, 1) for _ in range(2)))
PARTIAL = tuple(Candidate(f"return {place}", 1, 3) for place in range(3))
COPIES = (THREE[0], Candidate("return 0  # again", 1, 1), Candidate("pass", 0, 1))
SPLIT = (Distinguishing("10001", {"0": "true", "1": "false"}),)
CLUSTERS = ((0, 1), (2,))
WEIGHED = (Evidence(0.7, 0.1, {"agreement": 6.0}), Evidence(0.3, 0.9, {"agreement": 5.5}))
ASKED = Asked("f(10001)", ("True", "False"), ((0,), (1,)), "B", (0.1, 0.9))
ADAPTIVE = Selection("adaptive", 2, 0.9, CLUSTERS, SPLIT, calls=3, executions=9, evidence=WEIGHED)
MAJORITY = Selection("majority", 0, 2 / 3, CLUSTERS, SPLIT, executions=9)
ALIKE = ((0, 1, 2),)


def by_judge(*answers, **changed):
    """The choice of `adaptive` after the judge has given `answers`."""
    return replace(ADAPTIVE, asked=tuple(replace(ASKED, answer=answer) for answer in answers), **changed)


CASES = {
    "nothing": (Selection("adaptive", None, 0.0), ()),
    "only candidate": (Selection("adaptive", 0, None, ((0,),)), THREE[:1]),
    "single survivor": (Selection("majority", 0, None, ((0,),)), ONE_PASSES),
    "copies": (Selection("mbr", 0, None, ((0, 1),)), COPIES),
    "all alike": (Selection("adaptive", 0, 0.97, ALIKE, executions=90), THREE),
    "no input": (Selection("adaptive", 0, None, ALIKE, executions=90), THREE),
    "none passes": (Selection("adaptive", 0, 0.0, ALIKE, executions=90), PARTIAL),
    "tie": (
        replace(ADAPTIVE, chosen=0, confidence=0.5, evidence=(Evidence(0.5, 0.5, {"a": 1.0}),) * 2),
        THREE,
    ),
    "judge": (by_judge("B"), THREE),
    "judge several times": (by_judge("B", "A", "B", "neither"), THREE),
    "judge against": (
        by_judge(
            "A", chosen=2, evidence=(Evidence(0.1, 0.2, {"size": -1.0}), Evidence(0.9, 0.8, {"size": 1}))
        ),
        THREE,
    ),
    "judge swapped": (by_judge("flips"), THREE),
    "judge refused": (by_judge("invalid"), THREE),
    "nearness": (replace(ADAPTIVE, chosen=0, evidence=(WEIGHED[0], Evidence(0.1, 0.05, {}))), THREE),
    "brute force": (
        replace(
            ADAPTIVE, evidence=(Evidence(0.7, 0.1, {"size": 1.0}), Evidence(0.3, 0.9, {"brute force": 3.0}))
        ),
        THREE,
    ),
    "largest": (MAJORITY, THREE),
    "equal sizes": (Selection("functional", 0, 0.5, ((0,), (2,)), SPLIT), THREE),
    "surer writers": (replace(MAJORITY, chosen=2), THREE),
    "mbr": (replace(MAJORITY, method="mbr"), THREE),
    "diffcode": (replace(MAJORITY, method="diffcode"), THREE),
    "sstar": (replace(MAJORITY, method="sstar", calls=4), THREE),
    "judge of code": (Selection("judge", 0, 0.6, ((0,), (1,), (2,)), calls=6), THREE),
    "judge of code without a model": (Selection("judge", 0, 0.3, ((0,), (1,), (2,))), THREE),
    "codet": (Selection("codet", 2, 0.3, CLUSTERS, calls=1, executions=9), THREE),
    "tests alike": (Selection("tests", 0, 1.0, ALIKE, calls=1, executions=9), THREE),
    "random": (Selection("random", 1, 1 / 3), THREE),
    "first": (Selection("first", 0, None), ONE_PASSES),
    "oracle": (Selection("oracle", 1, 1.0), THREE),
    "abstained": (withhold(MAJORITY, 0.8), THREE),
    "a method of another package": (Selection("shortest", 1, 0.5), THREE),
}
"""What is explained: a selection, and the candidates it is from. The sentences stand in `EXPECTED`."""


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_says_why(case):
    """Each method and outcome has its own words, with the input, who gave which output, and the judge's."""
    selection, candidates = CASES[case]
    told = explain_choice(PROBLEM.id, selection, problem=PROBLEM, candidates=candidates)
    if WRITES:
        known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
        texts = {name: {**known, case: told}[name] for name in CASES if name in {**known, case: told}}
        EXPECTED.write_text(json.dumps(texts, indent=1) + "\n")
    assert told == json.loads(EXPECTED.read_text())[case]
    assert re.search(r"[.] [A-Z]", told) is None  # one sentence


def test_every_outcome_is_told_differently():
    """No two cases have the same words: a reader can tell a tie from a vote and a vote from the judge."""
    texts = json.loads(EXPECTED.read_text())
    assert list(texts) == list(CASES)
    assert len(set(texts.values())) == len(texts)


def test_standard_input_is_quoted():
    """Input and output of several lines stand on one, and outputs beyond the third are counted."""
    outputs = {"0": "7\n8\n", "1": "x" * 100, "2": "<TLE>", "3": "5", "4": "6"}
    clusters = ((0, 5, 6, 7, 8, 9), (1,), (2,), (3,), (4,))
    made = Selection("majority", 0, 0.6, clusters, (Distinguishing("3\n4\n", outputs),), executions=9)
    told = explain_choice("p", made, problem=STDIN)
    *parts, last = told.partition("runs): ")[2].split("; ")
    assert last == "its cluster is the largest, 6 of 10 candidates."
    assert parts == [
        (
            "on '3\\n4' 6 candidates (samples 0, 5, 6, 7 and 2 more) give '7\\n8', "
            "1 candidate (sample 3) gives '5', 1 candidate (sample 4) gives '6' and 2 something else"
        )
    ]


@pytest.mark.parametrize("problem", [STDIN, None])
def test_how_a_program_failed_is_told_in_words(problem):
    """No code of a status, and no quotes around what is no output."""
    outputs = {"0": "7\n", "1": "<RE: ZeroDivisionError>", "2": "<TLE: TimeLimit>"}
    made = Selection(
        "majority", 0, 0.5, ((0, 3), (1,), (2,)), (Distinguishing("3\n", outputs),), executions=9
    )
    told = explain_choice("p", made, problem=problem)
    assert "(sample 1) gives no output: the program failed (ZeroDivisionError) and" in told
    assert "(sample 2) gives no output: the program was stopped after at most 0.5 s of CPU time;" in told


def test_what_speaks_for_a_program_is_named_as_such():
    """Fewer failures are better, so a program is not chosen "by failures"."""
    evidence = (Evidence(0.3, 0.4, {"failures": 0.0}), Evidence(0.3, 0.3, {"failures": -0.5}))
    made = Selection("adaptive", 0, 0.4, ((0,), (1,)), evidence=evidence, executions=9)
    assert explain_choice("p", made).endswith("the next 0.30, most of all by fewer failures.")


def test_answers_that_name_no_output_are_counted_apart():
    """One answer of three for the cluster reads as a defeat, unless it is said that none spoke against it."""
    named = Asked("1", ("7", "8"), ((0,), (1,)), "A", (0.7, 0.2))
    refused = replace(named, answer="invalid")
    made = Selection("adaptive", 0, 0.7, ((0,), (1,)), asked=(named, refused, refused), calls=3, executions=9)
    assert "(1 of 3 answers names this cluster, 2 name no output)" in explain_choice("p", made, problem=STDIN)


def test_without_the_candidates_less_is_said():
    """A run folder whose rounds or problem are not known still has a true sentence."""
    assert explain_choice("p", Selection("adaptive", 0, None, ((0, 1),))).endswith(
        "nothing could be found out that tells the 2 candidates apart."
    )
    assert "on '10001' 2 candidates (samples 0, 1) give 'true' and 1" in explain_choice("p", MAJORITY)
    assert explain_choice("p", Selection("first", 1, 0.5)).endswith("is the earliest of the best candidates.")
