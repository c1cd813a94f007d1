"""What stands before a model: answers are stored before they are used, counted, and asked for by urgency."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.calls.admitted import AdmittedCalls
from sstar_code.agent.calls.budget import BudgetSpentError
from sstar_code.agent.calls.concurrency import ConcurrencyController, PriorityLimiter, urgency
from sstar_code.agent.calls.shares import Shares
from sstar_code.agent.models import Answer, CallError, Model, Purpose, Request, Stage, request_key
from sstar_code.agent.run.outcomes import StageCount
from sstar_code.agent.telemetry.spans import observe_call
from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.models.adapters.loaded import Adapters
    from sstar_code.agent.models.load import Load, LoadWatch
    from sstar_code.agent.run.store import Store


_SAMPLE_STAGES = (Stage.GENERATE, Stage.DEBUG)
_CLOSING_LOADS = 3
"""Longest chains of calls go first when the first samples still to ask would fill the server only this many
times: as many as the longest chain, a sample and two repairs, has calls."""


_MOST_OVER = 2
"""Times its cap that a problem may spend for calls let pass earlier: marks in a folder may be anybody's."""


class NotAskedError(CallError):
    """The call was not made."""


class CapSpentError(NotAskedError):
    """The tokens of this problem are spent; the call was not made."""


class WithdrawnError(CallError):
    """The call was given up because its answer could no longer change anything."""


class StoredModel:
    """Answers from the store where it can; else waits for a turn, asks, stores, then answers.

    The same question asked twice at the same time is one call. Of calls that wait, those of the method's
    later stages go first, then those of problems that were begun first.

    Args:
        model: what is asked.
        store: what is known already, and where answers are kept.
        budget: what may be spent.
        max_in_flight: calls at once, as the user said; None: what the server runs at once, or learnt.
        max_num_seqs: sequences that the server runs at once, where it says so.
        priorities: whether the server itself puts requests of a lower `priority` first.
    """

    def __init__(
        self,
        model: Model,
        store: Store,
        budget: Budget,
        *,
        max_in_flight: int | None = None,
        max_num_seqs: int | None = None,
        priorities: bool = False,
    ) -> None:
        self.name = model.name
        self._model = model
        self._store = store
        self._budget = budget
        self._priorities = priorities
        self._in_flight: dict[str, anyio.Event] = {}
        self._under_way: dict[str, anyio.Event] = {}
        """Those of `_in_flight` that do not wait for their turn: they are being paid for."""
        self._asking: dict[anyio.CancelScope, Purpose] = {}
        self._problems: dict[str, int] = {}
        """How many problems were begun before each."""
        self._closing = False
        self.limiter = PriorityLimiter(1)
        self.concurrency = ConcurrencyController(
            self.limiter, given=max_in_flight, limit=max_num_seqs, priorities=priorities
        )
        self.adapters: Adapters | None = getattr(model, "adapters", None)
        """Changes of the model's weights that calls may ask for, where it is served for that."""
        self.load: LoadWatch | None = None
        """What the servers show of their load, where there are any."""
        self.tally = StageCount()
        """Everything this run has cost, earlier starts included."""
        self.shares = Shares(budget)
        """What each problem has spent, and how many of its calls may be under way."""
        self._admitted = AdmittedCalls(store.path)
        self._asking_again: dict[str, anyio.Event] = {}
        """Problem whose calls of an earlier start are asked -> set once these are in line."""
        for problem_id, _, answer in store.answers():
            self.tally.add_answer(answer)
            self.shares.add(problem_id, _count_tokens(answer), is_known=True)
        budget.tokens += self.tally.tokens
        self._stopped = ""
        """Why nothing is asked any more; empty while it is."""
        self.asked = 0
        """Calls that the model answered since this start; the rest came from the store."""
        self.withdrawn = 0
        """Calls given up since this start while the model was at work on them: there is no answer to keep."""

    async def ask(self, request: Request, *, is_admitted: bool = False) -> Answer:
        """As `Model.ask`. A call that ends in an answer has stored it before anybody sees it.

        What was under way for the problem when an earlier start was killed is asked first: that start let it
        pass (`is_admitted`), so whether there are tokens for it is decided.

        Raises:
            BudgetSpentError: nothing is left to spend and the answer is not in the store.
            CapSpentError: likewise, for this problem.
            WithdrawnError: `cancel` was called meanwhile.
        """
        purpose, key, is_under_way = request.purpose, request_key(request), False
        is_first = purpose.problem_id in self._admitted.left and not is_admitted and not self._stopped
        if is_first and self._store.get_answer(request, key) is None:
            await self._ask_admitted(purpose.problem_id)
        problem = self._problems.setdefault(purpose.problem_id, len(self._problems))
        with anyio.CancelScope() as scope:
            self._asking[scope] = purpose
            try:
                while (known := self._store.get_answer(request, key)) is None:
                    if key not in self._in_flight:
                        break
                    await self._in_flight[key].wait()
                if known is not None:
                    self._admitted.unmark(purpose.problem_id, key)
                    return known
                if self._stopped:
                    raise NotAskedError(f"not asked: {self._stopped}")
                rank = urgency(purpose, problem, closing=self._closing)
                async with self._turn(key, rank, purpose, is_admitted=is_admitted):
                    if self.shares.is_capped(purpose.problem_id):
                        self._admitted.mark(request, key)
                    sent = replace(request, priority=rank) if self._priorities else request
                    is_under_way = True
                    with observe_call(self.name, sent, self._store) as note:
                        answer = note(await self._model.ask(sent))
                    self._keep(request, answer, key)
                    self._admitted.unmark(purpose.problem_id, key)
                    return answer
            except CallError:
                self._admitted.unmark(purpose.problem_id, key)
                raise
            finally:
                del self._asking[scope]
        self._admitted.unmark(purpose.problem_id, key)
        self.withdrawn += is_under_way
        raise WithdrawnError(f"{purpose.problem_id}: the call was withdrawn")

    async def _ask_admitted(self, problem_id: str) -> None:
        """Ask what an earlier start let pass for the problem; whoever comes meanwhile waits for its end.

        Raises:
            SstarError: one of them could not be asked.
        """
        if problem_id in self._asking_again:
            await self._asking_again[problem_id].wait()
            return
        ended, failures = anyio.Event(), list[SstarError]()
        self._asking_again[problem_id] = ended

        async def ask_again(admitted: Request) -> None:
            try:
                await self.ask(admitted, is_admitted=True)
            except CallError:
                pass
            except SstarError as error:
                failures.append(error)
                group.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as group:
                for admitted in list(self._admitted.left[problem_id].values()):
                    group.start_soon(ask_again, admitted)
        finally:
            ended.set()
            del self._asking_again[problem_id]
        if failures:
            raise failures[0]

    def stop_asking(self, why: str) -> None:
        """Answer from the store alone from now on; other calls fail, and it is not kept that they did."""
        self._stopped = why

    def cancel(self, problem_id: str, samples: Collection[int] | None = None) -> int:
        """Withdraw the calls of a problem (of these samples only) that wait or are under way; how many.

        The connection of one under way is closed, on which vLLM stops writing. What is stored stays.
        """
        found = [
            scope
            for scope, purpose in self._asking.items()
            if purpose.problem_id == problem_id
            and (samples is None or (purpose.stage in _SAMPLE_STAGES and purpose.sample in samples))
        ]
        for scope in found:
            scope.cancel()
        return len(found)

    async def wait_for_capacity(self, first_calls_left: int) -> None:
        """Wait until so few calls wait for their turn that the work of another problem is needed.

        When the first calls of the problems not begun would fill the server no more than three times, all are
        begun, and from then on the calls with the longest way to go are first: the end of a run takes
        as long as its longest chain of calls, so those must not be begun last.
        """
        if self.concurrency.is_settled and first_calls_left <= _CLOSING_LOADS * self.concurrency.width:
            self._closing = True
        else:
            await self.limiter.wait_until_short(self.concurrency.width // 8)

    async def watch_load(self, read_load: Callable[[], Awaitable[Load | None]]) -> None:
        """Adapt to the load that the server shows, until cancelled or it shows none."""
        while (load := await read_load()) is not None:
            self.concurrency.see_load(load)
            await anyio.sleep(self.concurrency.look_every_s)

    @asynccontextmanager
    async def _turn(self, key: str, rank: int, purpose: Purpose, *, is_admitted: bool) -> AsyncIterator[None]:
        """Wait for the turn of the call `key`; others that ask the same wait until the block has ended."""
        done = self._in_flight[key] = anyio.Event()
        try:
            async with self.shares.turn(purpose, is_admitted=is_admitted), self.limiter.turn(rank):
                await self._check_budget()
                self._check_cap(purpose, is_admitted=is_admitted)
                self._under_way[key] = done
                yield
        finally:
            del self._in_flight[key]
            self._under_way.pop(key, None)
            done.set()

    async def _check_budget(self) -> None:
        """Raise when nothing is left, but not before what is under way has been answered and kept."""
        try:
            self._budget.check()
        except BudgetSpentError:
            for answered in list(self._under_way.values()):
                await answered.wait()
            raise

    def _check_cap(self, purpose: Purpose, *, is_admitted: bool) -> None:
        if self.shares.is_spent(purpose, times=_MOST_OVER if is_admitted else 1):
            problem_id = purpose.problem_id
            flag = "" if problem_id in self._budget.caps else " (--max-tokens-problem)"
            raise CapSpentError(f"{problem_id}: its tokens{flag} are spent: {self.shares.spent[problem_id]}")

    def _keep(self, request: Request, answer: Answer, key: str) -> None:
        self.asked += 1
        self._store.put_answer(request, answer, key)
        self._budget.tokens += _count_tokens(answer)
        self.shares.add(request.purpose.problem_id, _count_tokens(answer))
        self.tally.add_answer(answer)
        self.concurrency.see_answer(answer.seconds, answer.usage.output)


def _count_tokens(answer: Answer) -> int:
    return (answer.usage.prompt or 0) + (answer.usage.output or 0)
