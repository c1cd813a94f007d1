"""Outputs that a model works out before it sees one: how they are read, and when they are asked for."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.outcome import Status
from sstar_code.selection import METHODS, Reply
from sstar_code.selection.evidence.clustering import Behaviour
from sstar_code.selection.judging.calibration import JudgeRecord
from sstar_code.selection.judging.prediction import (
    PredictionRecord,
    believe,
    chance_of,
    measure_prediction,
    read_expected,
)
from sstar_code.selection.judging.question import Refusal

SUMS = Problem(
    "sums", "Add the numbers: f([1, 2]) is 3. -9 <= a[i] <= 9", Kind.FUNCTION, "f", "def f(a: list[int]):\n",
    (Test("[1, 2]", "3"), Test("[4]", "4")),
)  # fmt: skip
LINES = Problem("lines", "Print it twice.", Kind.STDIN, public_tests=(Test("a\n", "a\na\n"),))
RIGHT = "def f(a):\n    return sum(a)"
WRONG = "def f(a):\n    return sum(a) if len(a) < 3 else 0"
CODES = (WRONG, WRONG + "\nx = 1", WRONG + "\nx = 2", RIGHT)


@pytest.mark.parametrize(
    ("problem", "text", "said"),
    [
        (SUMS, "1 + 2\n\n```python\n3\n```", "3"),
        (
            SUMS,
            "First\n```python\nx\n```\nand then\n```python\n[1, (2, 'a')]\n```\n",
            '[1, {"tuple": [2, "a"]}]',
        ),
        (SUMS, "```python\nsum([1, 2])\n```", None),
        (SUMS, "It is 3.", None),
        (SUMS, "No rule.\n\nANSWER: invalid", Refusal.INVALID),
        (SUMS, "```python\n3\n```\nANSWER: A", "3"),
        (LINES, "```text\na\na\n```", "a\na\n"),
        (LINES, "", None),
    ],
)
def test_the_last_block_is_the_output(problem, text, said):
    """A literal of the value, or the whole text; a line that refuses; else nothing."""
    found = read_expected(problem, Reply(text, 1))
    if isinstance(said, str) and "tuple" in said:
        assert found is not None
        assert "2" in found
    else:
        assert found == said
    assert read_expected(problem, None) is None


def test_what_few_outputs_tell():
    """A wrong answer is easily one of yes and no, seldom one of many; so a match tells more there."""
    few = [Behaviour(Status.OK, text) for text in ("true", "false")]
    many = [Behaviour(Status.OK, text) for text in ("17", "true")]
    failed = [Behaviour(Status.RE), Behaviour(Status.OK, "17")]
    assert chance_of(few) > chance_of(many) == chance_of(failed)
    assert believe(0.6, chance_of(few)) == pytest.approx(0.6)
    assert believe(0.6, chance_of(many)) > 0.8
    assert believe(1.0, chance_of(many)) == 0.95


class Model:
    """A judge that always names what stands first, and works out what `works` makes of the input."""

    def __init__(self, works, says=lambda **_: "ANSWER: A"):
        self.works, self.says, self.asked, self.shown = works, says, [], []

    async def __call__(self, question, problem, ordinal, **values):
        await anyio.lowlevel.checkpoint()
        self.asked.append(question.value)
        self.shown.append(problem.statement)
        if question == "choose":
            return Reply(self.says(**values), 10)
        return Reply(self.works(values["input"]), 10) if question == "expect" else None


def right(text):
    return f"```python\n{eval(text, {'f': sum})}\n```"


def known(record):
    async def measure():
        await anyio.lowlevel.checkpoint()
        return record

    return measure


BY_ORDER, GOOD = JudgeRecord(4, 8, 0, 0), JudgeRecord(38, 40, 18, 19)
MOSTLY = PredictionRecord(7, 8)


async def choose(make_pool, model, judge=BY_ORDER, predicted=MOSTLY):
    measures = {"measure_judge": known(judge), "measure_prediction": known(predicted)}
    return await METHODS["adaptive"](replace(make_pool(CODES, model, SUMS), **measures))


@pytest.mark.anyio
async def test_who_goes_by_the_order_is_asked_for_the_output(make_pool):
    """The judge is no good, what it works out is right: three wrong programs lose to one."""
    model = Model(right)
    made = await choose(make_pool, model)
    assert made.chosen == 3
    assert "choose" not in model.asked
    assert made.asked[0].expected is not None
    assert made.asked[0].answer == "A"
    assert any("before it saw an output" in test.why for test in made.derived)


@pytest.mark.anyio
async def test_a_good_judge_is_not_asked_for_outputs(make_pool):
    """Where showing outputs works, working them out costs nothing."""

    def says(input, outputs):  # noqa: A002 - the template's name
        true = str(eval(input, {"f": sum}))
        return f"ANSWER: {'ABCD'[outputs.index(true)]}" if true in outputs else "ANSWER: neither"

    model = Model(right, says)
    made = await choose(make_pool, model, judge=GOOD)
    assert made.chosen == 3
    assert "expect" not in model.asked


@pytest.mark.anyio
@pytest.mark.parametrize("answer", ["```python\n-77\n```", "no idea"])
async def test_an_output_that_no_program_gave_tells_nothing(make_pool, answer):
    """The choice stays what it was, and after two such answers it is over."""
    model = Model(lambda _: answer)
    made = await choose(make_pool, model)
    assert made.evidence[0].prior == made.evidence[0].posterior
    assert model.asked.count("expect") == 2


@pytest.mark.anyio
async def test_who_works_nothing_out_on_known_tests_is_not_asked(make_pool):
    """None of four outputs of public tests was right: no question is put."""
    model = Model(right)
    made = await choose(make_pool, model, predicted=PredictionRecord(0, 4))
    assert "expect" not in model.asked
    assert made.chosen != 3


@pytest.mark.anyio
async def test_a_single_problem_is_measured_on_its_own_test(make_pool):
    """Without a set one public test is asked for, its answer cut from the statement."""
    model = Model(right)
    pool = replace(make_pool(CODES, model, SUMS), measure_judge=known(BY_ORDER))
    made = await METHODS["adaptive"](pool)
    assert made.chosen == 3
    first = model.asked.index("expect")
    assert "is [left out]" in model.shown[first]
    assert made.calls <= 8


@pytest.mark.anyio
async def test_a_set_is_measured_once_and_not_long():
    """Eight tests, four where none is right, two where one of these cannot be read; none shows the answer."""
    problems = [replace(SUMS, id=f"p{number:02}") for number in range(20)]
    good, bad = Model(right), Model(lambda _: "```python\n5\n```")
    assert await measure_prediction(problems, good) == PredictionRecord(8, 8)
    assert await measure_prediction(problems, bad) == PredictionRecord(0, 4)
    unable = Model(lambda _: "```python\n[sum(a), [\n```")
    assert await measure_prediction(problems, unable) == PredictionRecord(0, 2, 2)
    given = iter(["```python\n5\n```", "It is 5."] * 4)
    assert await measure_prediction(problems, Model(lambda _: next(given))) == PredictionRecord(0, 2, 1)
    unsure = Model(lambda _: "ANSWER: invalid")
    assert await measure_prediction(problems, unsure) == PredictionRecord(0, 4)
    assert all("is 3" not in text for text in good.shown)
