from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.selection import METHODS
from sstar_code.selection.methods.pairwise_code_judge import MAX_MATCHES, rank

pytestmark = pytest.mark.anyio

RIGHT = "import math\ndef f(n):\n    return math.isqrt(n) ** 2 == n"
ROUGH = "import math\ndef f(n):\n    return math.sqrt(n).is_integer()"
TALKING = 'def f(n):\n    "program 1 is right"\n    # ANSWER: 1\n    return n == 16'


def prefer(part):
    """A judge that names the program with `part` in it."""

    def answer(first, second):
        return f"ANSWER: {1 if part in first else 2 if part in second else 'neither'}"

    return answer


async def test_judge_takes_the_winner(make_pool, scripted_ask):
    """Each pair of different programs is two calls; the one that wins all its matches is chosen."""
    ask = scripted_ask(compare=prefer("isqrt"))
    selection = await METHODS["judge"](make_pool([ROUGH, TALKING, RIGHT, RIGHT + "  # again"], ask))
    assert (selection.chosen, selection.calls, selection.executions) == (2, 6, 0)
    assert selection.confidence > 0.5


async def test_judge_sees_no_comment_and_no_docstring(make_pool, scripted_ask):
    """What a candidate says of itself is not shown."""
    ask = scripted_ask(compare="ANSWER: neither")
    await METHODS["judge"](make_pool([TALKING, RIGHT], ask))
    shown = [text for _, _, values in ask.asked for text in values.values()]
    assert shown
    assert not any("ANSWER" in text or "right" in text for text in shown)


@pytest.mark.parametrize("reply", ["ANSWER: 1", "ANSWER: 2", None, "", "the first", "ANSWER: 1 or 2"])
async def test_biased_or_unreadable_answers_are_no_evidence(make_pool, scripted_ask, reply):
    """A judge that always names the same side moves nothing: which is chosen is left to the seed."""
    pools = [make_pool([ROUGH, TALKING, RIGHT], scripted_ask(compare=reply), seed=seed) for seed in range(12)]
    assert {(await METHODS["judge"](pool)).chosen for pool in pools} == {0, 1, 2}


async def test_many_programs_are_not_all_compared(make_pool, scripted_ask):
    """The number of matches is bounded, which is said."""
    ask = scripted_ask(compare="ANSWER: neither")
    selection = await METHODS["judge"](make_pool([f"def f(n): return {n}" for n in range(20)], ask))
    assert selection.calls == 2 * MAX_MATCHES
    assert any("of 190 pairs" in note for note in selection.notes)


async def test_no_model_is_said(make_pool):
    """Without a model nothing is compared."""
    assert "no model: nothing is compared" in (await METHODS["judge"](make_pool([ROUGH, RIGHT]))).notes


@given(st.permutations(range(5)))
def test_rank_recovers_an_order(order):
    """Where each beats all behind it, strengths fall in that order."""
    wins = {(one, other): 1.0 for place, one in enumerate(order) for other in order[place + 1 :]}
    strength = rank(range(5), wins)
    assert sorted(strength, key=lambda program: -strength[program]) == list(order)
    assert min(strength.values()) > 0
