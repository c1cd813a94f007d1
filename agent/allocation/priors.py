"""What the problems of a set teach about its other problems: the priors of the rule in `waves`.

Every problem counts alike however many samples it has had: the hopeless ones have had most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.agent.allocation.policy import Beta, Rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sstar_code.agent.allocation.policy import Seen

__all__ = ["estimate_rates"]

_PASSES, _MENDS, _ALIKE = 0.5, 0.2, 0.7
"""Believed before anything is seen,"""
_OF_PROBLEMS = 2.0
"""as firmly as if so many problems had shown it."""
_PASSES_WEIGHT, _MENDS_WEIGHT, _ALIKE_WEIGHT = 1.0, 2.0, 2.0
"""How much the set says about one problem, in samples: little, most problems are easy or hopeless."""
_REPAIR_COST = 1.5


def estimate_rates(shown: Iterable[Seen], rounds: int) -> Rates:
    """The rates of a set whose problems have shown `shown`, for up to `rounds` debugging rounds."""
    every = [seen for seen in shown if seen.drawn]
    passes = [seen.passed / seen.drawn for seen in every]
    alike = [(seen.groups[0] - 1) / (sum(seen.groups) - 1) for seen in every if sum(seen.groups) > 1]
    mends = [
        [
            seen.repairs[place].passed / seen.repairs[place].tried
            for seen in every
            if place < len(seen.repairs) and seen.repairs[place].tried
        ]
        for place in range(rounds)
    ]
    return Rates(
        passes=_believe(passes, _PASSES, _PASSES_WEIGHT),
        mends=tuple(_believe(rates, _MENDS, _MENDS_WEIGHT) for rates in mends),
        alike=_believe(alike, _ALIKE, _ALIKE_WEIGHT),
        repair_cost=_compare_costs(every),
    )


def _believe(rates: Sequence[float], before: float, weight: float) -> Beta:
    mean = (sum(rates) + _OF_PROBLEMS * before) / (len(rates) + _OF_PROBLEMS)
    return Beta(weight * mean, weight * (1 - mean))


def _compare_costs(every: Sequence[Seen]) -> float:
    drawn, repaired = sum(seen.drawn for seen in every), sum(seen.repaired for seen in every)
    fresh, mended = sum(seen.tokens for seen in every), sum(seen.repair_tokens for seen in every)
    if not (fresh and mended):
        return _REPAIR_COST
    return (mended / repaired) / (fresh / drawn)
