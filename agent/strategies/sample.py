"""Parallel samples, each repaired on its own: stage one of S*.

Source: S* (arXiv 2502.14382), with 16 samples and 2 rounds of repair. Departures are those of
`agent.generation.develop`: the best round counts and is repaired, not the last.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from sstar_code.agent.generation.develop import develop, has_ended, next_round
from sstar_code.agent.generation.lineage import Lineage

if TYPE_CHECKING:
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """`n` samples, each repaired for up to `rounds` rounds."""

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """All samples at once: one that has arrived is run and repaired while others are still written.

        With lessons round by round, since which of them a repair is told may not hang on what came first.
        """
        if context.settings.lessons != "off":
            begun = [Lineage(number, ()) for number in range(context.settings.n)]
            made = await develop_in_rounds(begun, problem, context)
            for lineage in made:
                on_sample(lineage)
            return made
        lineages: dict[int, Lineage] = {}

        def keep(lineage: Lineage) -> None:
            lineages[lineage.sample] = lineage
            on_sample(lineage)

        async with anyio.create_task_group() as group:
            for number in range(context.settings.n):
                group.start_soon(develop, number, problem, context, keep)
        return tuple(lineages[number] for number in range(context.settings.n))

    def most_calls(self, settings: Settings) -> int:
        """A first answer and every repair of each sample."""
        return settings.n * (settings.rounds + 1)


async def develop_in_rounds(
    begun: Sequence[Lineage], problem: Problem, context: SolveContext, known: Sequence[Lineage] = ()
) -> tuple[Lineage, ...]:
    """The samples `begun` with up to `rounds` repairs each, a round of all of them after the other.

    Each round is told what those before it have taught, and what the samples `known` have.

    Raises:
        As `Strategy`.
    """
    made = {lineage.sample: lineage for lineage in begun}
    while going := [
        number
        for number, lineage in made.items()
        if len(lineage.rounds) <= context.settings.rounds and not has_ended(lineage, problem)
    ]:
        extend = partial(_extend, made, problem, context.remember([*known, *made.values()]))
        made |= zip(going, await grow_together(going, extend), strict=True)
    return tuple(made.values())


async def _extend(
    made: Mapping[int, Lineage], problem: Problem, context: SolveContext, number: int
) -> Lineage:
    return await next_round(made[number], problem, context)


async def grow_together(numbers: Sequence[int], grow: Callable[[int], Awaitable[T]]) -> tuple[T, ...]:
    """What `grow` makes of each of `numbers`, all at once, in their order.

    Raises:
        ExceptionGroup: what any of them raised.
    """
    grown: dict[int, T] = {}

    async def keep(number: int) -> None:
        grown[number] = await grow(number)

    async with anyio.create_task_group() as group:
        for number in numbers:
            group.start_soon(keep, number)
    return tuple(grown[number] for number in numbers)


async def grow_by(
    improve: Callable[[Lineage, Problem, SolveContext], Awaitable[Lineage]],
    problem: Problem,
    context: SolveContext,
    on_sample: OnSample,
) -> tuple[Lineage, ...]:
    """`n` samples at once: a first answer each, then `improve` up to `rounds` times until it has ended.

    Raises:
        As `Strategy`.
    """

    async def grow(number: int) -> Lineage:
        lineage = await next_round(Lineage(number, ()), problem, context)
        while len(lineage.rounds) <= context.settings.rounds and not has_ended(lineage, problem):
            lineage = await improve(lineage, problem, context)
        on_sample(lineage)
        return lineage

    return await grow_together(range(context.settings.n), grow)
