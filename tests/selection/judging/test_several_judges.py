"""Several judges: each has its own record, and their answers are evidence of their own."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection import METHODS, Reply
from sstar_code.selection.judging.calibration import JudgeRecord, measure_judge

pytestmark = pytest.mark.anyio

SUMS = Problem(
    "sums", "Add the numbers. -9 <= a[i] <= 9", Kind.FUNCTION, "f", "def f(a: list[int]):\n",
    (Test("[1, 2]", "3"), Test("[4]", "4")),
)  # fmt: skip
RIGHT = "def f(a):\n    return sum(a)"
WRONG = "def f(a):\n    return sum(a) if len(a) < 3 else 0"


class Judges:
    """Judges by number, each a function of input and outputs; counts whom it asked about what."""

    def __init__(self, *judges):
        self.judges, self.asked = judges, []

    async def __call__(self, question, problem, ordinal, **values):
        await anyio.lowlevel.checkpoint()
        if question != "choose":
            return None
        number = int(ordinal[6]) if ordinal.startswith("judge-") else 1
        self.asked.append((number, values["input"]))
        return Reply(self.judges[number - 1](**values), 10)


def right(input, outputs):  # noqa: A002 - the template's name
    true = str(eval(input, {"f": sum}))
    return f"ANSWER: {'ABCD'[outputs.index(true)]}" if true in outputs else "ANSWER: neither"


def wrong(input, outputs):  # noqa: A002
    true = str(eval(input, {"f": sum}))
    return f"ANSWER: {'ABCD'[next(n for n, text in enumerate(outputs) if text != true)]}"


def refuse(input, outputs):  # noqa: A002
    return "ANSWER: invalid"


def known(share):
    """The record of a judge that is right on this share of 40 answers."""

    async def measure():
        await anyio.lowlevel.checkpoint()
        correct = round(40 * share)
        return JudgeRecord(correct, 40, correct // 2, 19)

    return measure


async def choose(make_pool, judges, *shares, codes=(WRONG, WRONG + "\nx = 1", WRONG + "\nx = 2", RIGHT)):
    ask = Judges(*judges)
    first, *others = map(known, shares)
    pool = replace(make_pool(codes, ask, SUMS), measure_judge=first, other_judges=tuple(others))
    return ask, await METHODS["adaptive"](pool)


async def test_who_is_worth_nothing_is_not_asked(make_pool):
    """The second judge is good and the first one guesses: only the second is asked, and it decides."""
    ask, made = await choose(make_pool, (wrong, right), 0.5, 0.95)
    assert made.chosen == 3
    assert {number for number, _ in ask.asked} == {2}
    assert {item.judge for item in made.asked} == {2}
    assert any(note.startswith("judge: not asked") for note in made.notes)


async def test_two_that_agree_are_believed_more_than_one(make_pool):
    """Both are asked about what matters, and the belief after both is above that after either alone."""
    _, alone = await choose(make_pool, (right,), 0.8)
    ask, both = await choose(make_pool, (right, right), 0.8, 0.8)
    assert {number for number, _ in ask.asked} == {1, 2}
    assert both.chosen == 3
    assert both.confidence >= alone.confidence
    assert max(item.posterior[1] for item in both.asked[:2]) > alone.asked[0].posterior[1]


async def test_an_input_that_one_rules_out_is_put_to_no_other(make_pool):
    """What is invalid for one judge costs no second call."""
    ask, _ = await choose(make_pool, (refuse, refuse), 0.9, 0.9)
    inputs = [text for _, text in ask.asked]
    assert 0 < len(inputs) == len(set(inputs))


async def test_the_calls_are_bounded_for_all_together(make_pool):
    """Judges that contradict each other cost no more than one judge may."""
    ask, _ = await choose(make_pool, (right, wrong), 0.8, 0.8)
    assert len(ask.asked) <= 6


async def test_each_is_measured_for_itself():
    """The record of the second judge rests on its own answers, which are asked for in its name."""
    problems = [replace(SUMS, id=f"p{number:02}", public_tests=SUMS.public_tests[:1]) for number in range(20)]
    ask = Judges(right, wrong)
    good, bad = await measure_judge(problems, ask), await measure_judge(problems, ask, judge=2)
    assert good.is_worth_asking
    assert not bad.is_worth_asking
    assert {number for number, _ in ask.asked} == {1, 2}
