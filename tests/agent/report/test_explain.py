from __future__ import annotations

import io

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
    Console(file=out, width=width).print(explain_selection(PROBLEM, CANDIDATES, selection))
    return out.getvalue()


def test_the_whole_way_to_the_choice_is_shown():
    """Clusters with evidence, the input that split them, the question, the answer, and why."""
    text = render(SELECTION)
    for part in ("agreement", "0.700", "0.900", "+5.50", "f(10001)", "true", "kit: the call failed", "B"):
        assert part in text
    assert text.index("1 *") < text.index("2: 0, 1")
    assert "Chosen: sample 2, confidence 0.90 (3 calls, 120 runs)." in text
    assert "The judge named the output of its cluster 1 time." in text


def test_outputs_are_no_markup():
    """What a program printed is shown as it is."""
    assert "[bold]false" in render(SELECTION)


def test_methods_without_evidence_are_explained_too():
    """Clusters alone, and an empty choice."""
    assert "It is of cluster 0, 2 samples." in render(Selection("majority", 0, 0.5, ((0, 1), (2,))))
    assert "nothing to choose from" in render(Selection("first", None, 0.0))


def test_derived_tests_say_how_sure_they_are():
    """One row an input, with the output, the confidence and the reason."""
    (row,) = derived_tests(SELECTION)
    assert row == {
        "input": "10001",
        "output": "false",
        "confidence": 0.9,
        "why": "the judge named it",
    }
