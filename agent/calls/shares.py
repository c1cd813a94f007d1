"""Holds each problem to its tokens: so many of its calls at once as what is left is likely to pay for.

What a call will cost is not known before it is answered. So the calls of a problem under way are taken to
cost as much as its dearest call so far, and the next one begins while the tokens spent and those expected are
below the cap. A problem goes over its cap by about half a call on average, however many samples are asked
for at once; and as tokens are only ever spent, no call is made after one was refused: what a strategy was
told of is a beginning of what it would be told with more tokens.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sstar_code.agent.calls.concurrency import PriorityLimiter, urgency
from sstar_code.agent.models.request import Stage

if TYPE_CHECKING:
    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.models.request import Purpose


_CHOOSING = (Stage.INPUTS, Stage.JUDGE)


class Shares:
    """Counts the tokens of each problem and lets its calls pass as long as they last."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.spent: dict[str, int] = {}
        """Tokens by problem."""
        self._dearest: dict[str, int] = {}
        """Tokens of the dearest call of each problem that was answered since the start."""
        self._limiters: dict[str, PriorityLimiter] = {}

    def add(self, problem_id: str, tokens: int, *, is_known: bool = False) -> None:
        """Count a call that was answered, or that an earlier start `is_known` to have paid for."""
        self.spent[problem_id] = self.spent.get(problem_id, 0) + tokens
        if not is_known:
            self._dearest[problem_id] = max(tokens, self._dearest.get(problem_id, 0))
        if problem_id in self._limiters:
            self._limiters[problem_id].width = self._width(problem_id)

    @asynccontextmanager
    async def turn(self, purpose: Purpose, *, is_admitted: bool = False) -> AsyncIterator[None]:
        """Wait until the tokens of the problem are likely to last for one call more, or are spent.

        Of the calls of a problem that wait, choosing is before repairing and repairing before first samples,
        so that a sample that was begun is finished, and an early sample is before a late one, whichever asked
        first: a start that goes on hears of all at once. One that an earlier start let pass is before all.
        """
        problem_id = purpose.problem_id
        if self._most(problem_id) is None:
            yield
            return
        if problem_id not in self._limiters:
            self._limiters[problem_id] = PriorityLimiter(self._width(problem_id))
        rank = -1 if is_admitted else urgency(purpose, purpose.sample)
        async with self._limiters[problem_id].turn(rank):
            yield

    def is_capped(self, problem_id: str) -> bool:
        """Whether there is a cap for the problem's calls."""
        return self._most(problem_id) is not None

    def is_spent(self, purpose: Purpose, *, times: int = 1) -> bool:
        """Whether no such call of the problem may be made any more, with so many `times` its cap."""
        cap = self._budget.cap_of(purpose.problem_id, choosing=purpose.stage in _CHOOSING)
        return cap is not None and self.spent.get(purpose.problem_id, 0) >= cap * times

    def _width(self, problem_id: str) -> int:
        """Calls at once: one until it is known what a call costs now: repairs cost more than first ones."""
        cap, spent = self._most(problem_id), self.spent.get(problem_id, 0)
        call = self._dearest.get(problem_id, 0)
        return 1 if cap is None or not call else max(1, math.ceil((cap - spent) / call))

    def _most(self, problem_id: str) -> int | None:
        """The larger of the problem's caps."""
        caps = [self._budget.cap_of(problem_id, choosing=choosing) for choosing in (False, True)]
        return max((cap for cap in caps if cap is not None), default=None)
