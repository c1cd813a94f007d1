"""When and how long to wait before a call is sent again."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeVar

    from tenacity import RetryCallState

    T = TypeVar("T")

__all__ = ["RetryPolicy", "TransientError", "is_transient", "read_retry_after", "retry"]

_TRANSIENT = frozenset({408, 409, 425, 429})


class TransientError(Exception):
    """An attempt failed in a way that another may not."""

    def __init__(self, why: str, *, retry_after_s: float | None = None, unreachable: bool = False) -> None:
        """Keep `why` (one line), what the server asked to wait, and whether nothing listens there at all."""
        super().__init__(why)
        self.why = why
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How stubborn a call is."""

    attempts: int = 7
    first_wait_s: float = 0.5
    """Doubles with each attempt; the real wait is between half of it and all of it."""
    max_wait_s: float = 30.0
    max_retry_after_s: float = 120.0
    """A server that asks for more is asked again after this."""
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

    `on_retry` gets one line before each wait.

    Raises:
        TransientError: of the last attempt.
    """
    import anyio
    import tenacity

    async def attempt() -> T:  # tenacity awaits only what is declared a coroutine function
        return await call()

    def choose_wait_s(state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, TransientError) and fault.retry_after_s is not None:
            return min(fault.retry_after_s, policy.max_retry_after_s) + policy.first_wait_s * jitter.random()
        doubled_s = min(policy.max_wait_s, policy.first_wait_s * 2.0 ** (state.attempt_number - 1))
        return doubled_s * (0.5 + 0.5 * jitter.random())

    def report(state: RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome else None
        wait_s = state.next_action.sleep if state.next_action else 0.0
        on_retry(f"{fault}; attempt {state.attempt_number + 1} of {policy.attempts} in {wait_s:.1f} s")

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(TransientError),
        stop=tenacity.stop_after_attempt(policy.attempts) | tenacity.stop_before_delay(policy.total_s),
        wait=choose_wait_s,
        before_sleep=report,
        sleep=anyio.sleep,
        reraise=True,
    )
    return await retrying(attempt)
