"""Statistics of rates over problems, in the standard library."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_DRAWS = 4_000_000
"""Numbers drawn for one bootstrap at most: a second or two, whatever the size of the set."""

_Z95 = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in 0..1 with its 95% interval and its denominator, in problems."""

    value: float
    low: float
    high: float
    problems: int

    def __str__(self) -> str:
        if not self.problems:
            return "- (no problems)"
        return f"{100 * self.value:.1f}% [{100 * self.low:.1f}, {100 * self.high:.1f}] of {self.problems}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of paired differences, -1..1, with its 95% interval and the number of pairs."""

    value: float
    low: float
    high: float
    problems: int

    def __str__(self) -> str:
        if not self.problems:
            return "- (no problems)"
        points = [f"{100 * part:+.1f}" for part in (self.value, self.low, self.high)]
        return f"{points[0]} points [{points[1]}, {points[2]}] over {self.problems}"


def wilson(successes: float, trials: int) -> Rate:
    """Wilson's score interval for a proportion (Wilson 1927); honest also at 0 and 1 and for few trials."""
    if trials == 0:
        return Rate(0.0, 0.0, 1.0, 0)
    share = successes / trials
    square = _Z95 * _Z95 / trials
    centre = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return Rate(share, max(0.0, centre - half), min(1.0, centre + half), trials)


def mean_rate(values: Sequence[float]) -> Rate:
    """Mean of per-problem rates in 0..1, with Wilson's interval as if each problem were one trial.

    Where the rates are 0 or 1 that is exact; for means of samples it errs on the wide side, because a rate
    between 0 and 1 varies less than a coin of the same mean (a bootstrap over few problems errs on the
    narrow side, down to no width at all where all rates are equal).
    """
    return wilson(sum(values), len(values))


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased estimate of pass@k (Chen et al. 2021, arXiv 2107.03374): 1 - C(n-c, k) / C(n, k).

    Raises:
        ValueError: k is larger than the number of samples.
    """
    if k > samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, there are {samples}")
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)


def paired_bootstrap(differences: Sequence[float], *, seed: int = 0, resamples: int = 10_000) -> Difference:
    """Mean of per-problem differences with a 95% percentile interval over resampled problems (Efron 1979).

    A problem is drawn with all that belongs to it, so samples of one problem are never taken for independent
    ones. Of a large set fewer resamples are drawn, 1,000 at least. The same input gives the same interval.
    """
    count = len(differences)
    if not count:
        return Difference(0.0, -1.0, 1.0, 0)
    rounds = max(1_000, min(resamples, _MOST_DRAWS // count))
    draw = random.Random(seed)
    means = sorted(math.fsum(draw.choices(differences, k=count)) / count for _ in range(rounds))
    tail = round(0.025 * rounds)
    return Difference(math.fsum(differences) / count, means[tail], means[-tail - 1], count)


def sign_test(won: int, lost: int) -> float:
    """Two-sided p of a split as uneven as this if neither were better (exact McNemar test)."""
    pairs = won + lost
    tail = sum(math.comb(pairs, k) for k in range(min(won, lost) + 1)) / (1 << pairs)
    return min(1.0, 2 * tail)
