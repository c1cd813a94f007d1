"""The simulated engine as a model that is asked in process, on the event loop's clock or one that leaps.

The one place that needs asyncio itself, since a clock belongs to the event loop.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import selectors
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio

from sstar_code.agent.models.load import Load
from sstar_code.agent.models.request import Answer, Usage
from sstar_code.agent.testing.simulator.engine import Job
from sstar_code.agent.testing.simulator.prefix import CHARS_PER_TOKEN, count_tokens, cut_blocks

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from sstar_code.agent.models.request import Request
    from sstar_code.agent.testing.simulator.engine import Engine

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


_MEAN_TOKENS = 300
_SIGMA = 0.6


@dataclass(frozen=True, slots=True)
class Planned:
    """An answer to come, and how many tokens it takes, whatever the text is."""

    text: str
    output_tokens: int


class SimulatedModel:
    """Answers with `plan` of a request, when `engine` would have written it.

    An asynchronous context manager, for one event loop.

    Args:
        engine: what writes.
        plan: the answer to a request.
        says_limit: whether the server tells how many sequences it runs at once.
    """

    def __init__(
        self, engine: Engine, plan: Callable[[Request], Planned], *, says_limit: bool = False
    ) -> None:
        self.name = "simulated"
        self.engine = engine
        self.priorities = engine.priorities
        self.max_num_seqs = engine.spec.max_num_seqs if says_limit else None
        self._plan = plan
        self._live = LiveEngine(engine)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._live)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, request: Request) -> Answer:
        """The planned answer; cancelled, the engine stops writing it."""
        planned = self._plan(request)
        prompt = "\n".join(message.content for message in request.messages)
        limit = request.max_tokens or planned.output_tokens
        job = Job(
            prompt_tokens=count_tokens(prompt),
            output_tokens=min(planned.output_tokens, limit),
            blocks=cut_blocks(prompt, self.engine.spec.block_tokens),
            priority=request.priority or 0,
        )
        await self._live.run(job)
        return Answer(
            text=planned.text,
            finish_reason="length" if planned.output_tokens > limit else "stop",
            usage=Usage(prompt=job.prompt_tokens, cached=job.cached, output=job.output_tokens),
            model=self.name,
            seconds=(job.ended_s or 0.0) - job.arrived_s,
        )

    async def read_load(self) -> Load:
        """The engine's load."""
        return Load(len(self.engine.running), len(self.engine.waiting))


def plan_by_dice(body: dict[str, Any]) -> Planned:
    """The same text for the same messages and seed; lengths are lognormal with a mean of 300 tokens."""
    dice = random.Random(json.dumps([body["messages"], body.get("seed")], sort_keys=True))
    tokens = max(1, round(dice.lognormvariate(math.log(_MEAN_TOKENS) - _SIGMA**2 / 2, _SIGMA)))
    letters = "".join(dice.choices("abcdefgh ", k=CHARS_PER_TOKEN * tokens))
    return Planned(letters, tokens)
