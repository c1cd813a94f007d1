"""What the problems of a set share when their samples are allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.decision_log import StepLog
from sstar_code.agent.allocation.policy import Plan
from sstar_code.agent.allocation.shared_budget import Spread

if TYPE_CHECKING:
    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.run.store import Store
    from sstar_code.agent.solving.settings import Settings

__all__ = ["Waves", "plan_waves"]


@dataclass(frozen=True, slots=True)
class Waves:
    """What the problems of a set share when they are sampled in waves."""

    plan: Plan
    spread: Spread
    log: StepLog


def plan_waves(settings: Settings, budget: Budget, store: Store | None, problems: int) -> Waves | None:
    """The waves that `settings` ask for, over so many unfinished problems; None where they ask for none."""
    if settings.least is None:
        return None
    plan = Plan(settings.least, settings.n)
    return Waves(plan, Spread(budget, problems, settings.least), StepLog(store))
