"""How many calls to keep in flight at a server that does not say how many it runs at once.

Too few leave it idle; too many wait in its line, where this run cannot put an urgent call first. Like a
sender on a network, the width grows while nothing waits and shrinks when something does (additive increase,
multiplicative decrease; Chiu and Jain, 1989).
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sstar_code.agent.calls.priority_queue import PriorityLimiter
    from sstar_code.agent.models.load import Load

__all__ = ["FIRST_WIDTH", "LOOK_EVERY_S", "MOST_IN_FLIGHT", "ConcurrencyController"]

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
