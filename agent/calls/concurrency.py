"""How many calls are in flight at a server, and which of those that wait goes first.

Choosing goes before repairing and repairing before first samples, an old problem before a new one: what is
begun is finished, and its answer is there early. Towards the end of a set it is the other way round, see
`urgency`. Ties go by the order of asking, so the order is repeatable.

Too few calls leave a server idle; too many wait in its line, where this run cannot put an urgent call
first. Where the server does not say how many it runs at once, the width grows like a sender's on a network
while nothing waits and shrinks when something does (additive increase, multiplicative decrease; Chiu and
Jain, 1989).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.models.request import Stage

if TYPE_CHECKING:
    from sstar_code.agent.models.load import Load
    from sstar_code.agent.models.request import Purpose

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


FIRST_WIDTH = 64
"""Before anything is learnt."""
MOST_IN_FLIGHT = 1_024
"""vLLM's largest default for sequences that run at once."""
LOOK_EVERY_S = 1.0

_GROWTH = 8
"""Once the server has been full, the width grows by this part of itself at a time."""
_SPARE = 16
"""A sixteenth more than run may wait at the server: the next is there when one ends."""
_MIN_GAP_S = 1.0
"""Refusals of one burst count once."""


class ConcurrencyController:
    """AIMD control of the number of calls in flight: sets the width of `limiter` from what the server shows.

    Args:
        limiter: the limiter whose width is set.
        given: as the user said: never more, and fewer only while the server refuses calls.
        limit: sequences that the server runs at once, where it says so.
        priorities: whether the server puts urgent calls first itself, so that more may wait there.
    """

    def __init__(
        self,
        limiter: PriorityLimiter,
        *,
        given: int | None = None,
        limit: int | None = None,
        priorities: bool = False,
    ) -> None:
        self._limiter = limiter
        self._spare = _SPARE // 4 if priorities else _SPARE
        self._learns = given is None and limit is None
        if given is not None:
            self.most = given
        elif limit is not None:
            self.most = limit + self._margin(limit)
        else:
            self.most = MOST_IN_FLIGHT
        self._doubling = self._learns
        self._limiter.width = min(FIRST_WIDTH, self.most) if self._learns else self.most
        self._crowded = 0
        self._refused_s = -math.inf
        self._sees_load = False
        self._token_seconds: list[float] = []
        self._before: tuple[int, float] | None = None
        self._answers = 0

    @property
    def is_settled(self) -> bool:
        """Whether the width is near what the server takes; before, it is a guess."""
        return not self._doubling

    @property
    def look_every_s(self) -> float:
        """How long to wait before the next look at the load."""
        return LOOK_EVERY_S / 4 if self._doubling else LOOK_EVERY_S

    @property
    def width(self) -> int:
        """Calls in flight at most, now."""
        return self._limiter.width

    def refuse(self, now_s: float) -> None:
        """The server said 429 or 503: halve what is in flight, once until that has come about."""
        if now_s - self._refused_s < _MIN_GAP_S or self._limiter.taken > self.width:
            return
        self._refused_s = now_s
        self._doubling = False
        self._set(min(self.width, self._limiter.taken) // 2)

    def see_load(self, load: Load) -> None:
        """What the server says, about once a second."""
        self._sees_load = True
        if not self._learns:
            return
        extra = load.waiting - self._margin(load.running)
        self._crowded = self._crowded + 1 if extra > 0 else 0
        if self._crowded > 1:  # a burst that has just arrived waits for a moment too
            self._crowded = 0
            self._doubling = False
            self._set(min(self.width, self._limiter.taken - extra))
        elif not load.waiting:
            self._grow()

    def see_answer(self, seconds: float, tokens: int | None) -> None:
        """A call was answered. Where the server shows no load, the time of a token tells."""
        self._answers += 1
        if tokens and not self._sees_load:
            self._token_seconds.append(seconds / tokens)
        if self._answers < self.width:
            return
        self._answers = 0
        if not self._learns:
            self._grow()
        elif self._token_seconds:
            from statistics import median

            self._judge(median(self._token_seconds))
            self._token_seconds.clear()

    def _judge(self, token_s: float) -> None:
        """Was the last step up worth it? By Little's law throughput is width over the time of a token."""
        if self._before is not None and self.width > self._before[0]:
            width, before_s = self._before
            gain = self.width / width - 1
            if token_s / before_s - 1 > gain / 2:
                self._doubling = False
                self._before = None
                self._set(width)
                return
        self._before = (self.width, token_s)
        self._grow()

    def _grow(self) -> None:
        if self._limiter.waiting:  # else it is not the width that holds back
            self._set(self.width * 2 if self._doubling else self.width + max(1, self.width // _GROWTH))

    def _margin(self, running: int) -> int:
        return max(2, running // self._spare)

    def _set(self, width: int) -> None:
        self._limiter.width = max(1, min(self.most, width))
