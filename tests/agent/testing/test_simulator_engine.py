"""The simulated engine: batching, order, the cache, and figures of a real server."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.testing.simulator import CPU_TINY, Engine, EngineSpec, Job, QueueFullError, run_virtual
from sstar_code.agent.testing.simulator.prefix import cut_blocks

SMALL = EngineSpec(
    base_s=0.010,
    per_sequence_s=0.001,
    per_prompt_token_s=0.0001,
    max_num_seqs=4,
    max_num_batched_tokens=100,
    kv_tokens=10_000,
)


def test_one_job_takes_its_prompt_and_its_steps():
    """One step reads the prompt and writes the first token; each further token is a step of one."""
    engine = Engine(SMALL)
    job = Job(prompt_tokens=50, output_tokens=5)
    engine.submit(job, 1.0)
    assert engine.advance(100.0) == [job]
    assert job.first_token_s == pytest.approx(1.0 + 0.010 + 50 * 0.0001)
    assert job.ended_s == pytest.approx(job.first_token_s + 4 * 0.011)


def test_a_full_batch_is_slower_a_step_and_faster_a_token():
    """Four together take less than four times one, and never do more than four run."""
    engine = Engine(SMALL)
    engine.trace = []
    for _ in range(8):
        engine.submit(Job(10, 100), 0.0)
    ended = engine.advance(1_000.0)
    assert len(ended) == 8
    assert max(running for _, running, _ in engine.trace) == 4
    assert ended[-1].ended_s == pytest.approx(2 * 100 * 0.014, rel=0.1)
    assert engine.running_seconds == pytest.approx(4 * ended[-1].ended_s, rel=0.01)


def test_urgent_jobs_overtake_those_that_wait_but_not_those_that_run():
    """The lowest priority value is taken first when a place is free, if the engine heeds it."""
    for heeds, order in ((True, [0, 3, 1, 2]), (False, [0, 1, 2, 3])):
        engine = Engine(EngineSpec(0.01, 0.0, 0.0, max_num_seqs=1), priorities=heeds)
        jobs = [Job(1, 10, priority=priority) for priority in (5, 2, 2, 1)]
        for number, job in enumerate(jobs):
            engine.submit(job, number * 0.001)
        assert [jobs.index(job) for job in engine.advance(100.0)] == order


def test_equal_prompts_are_read_once():
    """The second sample of a prompt finds all but its last block in the cache."""
    engine = Engine(SMALL)
    text = "x" * 4 * 64
    jobs = [Job(64, 2, blocks=cut_blocks(text, 16)) for _ in range(2)]
    for job in jobs:
        engine.submit(job, 0.0)
    engine.advance(10.0)
    assert [job.cached for job in jobs] == [0, 48]
    assert engine.cache.hits == 48


def test_full_memory_throws_the_newest_back_and_loses_nothing():
    """When the cache is full the least urgent is preempted; every job ends with all its tokens."""
    engine = Engine(EngineSpec(0.01, 0.0, 0.0, max_num_seqs=4, kv_tokens=300))
    jobs = [Job(50, 100) for _ in range(4)]
    for job in jobs:
        engine.submit(job, 0.0)
    assert set(engine.advance(1_000.0)) == set(jobs)
    assert engine.preemptions > 0
    assert engine.cache.used == 0


def test_a_full_line_refuses():
    """With `max_num_queued_reqs` a request too many is refused, as vLLM does with 503."""
    engine = Engine(EngineSpec(0.01, 0.0, 0.0, max_num_seqs=1, max_num_queued_reqs=1))
    engine.submit(Job(1, 100), 0.0)
    engine.submit(Job(1, 100), 0.1)
    with pytest.raises(QueueFullError):
        engine.submit(Job(1, 100), 0.2)


@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.integers(1, 60), st.floats(0, 1), st.integers(0, 3)), max_size=25
    ),
    st.lists(st.integers(0, 24), max_size=4),
)
def test_every_job_ends_once_with_its_tokens(shapes, given_up):
    """Whatever arrives when and whatever is given up: the rest ends, and nothing is held at the end."""
    engine = Engine(EngineSpec(0.01, 0.001, 0.0001, max_num_seqs=3, max_num_batched_tokens=64, kv_tokens=900))
    jobs, ended = [], []
    for prompt, output, gap_s, priority in shapes:
        jobs.append(Job(prompt, output, blocks=cut_blocks("y" * prompt * 4, 16), priority=priority))
        ended += engine.advance(engine.now_s + gap_s)
        engine.submit(jobs[-1], engine.now_s)
    lost = {jobs[place] for place in given_up if place < len(jobs) and jobs[place] not in ended}
    for job in lost:
        engine.abort(job, engine.now_s)
    ended += engine.advance(engine.now_s + 10_000.0)
    assert len(ended) == len(set(ended))
    assert set(jobs) - lost <= set(ended)
    assert all(job.written == job.output_tokens for job in ended)
    assert (engine.cache.used, engine.running, engine.waiting) == (0, [], [])


def test_behaves_like_the_real_server_it_was_set_from():
    """24 prompts of 575 tokens, 8 samples of 64: vLLM took 2.9 to 3.5 s, hit 0.78, ran 128, 81-157 waited."""
    engine = Engine(CPU_TINY)
    engine.trace = []
    for prompt in range(24):
        text = f"{prompt:04d}".ljust(575 * 4, "x")
        for _ in range(8):
            engine.submit(Job(575, 64, blocks=cut_blocks(text, CPU_TINY.block_tokens)), 0.0)
    ended = engine.advance(100.0)
    assert 2.9 <= max(job.ended_s for job in ended) <= 3.5
    assert engine.cache.hits / engine.cache.queries == pytest.approx(0.78, abs=0.005)
    assert max(running for _, running, _ in engine.trace) == 128
    assert 81 <= max(waiting for _, _, waiting in engine.trace) <= 160


def test_the_clock_leaps_over_every_wait():
    """An hour passes at once, and what sleeps less wakes first."""

    async def main():
        woke = []

        async def nap(seconds):
            await anyio.sleep(seconds)
            woke.append(seconds)

        async with anyio.create_task_group() as group:
            for seconds in (3600.0, 60.0, 1800.0):
                group.start_soon(nap, seconds)
        return woke, anyio.current_time()

    woke, now_s = run_virtual(main)
    assert woke == [60.0, 1800.0, 3600.0]
    assert now_s == pytest.approx(3600.0)


def test_a_program_that_waits_for_nothing_is_told_so():
    """Where no task waits for time, the clock cannot leap: an error instead of a hang."""

    async def main():
        await anyio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing can ever happen"):
        run_virtual(main)
