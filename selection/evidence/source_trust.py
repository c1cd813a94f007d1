"""How far the writers of candidates are to be trusted, by what is known without any hidden test."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sstar_code.selection.protocols import Candidate

__all__ = ["measure_trust"]

_PRIOR = 4.0
"""Candidates' worth of belief that a source is like its model, and a model like all of them."""


def measure_trust(candidates_by_problem: Iterable[Sequence[Candidate]]) -> dict[str, float]:
    """Source -> the share of its candidates that pass all public tests, 0..1, over all problems given.

    Every candidate counts for each of its sources. Few candidates say little: the rate is pulled towards
    that of the sources with the same name before the first `/` (the same model with another method), which
    is pulled towards the rate of all. Problems without public tests say nothing and are left out.
    """
    passed: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    for candidates in candidates_by_problem:
        for candidate in candidates:
            if candidate.public_total:
                for source in dict.fromkeys(candidate.sources):
                    passed[source] += candidate.survives
                    total[source] += 1
    everywhere = _smooth(sum(passed.values()), sum(total.values()), 0.5)
    models: dict[str, list[str]] = defaultdict(list)
    for source in total:
        models[source.partition("/")[0]].append(source)
    trust = {}
    for sources in models.values():
        model = _smooth(
            sum(passed[name] for name in sources), sum(total[name] for name in sources), everywhere
        )
        for source in sources:
            trust[source] = _smooth(passed[source], total[source], model)
    return trust


def _smooth(passed: int, total: int, prior: float) -> float:
    return (passed + _PRIOR * prior) / (total + _PRIOR)
