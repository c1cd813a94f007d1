"""What the probability of an answer adds: as much as it was seen to tell on known answers, and no more."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection import METHODS, Reply
from sstar_code.selection.judging.calibration import JudgeRecord, grade
from sstar_code.selection.judging.question import weigh
from sstar_code.selection.judging.sureness import adjust, odds_of

SURE, UNSURE = odds_of(0.98), odds_of(0.55)
TELLING = ((SURE, 1.0),) * 20 + ((UNSURE, 1.0), (UNSURE, 0.0)) * 8
NOISE = (
    (SURE, 1.0),
    (SURE, 1.0),
    (SURE, 1.0),
    (SURE, 0.0),
    (UNSURE, 1.0),
    (UNSURE, 1.0),
    (UNSURE, 1.0),
    (UNSURE, 0.0),
) * 4
KNOWN = st.lists(st.tuples(st.floats(-4, 5), st.sampled_from([0.0, 0.5, 1.0])), max_size=40).map(tuple)


def test_a_probability_that_tells_is_used():
    """Sure answers were all right and unsure ones half: now they are believed apart, around the same mean."""
    sure, unsure = adjust(0.78, TELLING, 0.98, 0.95), adjust(0.78, TELLING, 0.55, 0.95)
    assert unsure < 0.68
    assert sure > 0.82
    shares = [adjust(0.78, TELLING, 0.98 if odds == SURE else 0.55, 1.0) for odds, _ in TELLING]
    assert sum(shares) / len(shares) == pytest.approx(0.78, abs=0.001)


def test_a_probability_that_tells_nothing_changes_little():
    """Sure and unsure answers were right as often: both are believed about as much as without it."""
    assert adjust(0.75, NOISE, 0.98, 0.95) == pytest.approx(0.75, abs=0.06)
    assert adjust(0.75, NOISE, 0.55, 0.95) == pytest.approx(0.75, abs=0.06)


def test_without_enough_known_answers_the_accuracy_stands():
    """Seven known answers, or none with a probability, or no probability: nothing is changed."""
    assert adjust(0.8, TELLING[:7], 0.6, 0.95) == 0.8
    assert adjust(0.8, (), 0.6, 0.95) == 0.8
    assert adjust(0.8, TELLING, None, 0.95) == 0.8


@given(KNOWN, st.floats(0.05, 0.95), st.floats(0, 1), st.floats(0, 1))
def test_the_surer_the_more_and_never_out_of_bounds(known, accuracy, one, other):
    """Whatever was answered, more probability is no less belief; it stays between a guess and the most."""
    low, high = sorted((one, other))
    less, more = adjust(accuracy, known, low, 0.95), adjust(accuracy, known, high, 0.95)
    assert min(accuracy, 0.5) <= less <= more + 1e-9
    assert more <= max(0.95, accuracy)


@pytest.mark.parametrize(
    ("text", "likely", "share"),
    [
        ("ANSWER: A", {"A": 0.75, "B": 0.25}, 0.75),
        ("ANSWER: neither", {"neither": 0.5, "A": 0.5}, 0.5),
        ("ANSWER: B", {"A": 0.5}, 0.0),
        ("ANSWER: A", None, None),
        ("ANSWER: A", {}, None),
        ("ANSWER: A", {"A": 0.0}, None),
        ("no line", {"A": 0.5}, None),
    ],
)
def test_the_share_of_the_word_said(text, likely, share):
    """Its share of the words that could be said, as listed; none where no answer or no probability came."""
    assert weigh(Reply(text, 1, likely), 2) == share
    assert weigh(None, 2) is None


def test_records_keep_what_was_known():
    """Only answers with a probability, added up with the records."""
    one = grade(0, 1, probabilities=(0.9, None))
    assert one.known == ((odds_of(0.9), 1.0),)
    assert (one + grade(0, 0)).known == one.known


SUMS = Problem(
    "sums", "Add the numbers. -9 <= a[i] <= 9", Kind.FUNCTION, "f", "def f(a: list[int]):\n",
    (Test("[1, 2]", "3"), Test("[4]", "4")),
)  # fmt: skip
RIGHT = "def f(a):\n    return sum(a)"
WRONG = "def f(a):\n    return sum(a) if len(a) < 3 else 0"


@pytest.mark.anyio
async def test_an_unsure_answer_moves_belief_less(make_pool):
    """The same words, said with 0.98 and with 0.55 by a judge whose probabilities tell."""
    record = JudgeRecord(31, 40, 12, 19, TELLING)

    async def measured():
        await anyio.lowlevel.checkpoint()
        return record

    async def first_answer(sure):
        async def ask(question, problem, ordinal, **values):
            await anyio.lowlevel.checkpoint()
            if question != "choose":
                return None
            true = str(eval(values["input"], {"f": sum}))
            letter = "ABCD"[values["outputs"].index(true)]
            return Reply(f"ANSWER: {letter}", 10, {letter: sure, "neither": 1 - sure})

        pool = replace(make_pool([WRONG, RIGHT], ask, SUMS), measure_judge=measured)
        return (await METHODS["adaptive"](pool)).asked[0]

    sure, unsure = await first_answer(0.98), await first_answer(0.55)
    assert (sure.probability, unsure.probability) == (0.98, 0.55)
    assert sure.answer == unsure.answer
    assert max(sure.posterior) > max(unsure.posterior)
