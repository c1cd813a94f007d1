"""Which job comes next, who is refused, and what is left of requests that nobody waits for."""

from __future__ import annotations

import anyio
import pytest

from sstar_code.agent.pool.jobs import read_batch
from sstar_code.agent.pool.queue import Queue
from sstar_code.agent.serving.errors import RefusedError

pytestmark = pytest.mark.anyio


def make_jobs(name, count, *, runs=1):
    jobs = [{"id": f"{name}{n}", "code": "x", "inputs": [""] * runs} for n in range(count)]
    return read_batch({"jobs": jobs}).jobs


async def run_in_order(*requests):
    """The order in which one worker runs the jobs of requests (jobs, priority) that came in this order."""
    order = []

    async def run(job):
        order.append(job.id)
        return {"id": job.id}

    queue = Queue(run, 10_000)

    async def wait_for(jobs, priority):
        with queue.submit(jobs, priority) as ticket:
            async for _ in ticket.results():
                pass

    async with anyio.create_task_group() as group:
        async with anyio.create_task_group() as clients:
            for jobs, priority in requests:
                clients.start_soon(wait_for, jobs, priority)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(queue.work, 1)
        group.cancel_scope.cancel()
    assert (queue.waiting, queue.running) == (0, 0)
    return order


async def test_a_small_request_is_not_kept_waiting_by_a_large_one():
    """Requests of one priority take turns, run by run, however many jobs each has."""
    order = await run_in_order((make_jobs("a", 100), 0), (make_jobs("b", 3), 0))
    assert max(order.index(f"b{n}") for n in range(3)) <= 6


async def test_a_job_of_many_runs_takes_the_turn_of_many():
    """What is shared is runs: five jobs of one input each come before the second job of a hundred inputs."""
    order = await run_in_order((make_jobs("a", 2, runs=100), 0), (make_jobs("b", 5), 0))
    assert order.index("b4") < order.index("a1")


async def test_a_higher_priority_comes_first():
    """Whatever came before it."""
    order = await run_in_order((make_jobs("a", 3), -1), (make_jobs("b", 3), 0), (make_jobs("c", 3), 7))
    assert [name[0] for name in order] == [*"cccbbbaaa"]


async def test_more_than_may_wait_is_refused_and_told_when_to_come_again():
    """A request that finds nothing waiting is taken whatever its size: it could never be taken otherwise."""
    queue = Queue(lambda _job: anyio.sleep_forever(), 10)
    with queue.submit(make_jobs("a", 12)):
        with pytest.raises(RefusedError, match=r"12 runs are waiting and 1 more .*--max-waiting") as refused:
            queue.submit(make_jobs("b", 1)).__enter__()
        assert refused.value.status == 429
        assert int(refused.value.headers["retry-after"]) >= 1
    assert queue.waiting == 0
    with queue.submit(make_jobs("b", 1)):
        assert queue.waiting == 1


async def test_of_a_request_that_nobody_waits_for_nothing_is_run_any_more():
    """What waits is forgotten, what is run is cancelled; the others go on."""
    begun, cancelled = [], []

    async def run(job):
        begun.append(job.id)
        if job.id.startswith("a"):
            try:
                await anyio.sleep_forever()
            finally:
                cancelled.append(job.id)
        return {"id": job.id}

    queue = Queue(run, 100)
    async with anyio.create_task_group() as group:
        group.start_soon(queue.work, 2)
        with queue.submit(make_jobs("a", 20)):
            await anyio.wait_all_tasks_blocked()
        with queue.submit(make_jobs("b", 4)) as ticket:
            names = [result["id"] async for _, result in ticket.results()]
        group.cancel_scope.cancel()
    assert sorted(cancelled) == ["a0", "a1"]
    assert begun == ["a0", "a1", "b0", "b1", "b2", "b3"]
    assert sorted(names) == ["b0", "b1", "b2", "b3"]


async def test_what_a_job_raises_reaches_its_client_alone():
    """The worker goes on with the jobs of others."""

    async def run(job):
        if job.id == "a0":
            raise OSError("gone")
        return {"id": job.id}

    queue = Queue(run, 100)
    async with anyio.create_task_group() as group:
        group.start_soon(queue.work, 1)
        with queue.submit(make_jobs("a", 1)) as ticket, pytest.raises(OSError, match="gone"):
            async for _ in ticket.results():
                pass
        with queue.submit(make_jobs("b", 1)) as ticket:
            assert [result["id"] async for _, result in ticket.results()] == ["b0"]
        group.cancel_scope.cancel()
