"""Beam search over debug states, on known trees."""

from __future__ import annotations

import pytest

from sstar_code.agent.models.request import CallError
from sstar_code.agent.strategies.score import compare_words
from tests.agent.strategies.known import KnownModel, grow

pytestmark = pytest.mark.anyio
FIRST = [("0.0", None), ("1.0", None), ("2.0", None), ("3.0", None)]
TREE = {
    "0.0": "1000",
    "1.0": "0110",
    "2.0": "0000",
    "3.0": "0100",
    "0.1": "1111",
    "1.1": "0001",
    "2.1": "1101",
    "3.1": "1101",
    "1.2": "1111",
    "2.2": "0000",
    "3.2": "1110",
}


async def test_the_best_states_are_expanded():
    """N/M states are kept: by tests passed, then by the first that fails; equal ones count once."""
    model = KnownModel(TREE)
    beams = await grow(model, "beam:width=2", n=4, rounds=2)
    assert model.visits == [
        *FIRST,
        # 1.0 passes two; of those that pass one, 0.0 fails later than 3.0
        *(("0.1", "1.0"), ("1.1", "0.0"), ("2.1", "1.0"), ("3.1", "0.0")),
        # 0.1 has passed and is set aside; 3.1 is the program of 2.1; 1.0 is still better than 1.1
        *(("1.2", "2.1"), ("2.2", "1.0"), ("3.2", "2.1")),
    ]
    assert [beam.best.passed for beam in beams] == [4, 4, 3, 3]
    assert [(made.source, made.base) for made in beams[1].rounds] == [(None, None), (0, 0), (2, 1)]


async def test_diverse_subtrees_do_not_compete():
    """With `dvts` each subtree of M beams keeps its own best, however bad."""
    model = KnownModel(TREE)
    await grow(model, "beam:width=2,dvts=yes", n=4, rounds=1)
    assert sorted(model.visits) == sorted([
        *FIRST, ("0.1", "1.0"), ("1.1", "1.0"), ("2.1", "3.0"), ("3.1", "3.0"),
    ])  # fmt: skip


async def test_lookahead_scores_by_what_comes_of_a_state():
    """A state counts by the end of a repair at temperature 0, and is itself expanded."""
    table = {"0.0": "1000", "0.1": "1000", "1.0": "0000", "1.1": "1110"}
    model = KnownModel(table)
    beams = await grow(model, "beam:lookahead=1,width=2", n=2, rounds=1)
    assert sorted(model.visits[:4]) == [("0.0", None), ("0.1", "0.0"), ("1.0", None), ("1.1", "1.0")]
    assert sorted(model.visits[4:]) == [*(("0.2", "1.0"), ("0.3", "0.2"), ("1.2", "1.0"), ("1.3", "1.2"))]
    cold = {request.purpose.round for request in model.requests if request.temperature == 0}
    assert cold == {1, 3}
    assert beams[1].best.passed == 3, "the program of a lookahead may stand for its beam"


async def test_ends_where_nothing_is_left_to_repair():
    """Beams that passed or whose call failed are not asked again; without public tests there is one round."""
    model = KnownModel({"0.0": "1111", "1.0": CallError("refused")})
    beams = await grow(model, "beam", n=2, rounds=2)
    assert len(model.requests) == 2
    assert (beams[0].survives, beams[1].rounds[-1].error) == (True, "refused")


@pytest.mark.parametrize(
    ("got", "expected", "share"),
    [("1 2 3", "1 2 3\n", 1.0), ("1 2", "1 3 2", 1 / 3), ("", "", 0.0), ("x", None, 0.0), (None, "x", 0.0)],
)
def test_outputs_are_compared_word_by_word(got, expected, share):
    """The share of places with the same word, of the longer text."""
    assert compare_words(got, expected) == share
