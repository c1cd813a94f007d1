"""Tries a call again while another attempt may help, whatever the model behind it is."""

from __future__ import annotations

import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from operator import attrgetter
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.models.load import Load, read_load
from sstar_code.agent.models.request import CallError, Message, UnclearRefusalError
from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, ModelError, Request

_log = logging.getLogger(__name__)
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
        of_one_call: bool = False,
    ) -> None:
        """Keep what is known of the failure.

        Args:
            why: one line.
            retry_after_s: the wait that the server asked for.
            unreachable: nothing listens there at all.
            broken: the connection ended before the answer did.
            status: the status of the response, where there was one.
            of_one_call: a server of the right kind answered, without an answer: other calls may fare better.
        """
        super().__init__(why)
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable
        self.broken = broken
        self.status = status
        self.of_one_call = of_one_call
        self.is_outage = unreachable or broken or status in (500, 502, 504)
        """Whether it looks like a server that is ending or gone, not like one that is busy."""
        self.is_busy = status in (429, 503)
        """Whether the server refused the call because of its load."""
        self.wait_s = 0.0
        """The wait before the next attempt, as the policy chose it."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retry limits and back-off of one model call."""

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

    def choose_wait_s(self, fault: TransientError, attempt: int, *, busy: bool, dice: float) -> float:
        """Seconds before the next attempt after attempt number `attempt`; `dice` is drawn from 0..1."""
        if fault.retry_after_s is not None:
            return min(fault.retry_after_s, self.max_retry_after_s) + self.first_wait_s * dice
        most_s = min(self.max_wait_s, self.max_busy_wait_s) if busy else self.max_wait_s
        return min(most_s, self.first_wait_s * 2.0 ** min(attempt - 1, 30)) * (0.5 + 0.5 * dice)


def is_transient(status: int) -> bool:
    """Whether HTTP `status` says that the same request may succeed later."""
    return status in _TRANSIENT or status >= 500


def read_retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds to wait by `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date); None without them.

    Args:
        headers: those of the response, names in lower case or case-insensitive.
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


_PROBE = "Say ok."
_MOST_REFUSED = 8
"""Problems refused one after another, without an answer between: then it is not about their prompts."""


def _log_note(line: str, *, changes_answers: bool) -> None:
    _log.log(logging.WARNING if changes_answers else logging.INFO, line)


class RetryingModel(ABC):
    """A model behind one server or several, asked by many tasks of one event loop at once.

    A subclass makes one attempt; this class limits the calls in flight and tries them again.

    Args:
        name: the name that the server knows it by.
        max_in_flight: calls under way at once, waits between attempts included; more wait their turn.
        retry_policy: how often a call that failed is sent again.
        on_retry: gets one line before each wait; by default it is logged.
    """

    def __init__(
        self,
        name: str,
        *,
        max_in_flight: int = 128,
        retry_policy: RetryPolicy = RetryPolicy(),
        on_retry: Callable[[str], None] = _log.warning,
    ) -> None:
        self.name = name
        self.max_in_flight = max_in_flight
        self.retry_policy = retry_policy
        self.on_retry = on_retry
        self.on_busy: Callable[[], None] = lambda: None
        """Called when a server refuses a call because of its load (429, 503)."""
        self.on_note: Callable[..., None] = _log_note
        """Called with what the user should know of an endpoint, a line, and whether it changes answers."""
        self.priorities = False
        """Whether the server puts requests of a lower `priority` first (vLLM's `--scheduling-policy`)."""
        self._limiter = anyio.CapacityLimiter(max_in_flight)
        self._dice = random.Random(0)
        self._answered = 0
        self._probing = anyio.Lock()
        self._answers_others: bool | None = None
        """Whether a short question was answered where no call had been; None: it was not asked."""
        self._refused: set[str] = set()
        """Problems whose calls were refused in unclear words since the last answer."""

    @abstractmethod
    async def attempt(self, request: Request) -> Answer:
        """Try once.

        Raises:
            TransientError: another try may do better.
            ModelError: as `ask`.
        """

    @abstractmethod
    def give_up(self, fault: TransientError, seconds: float) -> ModelError:
        """The error for a call whose last attempt ended with `fault`, `seconds` after its first began."""

    @abstractmethod
    async def read_metrics(self) -> list[str] | None:
        """A page of metrics for each server that shows one; None where none does."""

    async def read_load(self) -> Load | None:
        """How busy the servers say they are, together; None where none says so (vLLM does, at `/metrics`)."""
        return read_load(*(await self.read_metrics() or ()))

    async def ask(self, request: Request) -> Answer:
        """Answer `request`, trying again while another attempt may help.

        While other calls are being answered, a refusal for load means to wait and not that the server is ill:
        such an attempt does not count.

        Raises:
            ContextError: prompt and answer do not fit the model.
            CallError: the server will not answer this prompt.
            ModelUserError: wrong key, model name, address or setting.
            ModelError: no answer after every attempt.
        """
        async with self._limiter:
            try:
                answer = await self._ask(request)
            except UnclearRefusalError as error:
                if await self._is_of_one_call(request):
                    raise error.alone from error
                raise
            self._answered += 1
            self._refused.clear()
            return answer

    async def _is_of_one_call(self, request: Request) -> bool:
        """Whether other prompts than that of `request` are answered; where none was yet, one is asked."""
        self._refused.add(request.purpose.problem_id)
        async with self._probing:
            if not self._answered and self._answers_others is None:
                others = {name: value for name, value in request.extra.items() if name != "prompt"}
                short = replace(request, messages=(Message("user", _PROBE),), extra=others)
                try:
                    await self.attempt(short)
                except (TransientError, SstarError):
                    self._answers_others = False
                else:
                    self._answers_others = True
        return bool(self._answered or self._answers_others) and len(self._refused) < _MOST_REFUSED

    async def _ask(self, request: Request) -> Answer:
        """The answer after as many attempts as it takes."""
        import tenacity

        policy, counted, answered = self.retry_policy, 0, self._answered
        too_late = tenacity.stop_before_delay(policy.total_s)
        started_s = time.monotonic()
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=tenacity.wait_exception(attrgetter("wait_s")),
            stop=lambda state: counted >= policy.attempts or too_late(state),
            before_sleep=lambda state: self.on_retry(
                f"{state.outcome and state.outcome.exception()}; attempt {counted + 1} of "
                f"{policy.attempts} in {state.upcoming_sleep:.1f} s"
            ),
            sleep=anyio.sleep,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    try:
                        answer = await self.attempt(request)
                    except TransientError as fault:
                        if fault.is_busy:
                            self.on_busy()
                        busy = fault.is_busy and self._answered > answered
                        answered = self._answered
                        counted += not busy
                        number, dice = attempt.retry_state.attempt_number, self._dice.random()
                        fault.wait_s = policy.choose_wait_s(fault, number, busy=busy, dice=dice)
                        raise
                    return answer
        except TransientError as fault:
            seconds = time.monotonic() - started_s
            if fault.of_one_call and self._answered:
                raise CallError(f"no answer to this call in {seconds:.0f} s, last: {fault}") from fault
            raise self.give_up(fault, seconds) from fault
        raise AssertionError("every attempt answers or raises")
