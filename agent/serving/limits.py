"""How much the server does at once and in an hour, what a request may cost, how long one is waited for."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sstar_code.agent.serving.errors import RefusedError

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import H11Protocol

_HOUR_S = 3600.0
HEAD_S = 30.0
"""Seconds that the head of a request may take from its first byte on, or from the connection's beginning."""
_LARGEST = 50_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one server; None is without limit."""

    max_solving: int = 4
    """Requests that are solved at once; one more is refused with 429."""
    max_passing: int = 1_000
    """Requests that are passed through at once, likewise."""
    max_tokens_request: int | None = 500_000
    """Tokens, prompt and output of all calls together, that solving one request may take."""
    max_seconds_request: float = 540.0
    """Seconds after which no further call is made for a request; clients of the openai SDK wait 600 s."""
    max_tokens_hour: int | None = None
    """Tokens that solving may take in any hour, all requests together."""
    max_body_mb: int = 32
    """Megabytes of the longest request that is read."""


class Gate:
    """Lets requests in while there is room, and counts the tokens that solving takes.

    Args:
        limits: the limits; those on one request are not looked at.
        clock: seconds, from any start.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.solving = 0
        """Requests that are being solved."""
        self.passing = 0
        """Requests that are being passed through."""
        self._clock = clock
        self._spent: deque[tuple[float, int]] = deque()
        self._seconds = 30.0
        """How long solving took lately, a moving mean: what a refused client is told to wait."""

    @contextmanager
    def solve(self) -> Iterator[None]:
        """Take a place for a request to be solved, as long as the block lasts.

        Raises:
            RefusedError: there is none, or the tokens of the hour are spent.
        """
        if self.solving >= self.limits.max_solving:
            raise RefusedError(
                429,
                f"{self.solving} requests are being solved, which is the most at once (--max-solving)",
                code="too_many_requests",
                retry_after_s=min(60.0, self._seconds / self.limits.max_solving),
            )
        wait_s = self._wait_for_tokens_s()
        if wait_s is not None:
            raise RefusedError(
                429,
                f"the {self.limits.max_tokens_hour} tokens of this hour are spent (--max-tokens-hour)",
                code="tokens_spent",
                retry_after_s=wait_s,
            )
        self.solving += 1
        started_s = self._clock()
        try:
            yield
        finally:
            self.solving -= 1
            self._seconds += (self._clock() - started_s - self._seconds) / 8

    @contextmanager
    def pass_through(self) -> Iterator[None]:
        """Take a place for a request to be passed through, as long as the block lasts.

        Raises:
            RefusedError: there is none.
        """
        if self.passing >= self.limits.max_passing:
            raise RefusedError(
                429,
                f"{self.passing} requests are being passed through, which is the most at once",
                code="too_many_requests",
                retry_after_s=1.0,
            )
        self.passing += 1
        try:
            yield
        finally:
            self.passing -= 1

    def spend(self, tokens: int) -> None:
        """Count tokens that solving has taken."""
        if self.limits.max_tokens_hour is not None and tokens:
            self._spent.append((self._clock(), tokens))

    def left_this_hour(self) -> int | None:
        """Tokens that solving may still take now; None without limit."""
        most = self.limits.max_tokens_hour
        if most is None:
            return None
        now_s = self._clock()
        while self._spent and self._spent[0][0] <= now_s - _HOUR_S:
            self._spent.popleft()
        return most - sum(tokens for _, tokens in self._spent)

    def _wait_for_tokens_s(self) -> float | None:
        """Seconds until tokens are left; None where some are."""
        left = self.left_this_hour()
        if left is None or left > 0:
            return None
        for spent_s, tokens in self._spent:
            left += tokens
            if left > 0:
                return spent_s + _HOUR_S - self._clock()
        return _HOUR_S


def count_connections() -> int:
    """Connections at once: three of four files that this process may open, the rest is for its own work."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _LARGEST if files == resource.RLIM_INFINITY else max(1, min(_LARGEST, files * 3 // 4))


class _Bounded:
    """What stands before uvicorn's own class of a connection (`make_protocol`)."""

    most: ClassVar[int]
    waiting: ClassVar[dict[Any, None]]
    """Connections without a request under way, the one that has waited longest first."""
    connections: set[Any]
    cycle: Any
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request, where there is no room in the place of another."""
        super().connection_made(transport)  # type: ignore[misc]
        self.waiting[self] = None
        self._limit_head()
        if len(self.connections) > self.most:
            oldest = next(iter(self.waiting))
            del self.waiting[oldest]  # it is gone when the loop comes to it: the next one closes another
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that has begun has to come to its end."""
        super().data_received(data)  # type: ignore[misc]
        if self.cycle is None or self.cycle.response_complete:
            self._limit_head()
        else:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may have come already."""
        self.waiting[self] = None
        super().on_response_complete()  # type: ignore[misc]
        if not self.cycle.response_complete:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)  # type: ignore[misc]

    def _limit_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make_protocol(most: int) -> type[H11Protocol]:
    """The class of uvicorn's connections with bounds of time and number; uvicorn itself has none.

    Of more than `most` connections the one that has waited longest without a request is closed.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    return type("Protocol", (_Bounded, H11Protocol), {"most": most, "waiting": {}})
