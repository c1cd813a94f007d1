"""Beliefs about which cluster is right, and nondeterministic programs, which are no evidence.

The hypotheses are "cluster c is the right one", one for each, and "none is". They exclude each other: on
an input on which two clusters differ at most one is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_FLOOR = 1e-12
"""No evidence makes anything impossible."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Probabilities of the hypotheses; they sum to 1."""

    clusters: tuple[float, ...]
    """The probability of each cluster that it is right."""
    none: float
    """The probability that no cluster is right."""

    @classmethod
    def from_scores(cls, scores: Sequence[float], none: float) -> Beliefs:
        """Beliefs by log-scores (any constant may be added to all), `none` that of no cluster being right."""
        top = max([*scores, none])
        masses = [max(_FLOOR, math.exp(score - top)) for score in (*scores, none)]
        total = math.fsum(masses)
        return cls(tuple(mass / total for mass in masses[:-1]), masses[-1] / total)

    def add(self, scores: Sequence[float]) -> Beliefs:
        """The beliefs after further evidence, a log-score for each cluster."""
        masses = [
            max(_FLOOR, mass * math.exp(score)) for mass, score in zip(self.clusters, scores, strict=True)
        ]
        total = math.fsum([*masses, self.none])
        return Beliefs(tuple(mass / total for mass in masses), self.none / total)

    @property
    def best(self) -> int:
        """The likeliest cluster; the first of several."""
        return max(range(len(self.clusters)), key=lambda number: (self.clusters[number], -number))

    @property
    def lead(self) -> float:
        """The probability of the likeliest, given that one of the clusters is right."""
        return self.clusters[self.best] / math.fsum(self.clusters)

    def update(self, groups: Sequence[int | None], answer: int | None, accuracy: float) -> Beliefs:
        """The beliefs after a judge right with probability `accuracy` has named a group of clusters.

        `groups` says for each cluster which of the outputs shown it gave, None for another one. `answer` is
        the output named, None for "neither". A judge that is wrong names any of the other outputs alike;
        where no cluster is right any answer is as likely as another.

        Source: Bayes' rule; for two options it adds log(q / (1 - q)) to the log-odds.
        """
        others = len({group for group in groups if group is not None})
        wrong = (1 - accuracy) / (max(1, others - 1) if answer is not None else 1)
        masses = [
            max(_FLOOR, mass * (accuracy if group == answer else wrong))
            for mass, group in zip(self.clusters, groups, strict=True)
        ]
        none = max(_FLOOR, self.none / (others + 1))
        total = math.fsum([*masses, none])
        return Beliefs(tuple(mass / total for mass in masses), none / total)

    def gain(self, groups: Sequence[int | None], accuracy: float) -> float:
        """Bits that the answer to a question with these `groups` is expected to tell about the clusters.

        Source: mutual information between answer and hypothesis (Lindley 1956).
        """
        shown = {group for group in groups if group is not None}
        mass: dict[int | None, float] = dict.fromkeys((*shown, None), 0.0)
        for probability, group in zip(self.clusters, groups, strict=True):
            mass[group] += probability
        whole = math.fsum(mass.values())
        wrong = (1 - accuracy) / len(shown)
        said = [part / whole * accuracy + (1 - part / whole) * wrong for part in mass.values()]
        noise = _entropy([accuracy, *([wrong] * len(shown))])
        return max(0.0, _entropy(said) - noise)


def log_odds(probability: float) -> float:
    """Log-odds of a probability, which counts as at least 0.01 and at most 0.99."""
    inside = min(max(probability, 0.01), 0.99)
    return math.log(inside / (1 - inside))


def _entropy(probabilities: Sequence[float]) -> float:
    return -math.fsum(p * math.log2(p) for p in probabilities if p > 0)
