"""Graded agreement: how many others give the same output, input by input."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from operator import eq
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.methods.baselines import observe_all
from sstar_code.selection.pool import tier
from sstar_code.selection.protocols import Selection
from sstar_code.selection.result import explain, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.pool import Pool

__all__ = ["agreement", "cluster_weights", "select_mbr", "valid_places"]


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
    """For each cluster how much, by weight, the programs do as it does, 0..1.

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


async def select_mbr(pool: Pool) -> Selection:
    """A member of the cluster whose outputs most of the others give, input by input.

    Unlike `majority` it does not want the whole of two behaviours to be equal: programs that differ on
    rare inputs still vote for each other on the rest. Ties go to the cluster of more weight, then to
    the earlier; in the cluster the text with most copies is taken, then the earliest.

    Source: minimum Bayes risk by execution, MBR-Exec (arXiv 2204.11454), over generated inputs; the
    validity filter, the weights and that time-outs never agree are ours.
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("mbr", None, 0.0)
    ledger = Ledger()
    found = await observe_all(pool, members, ledger)
    weights = cluster_weights(found, pool.board.program_of)
    scores = agreement(found, weights)
    best = max(range(len(scores)), key=lambda number: (scores[number], weights[number], -number))
    copies = Counter(pool.board.program_of[index] for index in members)
    cluster = found.clusters[best]
    chosen = max(cluster, key=lambda index: (copies[pool.board.program_of[index]], -index))
    return ledger.conclude(
        "mbr",
        chosen,
        share(pool, chosen, len(cluster), members),
        found.clusters,
        explain(found),
    )
