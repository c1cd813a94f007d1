from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.checkers import accepts
from sstar_code.selection import Reply
from sstar_code.selection.judging.calibration import JudgeRecord, grade, make_probe, measure_judge
from sstar_code.selection.judging.question import Refusal

ANSWERS = st.sampled_from([0, 1, None, Refusal.NEITHER, Refusal.INVALID])


def problem(output, number=0, kind=Kind.STDIN, checker="exact"):
    return Problem(
        f"p{number:02}", "S", kind, "f" if kind is Kind.FUNCTION else None,
        public_tests=(Test(str(number), output),), checker=checker,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("3\n", Kind.STDIN),
        ("YES\n", Kind.STDIN),
        ("1 2 3\n4\n", Kind.STDIN),
        ("abc\n", Kind.STDIN),
        ("true", Kind.FUNCTION),
        ("[1, 2]", Kind.FUNCTION),
        ('"ab"', Kind.FUNCTION),
    ],
)
def test_a_probe_holds_the_truth_and_something_wrong(output, kind):
    """Two outputs: the true one, which is group 0, and one that the checker rejects."""
    asked = problem(output, kind=kind)
    _, probe = make_probe(asked, 0)
    assert set(probe.groups) == {0, 1}
    shown = dict(zip(probe.groups, probe.outputs, strict=True))
    assert shown[0] != shown[1]
    if kind is Kind.STDIN:
        assert not accepts("exact", kind, output, shown[1])


def test_what_the_checker_accepts_is_nothing_wrong():
    """A small change that is still right is passed over; where nothing can be changed there is no probe."""
    asked = problem("900\n", checker="floats:0.9")
    _, probe = make_probe(asked, 0)
    (wrong,) = (output for output in probe.outputs if output.split() != ["900"])
    assert not accepts("floats:0.9", Kind.STDIN, "900\n", wrong)
    assert make_probe(problem(" \n"), 0) is None


@pytest.mark.parametrize("test", [Test("1", None), Test(program="assert f(1)")])
def test_no_probe_without_a_known_output(test):
    """Assertions and tests without an output cannot be asked about."""
    assert make_probe(Problem("p", "S", Kind.FUNCTION, "f", public_tests=(test,)), 0) is None


def test_an_unmeasured_judge_is_asked_a_coin_is_not():
    """The prior trusts; 20 questions of a coin do not, and neither does one wrong answer pair."""
    assert JudgeRecord().is_worth_asking
    assert JudgeRecord(2, 2, 1, 1).is_worth_asking
    assert not JudgeRecord(0, 2, 0, 1).is_worth_asking
    assert not JudgeRecord(1, 2).is_worth_asking
    assert not JudgeRecord(22, 40, 8, 14).is_worth_asking
    assert not JudgeRecord(28, 40, 14, 20).is_worth_asking
    assert JudgeRecord(32, 40, 14, 17).is_worth_asking


@given(st.lists(st.tuples(ANSWERS, ANSWERS), max_size=30))
def test_accuracy_is_a_probability(pairs):
    """Whatever is answered, the accuracy lies strictly between 0 and 1 and never at certainty."""
    record = sum((grade(*pair) for pair in pairs), JudgeRecord())
    assert 0 < record.accuracy <= record.accuracy_twice <= 0.95
    assert record.asked == 2 * len(pairs)


def test_right_answers_raise_and_wrong_ones_lower():
    """The estimate follows the answers; an unreadable one is worth a coin toss."""
    assert JudgeRecord(20, 20).accuracy > JudgeRecord(15, 20).accuracy > JudgeRecord(10, 20).accuracy
    assert grade(None, Refusal.NEITHER) == JudgeRecord(1.0, 2)
    assert grade(0, 0) == JudgeRecord(2.0, 2, 1, 1)
    assert grade(1, 1) == JudgeRecord(0.0, 2, 0, 1)


@pytest.mark.anyio
async def test_the_record_does_not_depend_on_the_order_of_problems():
    """The same set gives the same questions and record, however it is sorted; at most `probes` questions."""
    asked = []

    async def ask(question, of, ordinal, **values):
        await anyio.lowlevel.checkpoint()
        asked.append((of.id, ordinal, tuple(values["outputs"])))
        return Reply("ANSWER: A", 1)

    problems = [problem(f"{number}\n", number) for number in range(30)]
    first = await measure_judge(problems, ask, probes=8)
    once, asked[:] = sorted(asked), []
    assert await measure_judge(problems[::-1], ask, probes=8) == first
    assert sorted(asked) == once
    assert len(once) == 8  # it is clear after four questions that the order decides
    assert {name for name, _, _ in once} == {f"p{number:02}" for number in range(4)}
    assert first.accuracy < 0.65  # "A" in both orders is right in exactly one
    assert not first.is_worth_asking


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("judge", "questions", "calls"),
    [
        (lambda place: 0, 8, 12),
        (lambda place: None, 4, 8),
        (lambda place: place % 3 % 2, 20, 24),
        (lambda place: None if place == 5 else 0, 8, 12),
        (lambda place: None if place == 3 else 0, 12, 24),
    ],
    ids=["always right", "always the first shown", "wrong on a third", "order late", "order early"],
)
async def test_measuring_ends_when_it_is_clear(judge, questions, calls):
    """Few questions are enough for the best and for one that goes by the order; others get all twenty.

    Once the first four got one answer in both orders, the others are put in one.
    """
    asked = []

    async def ask(question, of, ordinal, **values):
        await anyio.lowlevel.checkpoint()
        asked.append(ordinal)
        said = judge(int(of.id[1:]))
        if said is None:
            return Reply("ANSWER: A", 1)
        is_true = [output.strip() == str(1000 + int(of.id[1:])) for output in values["outputs"]]
        return Reply(f"ANSWER: {'AB'[is_true.index(said == 0)]}", 1)

    record = await measure_judge([problem(f"{1000 + number}\n", number) for number in range(30)], ask)
    assert record.asked == 2 * questions
    assert len(asked) == calls
    assert record.is_worth_asking is (judge(0) == judge(1) == 0)
