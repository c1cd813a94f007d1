"""The example problems: a right program and one that is wrong on hidden tests only, in a real sandbox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files

import pytest

from sstar_code.problems import load_set
from sstar_code.selection import Candidate, Pool
from sstar_code.selection.methods.registry import choose
from tests.support import mark_slow_but
from tests.support.simulated import CountingSandbox, SimulatedAsk

_FOLDER = files("sstar_code.problems") / "bundled" / "examples"
_PROBLEMS = {problem.id: problem for problem in load_set("examples").problems}
_MOST_JUDGE_CALLS = 6
_SHORT = 120
"""Characters of an input that can be checked by hand."""


def _read(name):
    rows = map(json.loads, (_FOLDER / name).read_text("utf-8").splitlines())
    return {row["task_id"]: row["solution"] for row in rows}


@dataclass
class Judged:
    """What came of a pair with a judge that always knows."""

    selection: object
    asked: dict = field(default_factory=dict)


@pytest.fixture(scope="module", params=mark_slow_but([*_PROBLEMS][::3], _PROBLEMS))
def judged(request, sandbox_local):
    """The choice between the wrong program of a problem, which comes first, and the right one.

    A fixture for each problem: pytest puts the tests of one side by side, and pytest-xdist hands them out
    together, so that hardly a choice is made twice.
    """
    (right, wrong) = (_read("references.jsonl"), _read("twins.jsonl"))

    async def decide(problem):
        total = len(problem.public_tests)
        candidates = tuple(
            Candidate(codes[problem.id], total, total, hidden_pass=codes is right) for codes in (wrong, right)
        )
        sandbox = CountingSandbox(sandbox_local.sandbox)
        ask = SimulatedAsk(problem, candidates, sandbox, accuracy=1.0)
        selection = await choose("adaptive")(Pool(problem, candidates, sandbox, ask))
        return Judged(selection, dict(ask.asked))

    return sandbox_local.call(decide, _PROBLEMS[request.param])


def test_free_inputs_tell_the_pair_apart(judged):
    """Without a word of a model the two programs are seen to differ."""
    assert judged.selection.clusters == ((0,), (1,))


def test_a_judge_who_knows_picks_the_right_one(judged):
    """The right program is chosen, in few questions, each on an input that a person can check."""
    (selection, asked) = (judged.selection, judged.asked)
    assert selection.chosen == 1
    assert asked.get("choose", 0) <= _MOST_JUDGE_CALLS
    assert max((len(question.input) for question in selection.asked), default=0) <= _SHORT, selection.asked
