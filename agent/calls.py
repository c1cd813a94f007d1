"""Wrappings of a model: answers are stored before they are used, and counted against the budget."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from agent.budget import BudgetSpentError
from agent.models import Answer, Model, Request, Stage, request_key

if TYPE_CHECKING:
    from agent.budget import Budget
    from agent.store import Store

__all__ = ["StageCount", "StoredModel", "Tally"]


@dataclass(slots=True)
class StageCount:
    """What one stage of the method has used."""

    calls: int = 0
    prompt: int = 0
    output: int = 0
    seconds: float = 0.0
    unknown: int = 0
    """Calls whose server reported no token counts."""

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.calls += 1
        self.prompt += answer.usage.prompt or 0
        self.output += answer.usage.output or 0
        self.seconds += answer.seconds
        self.unknown += answer.usage.output is None


@dataclass(slots=True)
class Tally:
    """Tokens and seconds by stage."""

    stages: dict[str, StageCount] = field(default_factory=dict)

    def add(self, stage: Stage | str, answer: Answer) -> None:
        """Count `answer` for `stage`."""
        self.stages.setdefault(str(stage), StageCount()).add(answer)

    @property
    def tokens(self) -> int:
        """Prompt and output of all stages."""
        return sum(count.prompt + count.output for count in self.stages.values())

    @property
    def calls(self) -> int:
        """Calls of all stages."""
        return sum(count.calls for count in self.stages.values())


class StoredModel:
    """Answers from the store where it can; else asks, stores, then answers.

    The same question asked twice at the same time is one call.
    """

    def __init__(self, model: Model, store: Store, budget: Budget, *, max_in_flight: int = 1_000) -> None:
        """Ask `model` what `store` does not know, within `budget`, `max_in_flight` calls at once."""
        self.name = model.name
        self._model = model
        self._store = store
        self._budget = budget
        self._in_flight: dict[str, anyio.Event] = {}
        self._under_way: dict[str, anyio.Event] = {}
        """Those of `_in_flight` that do not wait for a slot: they are being paid for."""
        self._slots = anyio.CapacityLimiter(max_in_flight)
        self.tally = Tally()
        """Everything this run has cost, earlier starts included."""
        for _, stage, answer in store.answers():
            self.tally.add(stage, answer)
        budget.tokens += self.tally.tokens
        self.asked = 0
        """Calls that went to the model since this start; the rest came from the store."""

    async def ask(self, request: Request) -> Answer:
        """As `Model.ask`.

        Raises:
            BudgetSpentError: nothing is left to spend and the answer is not in the store.
        """
        key = request_key(request)
        while (answer := self._store.get_answer(request)) is None and key in self._in_flight:
            await self._in_flight[key].wait()
        if answer is not None:
            return answer
        done = self._in_flight[key] = anyio.Event()
        try:
            async with self._slots:
                await self._check_budget()
                self._under_way[key] = done
                return await self._ask_and_store(request)
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

    async def _ask_and_store(self, request: Request) -> Answer:
        started_s = time.monotonic()
        answer = await self._model.ask(request)
        self.asked += 1
        if not answer.seconds:
            answer = replace(answer, seconds=time.monotonic() - started_s)
        self._store.put_answer(request, answer)
        self._budget.tokens += (answer.usage.prompt or 0) + (answer.usage.output or 0)
        self.tally.add(request.purpose.stage, answer)
        return answer
