"""As many samples as are worth it, wave by wave: `--n 4..32`.

Sources and constants are in `agent.allocation.policy`, how a budget is spread over a set in
`agent.allocation.plan`. What is decided hangs on other problems too, so decisions are kept in the run store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.plan import plan_allocation
from sstar_code.agent.allocation.sample import allocate_samples
from sstar_code.agent.calls.budget import Budget

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem


@dataclass(frozen=True, slots=True)
class Waves:
    """Samples and repairs as long as one more is worth its tokens."""

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """By the allocation that the set shares; a problem without one allocates alone."""
        allocation = context.allocation or plan_allocation(context.settings, Budget(), None, 1)
        assert allocation is not None, "the table gives waves only where there is a range"
        return await allocate_samples(problem, context, allocation, on_sample)

    def most_calls(self, settings: Settings) -> int:
        """A first answer and every repair of each sample that there may be."""
        return settings.n * (settings.rounds + 1)
