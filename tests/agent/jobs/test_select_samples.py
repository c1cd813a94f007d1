"""Choosing among samples that exist already."""

from __future__ import annotations

import pytest

from sstar_code.agent.jobs.select_samples import Work, select_samples, try_samples
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.selection import Question, Reply

pytestmark = pytest.mark.anyio


def work(number, *codes):
    return Work(Problem(f"p{number}", "Print 3.", Kind.STDIN, public_tests=(Test("", "3"),)), codes)


@pytest.mark.parametrize(
    ("count", "second", "probes"),
    [(8, "print(1 + 2)", 4), (7, "print(1 + 2)", 7), (8, "print(3)  # the same program", 0)],
)
async def test_the_judge_is_measured_for_a_set_where_it_may_be_asked_often(count, second, probes):
    """Four of eight open problems show that the order decides; of fewer each finds out by itself."""
    asked = []

    async def ask(question, problem, ordinal, **_):
        asked.append((question, ordinal))
        return Reply("ANSWER: A", 1)

    jobs = [work(number, "print(3)", second) for number in range(count)]
    sandbox = FakeSandbox(lambda program, text: "4" if text.strip() and "1 + 2" in program.code else "3")
    candidates = await try_samples(jobs, sandbox=sandbox, at_once=1)
    chosen = await select_samples(jobs, candidates, "adaptive", sandbox=sandbox, ask=ask, seed=0, at_once=1)
    assert [selection.chosen for _, selection in chosen] == [0] * count
    assert asked.count((Question.CHOOSE, "probe-0")) == probes
