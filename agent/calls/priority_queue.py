"""A limit on concurrent calls with priorities: the most urgent go first.

Choosing goes before repairing and repairing before first samples, an old problem before a new one: what is
begun is finished, and its answer is there early. Towards the end of a set it is the other way round, see
`urgency`. Ties go by the order of asking, so the order is repeatable.
"""

from __future__ import annotations

import heapq
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.models.request import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sstar_code.agent.models.request import Purpose

__all__ = ["PriorityLimiter", "urgency"]

_URGENCY = {Stage.JUDGE: 0, Stage.INPUTS: 0, Stage.DEBUG: 1, Stage.GENERATE: 2}
_PROBLEMS = 1_000_000
"""More than a set has; a stage's numbers do not reach into the next one's."""


def urgency(purpose: Purpose, problem: int, *, closing: bool = False) -> int:
    """Rank of a call, lower first: vLLM's `priority`.

    Args:
        purpose: what the call is for.
        problem: how many problems were begun before this one.
        closing: every problem has been begun; now first samples go before repairs, and early ones before late
            ones, since the run takes as long as its last chain of calls.
    """
    stage = _URGENCY[purpose.stage]
    if closing and stage:
        stage = 1 + purpose.round
    return stage * _PROBLEMS + min(problem, _PROBLEMS - 1)


@dataclass(slots=True)
class _Ticket:
    called: anyio.Event = field(default_factory=anyio.Event)
    withdrawn: bool = False


class PriorityLimiter:
    """Concurrency limit with priorities: at most `width` at once, lowest rank first, then by arrival."""

    def __init__(self, width: int) -> None:
        self.taken = 0
        """PriorityLimiter under way."""
        self.waiting = 0
        self._width = width
        self._line: list[tuple[int, int, _Ticket]] = []
        self._arrivals = 0
        self._shorter = anyio.Event()

    @property
    def width(self) -> int:
        """How many at once; a smaller one holds for turns to come, those under way end in peace."""
        return self._width

    @width.setter
    def width(self, width: int) -> None:
        self._width = width
        self._call_next()

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Wait for a turn; it lasts as long as the block."""
        await self._wait(rank)
        try:
            yield
        finally:
            self.taken -= 1
            self._call_next()

    async def wait_until_short(self, length: int) -> None:
        """Wait until at most `length` wait for a turn and one could be taken or soon will."""
        while self.waiting > length:
            await self._shorter.wait()

    async def _wait(self, rank: int) -> None:
        if self.taken < self._width and not self.waiting:
            self.taken += 1
            return
        ticket = _Ticket()
        self._arrivals += 1
        heapq.heappush(self._line, (rank, self._arrivals, ticket))
        self.waiting += 1
        try:
            await ticket.called.wait()
        except BaseException:
            if ticket.called.is_set():
                self.taken -= 1
                self._call_next()
            else:
                ticket.withdrawn = True
                self._shorten()
            raise

    def _call_next(self) -> None:
        while self._line and self.taken < self._width:
            ticket = heapq.heappop(self._line)[2]
            if not ticket.withdrawn:
                self.taken += 1
                self._shorten()
                ticket.called.set()

    def _shorten(self) -> None:
        self.waiting -= 1
        self._shorter.set()
        self._shorter = anyio.Event()
