"""Reliability of the sources of candidates, measured on public tests alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sstar_code.selection.protocols import Candidate

_PRIOR = 4.0
"""Pseudo-candidates that pull a source towards its model, and a model towards all of them."""


def measure_reliability(candidates_by_problem: Iterable[Sequence[Candidate]]) -> dict[str, float]:
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
    reliability = {}
    for sources in models.values():
        model = _smooth(
            sum(passed[name] for name in sources), sum(total[name] for name in sources), everywhere
        )
        for source in sources:
            reliability[source] = _smooth(passed[source], total[source], model)
    return reliability


def _smooth(passed: int, total: int, prior: float) -> float:
    return (passed + _PRIOR * prior) / (total + _PRIOR)
