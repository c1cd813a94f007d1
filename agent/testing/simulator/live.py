"""Moves an engine along with the event loop's clock, and has a clock that leaps over every wait.

The one place that needs asyncio itself, since a clock belongs to the event loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from sstar_code.agent.testing.simulator.engine import Engine, Job

T = TypeVar("T")


class LiveEngine:
    """Jobs of one event loop on `engine`; `speed` simulated seconds pass in one of the clock's.

    An asynchronous context manager; jobs run while it is entered.
    """

    def __init__(self, engine: Engine, *, speed: float = 1.0) -> None:
        self.engine = engine
        self.speed = speed
        self._started_s = 0.0
        self._ended: dict[Job, anyio.Event] = {}
        self._news = anyio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._started_s = anyio.current_time()
        group = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(group.cancel_scope.cancel)
        group.start_soon(self._drive)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def now_s(self) -> float:
        """Simulated seconds since the start."""
        return (anyio.current_time() - self._started_s) * self.speed

    def moment(self, simulated_s: float) -> float:
        """The event loop's time at `simulated_s`: that of `time.monotonic` on asyncio's own loops."""
        return self._started_s + simulated_s / self.speed

    def _start(self, job: Job) -> anyio.Event:
        self.engine.submit(job, self.now_s)
        ended = self._ended[job] = anyio.Event()
        self._news.set()
        return ended

    def _stop(self, job: Job) -> None:
        if self._ended.pop(job, None) is not None and job.ended_s is None:
            self.engine.abort(job, self.now_s)
            self._news.set()

    async def run(self, *jobs: Job, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run `jobs` to their ends; cancelled, the engine forgets them. It has started when all are in line.

        Raises:
            QueueFullError: too many wait.
        """
        try:
            events = [self._start(job) for job in jobs]
            task_status.started()
            for event in events:
                await event.wait()
        finally:
            for job in jobs:
                self._stop(job)

    def written(self, job: Job) -> int:
        """Tokens of `job` that are out by now."""
        self.catch_up()
        return self.engine.written_by_now(job)

    def catch_up(self) -> None:
        """Let the engine work up to now."""
        for job in self.engine.advance(self.now_s):
            if job in self._ended:
                self._ended[job].set()

    async def _drive(self) -> None:
        while True:
            self._news = anyio.Event()
            self.catch_up()
            next_s = self.engine.next_event_s()
            if next_s is None:
                await self._news.wait()
            else:
                with anyio.move_on_at(self.moment(next_s)):
                    await self._news.wait()


class _Leaping(selectors.DefaultSelector):
    """Moves the clock by the time that it was asked to wait."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("every task waits for something that is not time: nothing can ever happen")
        events = super().select(0)
        if not events:
            self.now_s += max(0.0, timeout)
        return events


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s


def run_virtual(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` on a clock that starts at 0 and leaps over every wait; what it returns.

    For programs that only compute and sleep: a thread, a process or another machine does not keep pace with a
    clock that leaps.

    Raises:
        RuntimeError: all tasks wait for each other.
    """
    return anyio.run(main, backend_options={"loop_factory": _VirtualLoop})
