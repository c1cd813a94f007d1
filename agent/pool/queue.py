"""Which job is run next: the more urgent first, and of equally urgent requests each gets its share."""

from __future__ import annotations

import heapq
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.serving.errors import RefusedError

if TYPE_CHECKING:
    from sstar_code.agent.pool.jobs import Job

Result = dict[str, Any]


class Ticket:
    """The jobs of one request on their way."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.running: set[anyio.CancelScope] = set()
        """One for each job that is run."""
        self.ended = False
        """Nobody waits for it any more."""
        self.put, self._results = anyio.create_memory_object_stream[tuple[int, Result | Exception]](len(jobs))

    async def results(self) -> AsyncGenerator[tuple[int, Result]]:
        """Place of a job and what came of it, as they end; all of them.

        Raises:
            Exception: what running one of them raised.
        """
        for _ in self.jobs:
            place, result = await self._results.receive()
            if isinstance(result, Exception):
                raise result
            yield place, result

    def close(self) -> None:
        """End what is still run, forget the rest."""
        self.ended = True
        for scope in self.running:
            scope.cancel()
        self.put.close()
        self._results.close()


class Queue:
    """Holds jobs until one of its workers is free.

    Start-time fair queueing (Goyal, Vin and Cheng, 1996) over requests of one priority, with the runs of a
    job as its length: a request of ten thousand jobs does not keep one of ten waiting.

    Args:
        run: runs a job.
        most_waiting: runs that may wait.
        clock: seconds, from any start.
    """

    def __init__(
        self,
        run: Callable[[Job], Awaitable[Result]],
        most_waiting: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._most = most_waiting
        self._clock = clock
        self._heap: list[tuple[int, int, int, Ticket, int]] = []
        self._numbers = count()
        self._reached = 0  # the start tag of the job that was begun last
        self._filled = anyio.Semaphore(0)
        self._seconds_a_run = 0.01
        self._ended_s = clock()
        self.waiting = 0
        """Runs that wait."""
        self.running = 0
        """Jobs that are run."""

    @contextmanager
    def submit(self, jobs: Sequence[Job], priority: int = 0) -> Iterator[Ticket]:
        """Put the jobs into the queue; what is not done when the block ends is dropped.

        Raises:
            RefusedError: too many wait already.
        """
        runs = sum(job.runs for job in jobs)
        if self.waiting and self.waiting + runs > self._most:
            raise RefusedError(
                429,
                f"{self.waiting} runs are waiting and {runs} more were asked for; {self._most} may wait "
                "at once (--max-waiting)",
                code="too_many_runs",
                retry_after_s=min(60.0, (self.waiting + runs - self._most) * self._seconds_a_run),
            )
        ticket = Ticket(jobs)
        tag = self._reached
        for place, job in enumerate(jobs):
            heapq.heappush(self._heap, (-priority, tag, next(self._numbers), ticket, place))
            tag += job.runs
            self._filled.release()
        self.waiting += runs
        try:
            yield ticket
        finally:
            ticket.close()
            self._forget(ticket)

    def _forget(self, ticket: Ticket) -> None:
        """Take out what waits of it, so that nothing is held for those who have gone."""
        left = [entry for entry in self._heap if entry[3] is not ticket]
        if len(left) < len(self._heap):
            self.waiting -= sum(ticket.jobs[entry[4]].runs for entry in self._heap if entry[3] is ticket)
            self._heap[:] = left
            heapq.heapify(self._heap)

    async def work(self, workers: int) -> None:
        """Run jobs, so many at once, until cancelled."""
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            await self._filled.acquire()
            if not self._heap:
                continue  # it was forgotten
            (_, tag, _, ticket, place) = heapq.heappop(self._heap)
            job = ticket.jobs[place]
            self.waiting -= job.runs
            self._reached = max(self._reached, tag)
            self.running += 1
            try:
                with anyio.CancelScope() as scope:
                    ticket.running.add(scope)
                    try:
                        result: Result | Exception = await self._run(job)
                    except Exception as error:  # noqa: BLE001 - whoever waits for the job gets it
                        result = error
                    finally:
                        ticket.running.discard(scope)
                    if not ticket.ended:
                        ticket.put.send_nowait((place, result))
                    self._note_end(job.runs)
            finally:
                self.running -= 1

    def _note_end(self, runs: int) -> None:
        now_s = self._clock()
        self._seconds_a_run += ((now_s - self._ended_s) / runs - self._seconds_a_run) / 32
        self._ended_s = now_s
