"""What the problems of a set share when their samples are allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.decision_log import DecisionLog
from sstar_code.agent.allocation.policy import SampleRange
from sstar_code.agent.allocation.shared_budget import SharedBudget

if TYPE_CHECKING:
    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.run.store import Store
    from sstar_code.agent.solving.settings import Settings

__all__ = ["Allocation", "plan_allocation"]


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the problems of a set share when their numbers of samples are decided as samples come in."""

    range: SampleRange
    budget: SharedBudget
    log: DecisionLog


def plan_allocation(
    settings: Settings, budget: Budget, store: Store | None, problems: int
) -> Allocation | None:
    """The allocation over so many unfinished problems; None where `settings` ask for a fixed number."""
    if settings.least is None:
        return None
    samples = SampleRange(settings.least, settings.n)
    return Allocation(samples, SharedBudget(budget, problems, settings.least), DecisionLog(store))
