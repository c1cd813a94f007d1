"""The end of a search that finds an answer for each sample: a sample is made of it as of any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from sstar_code.agent.generation.develop import next_round
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.agent.models.request import CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sstar_code.agent.models.request import Answer, Model, Request
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem

Found = TypeVar("Found")


async def make_sample(
    number: int,
    problem: Problem,
    context: SolveContext,
    found: Found | CallError,
    answer_with: Callable[[Request, Found], Awaitable[Answer]],
) -> Lineage:
    """The sample `number` whose answer `answer_with` makes of what was found.

    A search that failed is a call that failed. What is asked before the answer, the ideas of the style
    `plan`, goes to the model.
    """
    model = _FoundModel(context.model.name, context.model, found, answer_with)
    return await next_round(Lineage(number, ()), problem, replace(context, model=model))


@dataclass(slots=True)
class _FoundModel(Generic[Found]):
    """A model whose answer is known before it is asked."""

    name: str
    model: Model
    found: Found | CallError
    answer_with: Callable[[Request, Found], Awaitable[Answer]]

    async def ask(self, request: Request) -> Answer:
        if request.purpose.ordinal:
            return await self.model.ask(request)
        if isinstance(self.found, CallError):
            raise self.found
        return await self.answer_with(request, self.found)
