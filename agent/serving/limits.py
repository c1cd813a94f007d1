"""How much the server does at once and in an hour, and what one request may cost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sstar_code.agent.serving.errors import RefusedError

_HOUR_S = 3600.0


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
