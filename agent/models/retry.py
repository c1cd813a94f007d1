"""When and how long to wait before a call is sent again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeVar

    from tenacity import RetryCallState

    from sstar_code.agent.models.errors import ModelError

    T = TypeVar("T")

__all__ = ["RetryPolicy", "Stubborn", "TransientError", "is_transient", "read_retry_after", "retry"]

_TRANSIENT = frozenset({408, 409, 425, 429})


class TransientError(Exception):
    """An attempt failed in a way that another may not."""

    def __init__(
        self,
        why: str,
        *,
        retry_after_s: float | None = None,
        unreachable: bool = False,
        broken: bool = False,
        status: int | None = None,
        free: bool = False,
    ) -> None:
        """Keep what is known of the failure.

        Args:
            why: one line.
            retry_after_s: what the server asked to wait.
            unreachable: nothing listens there at all.
            broken: the connection ended before the answer did.
            status: of the response, where there was one.
            free: the server works, but not on this call now; the attempt does not count.
        """
        super().__init__(why)
        self.why = why
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable
        self.broken = broken
        self.status = status
        self.free = free

    @property
    def is_outage(self) -> bool:
        """Whether it looks like a server that is ending or gone, not like one that is busy."""
        return self.unreachable or self.broken or self.status in (500, 502, 504)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How stubborn a call is."""

    attempts: int = 7
    first_wait_s: float = 0.5
    """Doubles with each attempt; the real wait is between half of it and all of it."""
    max_wait_s: float = 30.0
    max_retry_after_s: float = 120.0
    """A server that asks for more is asked again after this."""
    max_busy_wait_s: float = 4.0
    """Instead of `max_wait_s` where a server that answers other calls has no room for this one."""
    total_s: float = 900.0
    """No attempt begins later than this after the first."""


def is_transient(status: int) -> bool:
    """Whether HTTP `status` says that the same request may succeed later."""
    return status in _TRANSIENT or status >= 500


def read_retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds to wait by `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date); None without them.

    Args:
        headers: of the response, names in lower case or case-insensitive.
        now_s: the present, in seconds since the epoch.
    """
    try:
        wait_s = float(headers["retry-after-ms"]) / 1000
    except (KeyError, ValueError):
        given = headers.get("retry-after")
        if given is None:
            return None
        try:
            wait_s = float(given)
        except ValueError:
            try:
                wait_s = parsedate_to_datetime(given).timestamp() - now_s
            except ValueError:
                return None
    return max(0.0, wait_s) if wait_s == wait_s else None  # noqa: PLR0124 - NaN


async def retry(
    call: Callable[[], Awaitable[T]],
    *,
    policy: RetryPolicy,
    jitter: random.Random,
    on_retry: Callable[[str], None],
) -> T:
    """What `call` returns, after as many attempts as `policy` allows; only `TransientError` is tried again.

    A `free` one does not count as an attempt. `on_retry` gets one line before each wait.

    Raises:
        TransientError: of the last attempt.
    """
    import tenacity

    counted = 0

    async def attempt() -> T:  # tenacity awaits only what is declared a coroutine function
        nonlocal counted
        try:
            return await call()
        except TransientError as fault:
            counted += not fault.free
            raise

    too_late = tenacity.stop_before_delay(policy.total_s)

    def is_spent(state: RetryCallState) -> bool:
        return counted >= policy.attempts or too_late(state)

    def choose_wait_s(state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, TransientError) and fault.retry_after_s is not None:
            return min(fault.retry_after_s, policy.max_retry_after_s) + policy.first_wait_s * jitter.random()
        busy = isinstance(fault, TransientError) and fault.free
        most_s = min(policy.max_wait_s, policy.max_busy_wait_s) if busy else policy.max_wait_s
        doubled_s = min(most_s, policy.first_wait_s * 2.0 ** min(state.attempt_number - 1, 30))
        return doubled_s * (0.5 + 0.5 * jitter.random())

    def report(state: RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome else None
        wait_s = state.next_action.sleep if state.next_action else 0.0
        on_retry(f"{fault}; attempt {counted + 1} of {policy.attempts} in {wait_s:.1f} s")

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(TransientError),
        stop=is_spent,
        wait=choose_wait_s,
        before_sleep=report,
        sleep=anyio.sleep,
        reraise=True,
    )
    return await retrying(attempt)


class Stubborn:
    """Makes calls, a limited number at once, and tries each again as long as that may help.

    Args:
        max_in_flight: calls under way at once, waits between attempts included.
        policy: how often a call that failed is sent again.
        on_retry: gets one line before each wait.
        jitter_seed: makes the waits repeatable.
    """

    def __init__(
        self,
        *,
        max_in_flight: int,
        policy: RetryPolicy,
        on_retry: Callable[[str], None],
        jitter_seed: int = 0,
    ) -> None:
        self.policy = policy
        self._on_retry = on_retry
        self._jitter = random.Random(jitter_seed)
        self._limiter = anyio.CapacityLimiter(max_in_flight)

    async def call(
        self, attempt: Callable[[], Awaitable[T]], give_up: Callable[[TransientError, float], ModelError]
    ) -> T:
        """What `attempt` returns; `give_up` makes the error of the last fault and the seconds it took.

        Raises:
            ModelError: as `give_up` made it.
        """
        async with self._limiter:
            started = time.perf_counter()
            try:
                return await retry(attempt, policy=self.policy, jitter=self._jitter, on_retry=self._on_retry)
            except TransientError as fault:
                raise give_up(fault, time.perf_counter() - started) from fault
