"""Results are kept by content: nothing runs twice."""

from __future__ import annotations

import anyio
import pytest

from sstar_code.sandbox import Execution, Limits, Program, Status, execution_key
from sstar_code.sandbox.memo import DictMemory, MemoSandbox
from sstar_code.sandbox.outcome import cut_output, is_cut

LIMITS = Limits()


class Counting:
    """A sandbox that counts; an input named after a status ends with it."""

    name = "counting"
    workers = 2

    def __init__(self, delay_s: float = 0.0) -> None:
        self.ran: list[tuple[str, str]] = []
        self.delay_s = delay_s

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        await anyio.sleep(self.delay_s)
        results = []
        for text in inputs:
            self.ran.append((program.code, text))
            results.append(Execution(Status(text) if text in list(Status) else Status.OK, stdout=text))
            if stop_on_failure and results[-1].status is not Status.OK:
                break
        return results


@pytest.mark.anyio
async def test_known_results_are_not_run_again():
    """A second call runs only the inputs that are new, and answers in the order asked."""
    inner = Counting()
    memo = MemoSandbox(inner)
    await memo.run(Program("a"), ["1", "2"], LIMITS)
    results = await memo.run(Program("a"), ["3", "2", "1", "3"], LIMITS)
    assert [result.stdout for result in results] == ["3", "2", "1", "3"]
    assert inner.ran == [("a", "1"), ("a", "2"), ("a", "3")]


@pytest.mark.anyio
async def test_other_limits_are_another_run():
    """Limits are part of the key: a result under one limit says nothing about another."""
    inner = Counting()
    memo = MemoSandbox(inner)
    await memo.run(Program("a"), ["1"], LIMITS)
    await memo.run(Program("a"), ["1"], Limits(cpu_s=1.0))
    assert len(inner.ran) == 2


@pytest.mark.anyio
async def test_equal_programs_at_the_same_time_run_once():
    """Samples with the same source that arrive together share one run."""
    inner = Counting(delay_s=0.02)
    memo = MemoSandbox(inner)
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(memo.run, Program("a"), ["1", "2"], LIMITS)
    assert sorted(inner.ran) == [("a", "1"), ("a", "2")]


@pytest.mark.anyio
async def test_stop_on_failure_ends_at_the_first_failure():
    """The list ends with the first failure, whether it was known before or not."""
    inner = Counting()
    memo = MemoSandbox(inner)
    first = await memo.run(Program("a"), ["1", "RE", "2"], LIMITS, stop_on_failure=True)
    second = await memo.run(Program("a"), ["0", "RE", "2"], LIMITS, stop_on_failure=True)
    assert [result.status for result in first] == [Status.OK, Status.RE]
    assert [result.status for result in second] == [Status.OK, Status.RE]
    assert ("a", "2") not in inner.ran


@pytest.mark.anyio
async def test_lost_runs_are_tried_again():
    """A run that the sandbox lost is not remembered."""
    inner = Counting()
    memo = MemoSandbox(inner)
    await memo.run(Program("a"), ["IE"], LIMITS)
    await memo.run(Program("a"), ["IE"], LIMITS)
    assert len(inner.ran) == 2


@pytest.mark.anyio
async def test_a_cancelled_run_does_not_block_the_next():
    """Whoever waits for a run that is cancelled runs it himself."""
    inner = Counting(delay_s=0.05)
    memo = MemoSandbox(inner)
    with anyio.move_on_after(0.01):
        await memo.run(Program("a"), ["1"], LIMITS)
    (result,) = await memo.run(Program("a"), ["1"], LIMITS)
    assert result.stdout == "1"


@pytest.mark.anyio
async def test_a_long_output_is_kept_short_and_made_again_for_who_needs_more():
    """A memory is given a million characters at most; a caller is given as many as it asks for."""
    inner, memory = Counting(), DictMemory()
    memo = MemoSandbox(inner, memory)
    long = "x" * (3 << 20)

    async def run(text, kept):
        ((result,),) = [await memo.run(Program("a"), [text], Limits(kept_chars=kept))]
        return result.stdout

    whole = await run(long, None)
    assert whole == long
    kept = memory.get_execution(execution_key(Program("a"), long, LIMITS)).stdout
    assert (len(kept) < 1_100_000, is_cut(kept)) == (True, True)
    assert await run(long, 1 << 10) == cut_output(long, 1 << 10)
    assert len(inner.ran) == 1
    assert await run(long, 2 << 20) == cut_output(long, 2 << 20)
    assert len(inner.ran) == 2
    middle = "y" * (1 << 19)
    assert await run(middle, 10) == cut_output(middle, 10)
    assert await run(middle, None) == middle
    assert len(inner.ran) == 3, "what fits into the memory is there for all"
