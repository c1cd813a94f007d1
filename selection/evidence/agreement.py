"""Graded agreement: how many others give the same output, input by input."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from operator import eq
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status

if TYPE_CHECKING:
    from sstar_code.selection.evidence.clustering import Clustering


def cluster_weights(found: Clustering, program_of: Sequence[int]) -> list[float]:
    """The weight of each cluster: the root of the number of copies, added up over its distinct programs.

    Ten copies of one text are less than ten independent programs, and more than one.
    """
    weights = []
    for cluster in found.clusters:
        copies = Counter(program_of[index] for index in cluster)
        weights.append(sum(math.sqrt(count) for count in copies.values()))
    return weights


def valid_places(found: Clustering, weights: Sequence[float]) -> list[int]:
    """Places of the inputs on which at most half of the programs, by weight, fail.

    An input on which most fail is most likely outside of what the statement allows.
    """
    half = sum(weights) / 2
    return [
        place
        for place, row in enumerate(found.behaviours)
        if sum(weight for weight, seen in zip(weights, row, strict=True) if seen.status is not Status.OK)
        <= half
    ]


def agreement(found: Clustering, weights: Sequence[float], *, power: float = 1.0) -> list[float]:
    """The share of the programs, by weight, that do as each cluster does, 0..1.

    A program counts with the share of the valid inputs on which the two do the same, to `power`. With 1 that
    is the mean share of programs that give the same output, input by input; the higher it is, the more only
    those count that do the same nearly everywhere. 1 for all where there is no valid input. Programs that
    crash agree with each other; those that run out of time or memory agree with nobody, since nobody knows
    what they would have answered.
    """
    places, total = valid_places(found, weights), sum(weights)
    if not places or not total:
        return [1.0] * len(weights)
    columns, alone = [], []
    for number in range(len(weights)):
        answered = [found.behaviours[place][number].status in (Status.OK, Status.RE) for place in places]
        pairs = zip(places, answered, strict=True)
        # a label of its own where it agrees with nobody
        columns.append([found.labels[place][number] if fits else -1 - number for place, fits in pairs])
        alone.append(sum(answered))
    scores = [weight * (own / len(places)) ** power for weight, own in zip(weights, alone, strict=True)]
    for first, second in combinations(range(len(weights)), 2):
        alike = (sum(map(eq, columns[first], columns[second])) / len(places)) ** power
        scores[first] += weights[second] * alike
        scores[second] += weights[first] * alike
    return [round(score / total, 12) for score in scores]  # equal ones stay equal, in whatever order added
