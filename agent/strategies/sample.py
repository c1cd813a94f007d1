"""Parallel samples, each repaired on its own: stage one of S*.

Source: S* (arXiv 2502.14382), with 16 samples and 2 rounds of repair. Departures are those of
`agent.generation.develop`: the best round counts and is repaired, not the last.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import anyio

from sstar_code.agent.generation.develop import develop

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
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
        """All samples at once: one that has arrived is run and repaired while others are still written."""
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
