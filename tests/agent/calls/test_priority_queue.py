"""PriorityLimiter: bounded, by urgency, repeatable, and none is lost to a cancellation."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from sstar_code.agent.calls.concurrency import PriorityLimiter, urgency
from sstar_code.agent.models import Purpose, Stage

SELECTION = Purpose("p", Stage.JUDGE)
REPAIR = Purpose("p", Stage.DEBUG, round=1)
LATE_REPAIR = Purpose("p", Stage.DEBUG, round=2)
SAMPLE = Purpose("p", Stage.GENERATE)


def test_later_stages_and_older_problems_go_first():
    """Selection before repairs before first samples; within a stage the problem begun first."""
    order = [(SELECTION, 9), (REPAIR, 0), (REPAIR, 9), (SAMPLE, 0), (SAMPLE, 9)]
    ranks = [urgency(purpose, problem) for purpose, problem in order]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_towards_the_end_the_longest_chain_goes_first():
    """When every problem has been begun, what most other calls wait for goes before what ends a chain."""
    order = [SELECTION, SAMPLE, REPAIR, LATE_REPAIR]
    ranks = [urgency(purpose, 0, closing=True) for purpose in order]
    assert ranks == sorted(ranks)


async def take(turns: PriorityLimiter, rank: int, name: str, said: list[str]) -> None:
    async with turns.turn(rank):
        said.append(name)
        await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_the_most_urgent_of_those_waiting_goes_next_and_ties_by_arrival():
    """With one turn at a time the order is rank, then arrival."""
    turns, said = PriorityLimiter(1), []
    async with anyio.create_task_group() as group:
        for name, rank in [("first", 5), ("low", 9), ("tie 1", 3), ("tie 2", 3), ("high", 1)]:
            group.start_soon(take, turns, rank, name, said)
            await anyio.lowlevel.checkpoint()
    assert said == ["first", "high", "tie 1", "tie 2", "low"]


@pytest.mark.anyio
async def test_never_more_than_the_width_and_a_wider_one_lets_more_in():
    """The width bounds what is under way; widening lets those waiting in at once."""
    turns, said = PriorityLimiter(2), []
    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(take, turns, 0, str(number), said)
        await anyio.sleep(0.003)
        assert (turns.taken, turns.waiting) == (2, 4)
        turns.width = 5
        assert (turns.taken, turns.waiting) == (5, 1)
    assert (turns.taken, turns.waiting, len(said)) == (0, 0, 6)


@pytest.mark.anyio
async def test_a_cancelled_wait_gives_its_place_back():
    """Cancelled while waiting or in the moment of being called, a turn is not lost."""
    turns, said = PriorityLimiter(1), []
    async with anyio.create_task_group() as group:
        group.start_soon(take, turns, 0, "holder", said)
        await anyio.lowlevel.checkpoint()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as inner:
                inner.start_soon(take, turns, 1, "given up", said)
                await anyio.sleep(0.002)
                scope.cancel()
        assert turns.waiting == 0
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as inner:
                inner.start_soon(take, turns, 1, "called too late", said)
                await anyio.sleep(0.001)
                turns.width = 2
                scope.cancel()
        turns.width = 1
        group.start_soon(take, turns, 1, "next", said)
    assert (said[0], said[-1]) == ("holder", "next")
    assert "given up" not in said
    assert (turns.taken, turns.waiting) == (0, 0)
