from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from sstar_code.agent.report.explain import derived_tests, explain_selection
from sstar_code.problems import Kind, Problem
from sstar_code.selection import Candidate, Selection
from sstar_code.selection.protocols import Asked, Derived, Distinguishing, Evidence

PROBLEM = Problem("square", "Is n a square?", Kind.FUNCTION, "f")
CANDIDATES = (Candidate("a", 1, 1), Candidate("b", 1, 1), Candidate("[red]c", 1, 1))
SELECTION = Selection(
    "adaptive",
    2,
    0.9,
    clusters=((0, 1), (2,)),
    distinguishing=(Distinguishing("10001", {"0": "true", "1": "[bold]false"}),),
    calls=3,
    executions=120,
    notes=("kit: the call failed",),
    evidence=(Evidence(0.7, 0.1, {"agreement": 6.0, "size": -0.3}), Evidence(0.3, 0.9, {"agreement": 5.5})),
    asked=(Asked("f(10001)", ("True", "False"), ((0,), (1,)), "B", (0.1, 0.9)),),
    derived=(Derived("10001", "false", 0.9, "the judge named it"),),
)


def render(selection, width=140):
    out = io.StringIO()
    Console(file=out, width=width).print(explain_selection(PROBLEM, CANDIDATES, selection), crop=False)
    return out.getvalue()


def test_the_whole_way_to_the_choice_is_shown():
    """Clusters with evidence, the input that split them, the question, the answer, and why."""
    text = render(SELECTION)
    for part in ("agreement", "0.700", "0.900", "+5.50", "f(10001)", "True", "kit: the call failed", "B"):
        assert part in text
    assert text.index("1 *") < text.index("2: 0, 1")
    assert "Chosen: sample 2, confidence 0.90 (3 calls, 120 runs): on f(10001) 1 candidate" in text


def test_the_evidence_has_a_legend():
    """Every kind of evidence of the table is explained below it, under the name that the table has."""
    text = render(replace(SELECTION, evidence=(Evidence(0.5, 0.5, {"trust": 1.0}),) * 2))
    assert "reliability: how often its writers pass public tests" in text
    assert "trust" not in text
    assert "after: probability at the end" in text
    assert "agreement:" not in text


def test_nothing_is_less_than_nothing():
    """A number that is rounded to 0 has no minus before it."""
    text = render(replace(SELECTION, evidence=(Evidence(0.5, 0.5, {"size": -0.001}),) * 2))
    assert "+0.00" in text
    assert "-0.00" not in text


def test_all_kinds_of_evidence_fit_80_columns():
    """No head and no number is cut on a terminal of the usual width."""
    terms = dict.fromkeys(("agreement", "failures", "size", "trust", "brute force", "rules"), -2.34)
    text = render(replace(SELECTION, evidence=(Evidence(0.123, 0.456, terms),) * 2), 80)
    for word in ("agreement", "failures", "reliability", "force", "rules", "before", "after", "0.456"):
        assert word in text[: text.index("Inputs that split them")]
    assert text.count("-2.34") == 12


def test_a_choice_without_a_comparison_says_so():
    """One program: its confidence is not known, and why."""
    weighed = (Evidence(0.818, 0.818, {"size": -0.001}),)
    text = render(Selection("adaptive", 0, None, ((0, 1, 2),), evidence=weighed))
    assert "0.818" not in text
    assert "size" not in text
    assert "confidence not known (0 calls, 0 runs): " in text


def test_outputs_are_no_markup():
    """What a program printed is shown as it is."""
    assert "[bold]false" in render(SELECTION)


def test_the_tables_hold_every_value():
    """Row by row: clusters by belief, inputs by what was done, options of a question with the answer once."""
    text = render(SELECTION)
    cells = [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in text.splitlines()
        if line[0] in "│┃"
    ]
    assert [line.rstrip() for line in text.splitlines()[2:5]] == [
        "cluster  samples  agreement   size  before  after",
        "1 *      1: 2         +5.50          0.300  0.900",
        "0        2: 0, 1      +6.00  -0.30   0.700  0.100",
    ]
    assert cells == [
        ["input", "clusters", "did"],
        ["f(10001)", "0", "True"],
        ["", "1", "[bold]false"],
        ["input", "option", "clusters", "shown", "answer"],
        ["f(10001)", "A", "0", "True", "B"],
        ["", "B", "1", "False", ""],
    ]


def test_long_texts_and_clusters_are_cut():
    """After 300 characters of a text and twelve samples of a cluster it is said how much is left out."""
    many = tuple(range(13))
    selection = Selection(
        "mbr", 0, 0.5, (many, (13,)), (Distinguishing("10001", {"0": "x" * 310, "1": "y\n"}),)
    )
    text = render(selection, 500)
    assert "x" * 300 + " [10 characters left out]" in text
    assert "13: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 1 more" in text


def test_derived_tests_say_how_sure_they_are():
    """One row an input, with the output, the confidence and the reason."""
    (row,) = derived_tests(SELECTION)
    assert row == {"input": "10001", "output": "false", "confidence": 0.9, "why": "the judge named it"}
