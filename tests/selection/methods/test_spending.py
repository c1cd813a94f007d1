"""Nothing is asked of a model before the answer can change the choice."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection import METHODS
from sstar_code.selection.evidence.posterior import Beliefs
from sstar_code.selection.evidence.weights import NONE_RIGHT
from sstar_code.selection.judging.calibration import BEST_ACCURACY, JudgeRecord
from sstar_code.selection.judging.prediction import PredictionRecord
from sstar_code.selection.methods.adaptive import TARGET
from sstar_code.selection.methods.registry import select_all

pytestmark = pytest.mark.anyio

SUMS = Problem(
    "sums", "Add the numbers. -9 <= a[i] <= 9", Kind.FUNCTION, "f", "def f(a: list[int]):\n",
    (Test("[1, 2]", "3"), Test("[4]", "4")),
)  # fmt: skip
RIGHT = "def f(a):\n    return sum(a)"
WRONG = "def f(a):\n    return sum(a) if len(a) < 3 else 0"
BEYOND = "def f(a):\n    return sum(a) if all(abs(x) < 10 for x in a) else 0"
REFERENCE = "```python\ndef solve(data):\n    return sum(data[0])\n```"
KIT = "```python\ndef valid(data):\n    return all(-9 <= x <= 9 for x in data[0])\n```"


def variants(code, count):
    """Different programs of one behaviour."""
    return [f"{code}\nunused_{place} = 0" for place in range(count)]


class Measuring:
    """A judge that is right on `right` of 40 answers; counts how often it is measured."""

    def __init__(self, right):
        self.record, self.count = JudgeRecord(right, 40, right // 2, right // 2), 0

    async def __call__(self):
        await anyio.lowlevel.checkpoint()
        self.count += 1
        return self.record


def answer(input, outputs):  # noqa: A002 - the template's name
    right = str(eval(input, {"f": sum}))
    return f"ANSWER: {'ABCD'[outputs.index(right)]}" if right in outputs else "ANSWER: neither"


@pytest.mark.parametrize("codes", [variants(RIGHT, 8), [RIGHT, RIGHT + "  # the same"]])
async def test_where_all_do_alike_nothing_is_asked_by_any_default(make_pool, scripted_ask, codes):
    """No question, no kit, no brute force, no probe, and no input for the baselines."""
    ask, measuring = scripted_ask(choose=answer), Measuring(40)
    pool = replace(make_pool(codes, ask, SUMS), measure_judge=measuring)
    names = ("random", "first", "majority", "mbr", "adaptive")
    table = await select_all(pool, names, free=set(names) - {"adaptive"})
    assert (ask.asked, measuring.count) == ([], 0)
    assert {selection.calls for selection in table.values()} == {0}


async def test_a_split_inside_the_contract_needs_no_kit(make_pool, scripted_ask):
    """The judge is measured once, then asked; neither inputs nor a validator nor a brute force is needed."""
    ask, measuring = scripted_ask(choose=answer, kit=KIT, reference=REFERENCE), Measuring(40)
    pool = replace(make_pool([*variants(WRONG, 3), *variants(RIGHT, 2)], ask, SUMS), measure_judge=measuring)
    selection = await METHODS["adaptive"](pool)
    assert selection.chosen in (3, 4)
    assert {kind for kind, _, _ in ask.asked} == {"choose"}
    assert measuring.count == 1


async def test_a_split_beyond_the_contract_asks_for_a_validator(make_pool, scripted_ask):
    """Only where the leaders differ on inputs of doubtful validity is it asked what is valid."""
    ask = scripted_ask(kit=KIT, choose="ANSWER: invalid")
    await METHODS["adaptive"](make_pool([RIGHT, BEYOND], ask, SUMS))
    assert ask.count("kit") == 1


async def test_a_judge_that_cannot_judge_costs_a_brute_force_instead(make_pool, scripted_ask):
    """No question to it, nor for an output, which it cannot work out; only a brute force can decide."""
    ask, measuring = scripted_ask(choose=answer, reference=REFERENCE), Measuring(20)

    async def measure_prediction():
        await anyio.lowlevel.checkpoint()
        return PredictionRecord(0, 4)

    made = make_pool([*variants(WRONG, 3), RIGHT], ask, SUMS)
    pool = replace(made, measure_judge=measuring, measure_prediction=measure_prediction)
    selection = await METHODS["adaptive"](pool)
    assert selection.chosen == 3
    assert {kind for kind, _, _ in ask.asked} == {"reference"}
    assert "judge: not asked" in " ".join(selection.notes)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.4, 1.8])
def test_one_answer_of_the_best_judge_settles_what_was_even(score):
    """Two behaviours are equally likely; the one that it names is sure enough after that."""
    even = Beliefs.from_scores([score, score], NONE_RIGHT)
    assert even.update([0, 1], 0, BEST_ACCURACY).lead >= TARGET


async def test_a_judge_that_calls_everything_invalid_is_let_be(make_pool, scripted_ask):
    """After two such answers in a row no further input is put to it."""
    ask = scripted_ask(choose="ANSWER: invalid")
    pool = replace(make_pool([WRONG, RIGHT], ask, SUMS), measure_judge=Measuring(40))
    await METHODS["adaptive"](pool)
    assert ask.count("choose") == 2


async def test_baselines_ask_only_where_they_may(make_pool, scripted_ask):
    """`majority` in `free` asks for no input; the method that counts asks as always."""
    for free, count in ((("majority",), 0), ((), 1)):
        ask = scripted_ask(inputs="```json\n[[[1, 2, 3]]]\n```", choose=answer)
        await select_all(make_pool([WRONG, RIGHT], ask, SUMS), ["majority", "adaptive"], free=free)
        assert ask.count("inputs") == count
        assert ask.count("choose") > 0
