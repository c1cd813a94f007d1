"""The score of each behaviour cluster from evidence that needs no model.

The weights are round numbers from a coarse grid on recorded pools, and are the same for every set;
docs/method/selection.md says on which problems they were chosen, and how they do on others.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from operator import eq, mul
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.values import encode
from sstar_code.sandbox.outcome import Status, is_cut
from sstar_code.selection.evidence.clustering import compare_with
from sstar_code.selection.evidence.harness import call, decode_result, unpack
from sstar_code.selection.evidence.posterior import log_odds

if TYPE_CHECKING:
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.evidence.clustering import Behaviour, Clustering
    from sstar_code.selection.evidence.harness import Harness
    from sstar_code.selection.pool import Pool
    from sstar_code.selection.protocols import Candidate


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


def agreement(
    found: Clustering, weights: Sequence[float], *, power: float = 1.0, doubtful: Collection[str] = ()
) -> list[float]:
    """The share of the programs, by weight, that do as each cluster does, 0..1.

    A program counts with the share of the valid inputs on which the two do the same, to `power`. With 1 that
    is the mean share of programs that give the same output, input by input; the higher it is, the more only
    those count that do the same nearly everywhere. 1 for all where there is no valid input. Programs that
    crash agree with each other; those that run out of time or memory agree with nobody, since nobody knows
    what they would have answered. An input in `doubtful` counts `DOUBT` of one.
    """
    places, total = valid_places(found, weights), sum(weights)
    if not places or not total:
        return [1.0] * len(weights)
    trust = [DOUBT if found.inputs[place] in doubtful else 1.0 for place in places]
    whole = sum(trust)
    columns, alone = [], []
    for number in range(len(weights)):
        answered = [found.behaviours[place][number].status in (Status.OK, Status.RE) for place in places]
        pairs = zip(places, answered, strict=True)
        # a label of its own where it agrees with nobody
        columns.append([found.labels[place][number] if fits else -1 - number for place, fits in pairs])
        alone.append(sum(map(mul, answered, trust)))
    scores = [weight * (own / whole) ** power for weight, own in zip(weights, alone, strict=True)]
    for first, second in combinations(range(len(weights)), 2):
        same = map(eq, columns[first], columns[second])
        alike = (sum(map(mul, same, trust)) / whole) ** power
        scores[first] += weights[second] * alike
        scores[second] += weights[first] * alike
    return [round(score / total, 12) for score in scores]  # equal ones stay equal, in whatever order added


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


AGREEMENT, FAILURES, SIZE, RELIABILITY = 3.0, -1.0, 0.5, 1.0
NEARNESS = 20.0
"""Power of the share of inputs on which two programs do the same: one that differs on one input in twenty
counts about a third, one that differs on one in five nothing. Where one model wrote everything, a mean share
(power 1) prefers what lies between the right programs and the wrong ones."""
NONE_RIGHT = 1.5
"""Score of "no cluster is right"."""
BRUTE_FORCE, RULES = 3.0, -3.0
"""Scores of the harness's brute force and check for a share of 1; set by hand for want of records."""
DOUBT = 0.5
"""What an input counts that a validator rejects; set by hand. Validators that models write are stricter than
hidden tests, so what programs do there is not thrown away."""
_CHECKED = 12
"""Inputs, short ones first, on which the harness's brute force and rules are tried."""


def _reliability_of(pool: Pool, index: int) -> float:
    """Log-odds of the mean reliability of a candidate's sources, against those of the mean of all sources.

    0 where nothing is known.
    """
    rates = pool.reliability
    known = [rates[source] for source in pool.candidates[index].sources if source in rates]
    return log_odds(_mean(known)) - log_odds(_mean(list(rates.values()))) if known else 0.0


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)  # importing `statistics` takes longer than most choices


def prefer(pool: Pool, cluster: Sequence[int]) -> int:
    """The member of a cluster to take: of the most reliable source, and written most often.

    Nothing tells the members apart by what they do. The log of the root of how often a program was
    written adds to its reliability; the earliest of several.
    """
    written: dict[int, int] = {}
    reliability: dict[int, float] = {}
    for index in cluster:
        program = pool.board.program_of[index]
        written[program] = written.get(program, 0) + max(1, len(pool.candidates[index].sources))
        reliability[program] = max(reliability.get(program, -math.inf), _reliability_of(pool, index))
    scores = {program: reliability[program] + 0.5 * math.log(count) for program, count in written.items()}
    return max(cluster, key=lambda index: (round(scores[pool.board.program_of[index]], 9), -index))


def score_clusters(
    pool: Pool, found: Clustering, weights: Sequence[float], doubtful: Collection[str] = ()
) -> list[dict[str, float]]:
    """The terms of each cluster: name of the evidence -> what it adds to the cluster's log-score.

    `agreement`: share of the programs, by weight, that do nearly the same (`NEARNESS`); where no input
    counts, none unless all are copies of one text, since of others nothing is known. `failures`: share of
    the valid inputs on which it fails. `size`: log of its share of the weight. `trust`: reliability of
    its best member's sources.
    """
    places = valid_places(found, weights)
    total = sum(weights)
    shares = agreement(found, weights, power=NEARNESS, doubtful=doubtful)
    if not places and len(pool.board.programs(index for cluster in found.clusters for index in cluster)) > 1:
        shares = [0.0] * len(weights)
    terms = []
    for number, cluster in enumerate(found.clusters):
        failed = sum(found.behaviours[place][number].status is not Status.OK for place in places)
        terms.append(
            {
                "agreement": AGREEMENT * shares[number],
                "failures": FAILURES * failed / max(1, len(places)),
                "size": SIZE * math.log(weights[number] / total),
                "trust": RELIABILITY * max(_reliability_of(pool, index) for index in cluster),
            }
        )
    return terms


async def check_outputs(
    pool: Pool,
    harness: Harness,
    found: Clustering,
    weights: Sequence[float],
    ledger: Ledger,
    *,
    doubtful: Collection[str] = (),
) -> list[dict[str, float]]:
    """The terms that the harness's brute force and rules add to each cluster; none where it has none.

    `brute force`: share of the inputs on which the cluster gives what the brute force gives. `rules`: share
    of its outputs that break a rule of the statement. Inputs in `doubtful` come last.
    """
    terms: list[dict[str, float]] = [{} for _ in found.clusters]
    valid = valid_places(found, weights)
    splitting = [place for place in valid if len(set(found.labels[place])) > 1]
    order = {place: (found.inputs[place] in doubtful, len(found.inputs[place])) for place in splitting}
    places = sorted(splitting, key=order.__getitem__)[:_CHECKED]
    if harness.solve is not None and places:
        shares = await _compare(pool, harness.solve, found, places, ledger)
        for term, share in zip(terms, shares, strict=True):
            term["brute force"] = BRUTE_FORCE * share
    if harness.holds is not None and places:
        broken = await _break(pool, harness.holds, found, places, ledger)
        for term, share in zip(terms, broken, strict=True):
            term["rules"] = RULES * share
    return terms


async def _compare(
    pool: Pool, solve: str, found: Clustering, places: Sequence[int], ledger: Ledger
) -> list[float]:
    """The share of the inputs on which each cluster gives the brute force's output."""
    problem, alike = pool.problem, compare_with(pool.problem)
    said = await call(
        pool, solve, "solve", [[unpack(problem, found.inputs[place])] for place in places], ledger
    )
    outputs = {
        place: text for place, value in zip(places, said, strict=True) if (text := _output(pool, value))
    }
    agreed = [0] * len(found.clusters)
    for place, right in outputs.items():
        for number, seen in enumerate(found.behaviours[place]):
            agreed[number] += seen.status is Status.OK and (seen.output == right or alike(right, seen.output))
    return [count / max(1, len(outputs)) for count in agreed]


async def _break(
    pool: Pool, holds: str, found: Clustering, places: Sequence[int], ledger: Ledger
) -> list[float]:
    """The share of each cluster's outputs of which the check says that they cannot be right."""
    asked: dict[tuple[int, str], list[Any]] = {}
    for place in places:
        for seen in found.behaviours[place]:
            value = _value(pool, seen)
            if value is not ...:
                asked[place, seen.output] = [unpack(pool.problem, found.inputs[place]), value]
    said = await call(pool, holds, "holds", list(asked.values()), ledger)
    verdicts = dict(zip(asked, said, strict=True))
    return [
        sum(verdicts.get((place, found.behaviours[place][number].output)) is False for place in places)
        / len(places)
        for number in range(len(found.clusters))
    ]


def _output(pool: Pool, value: Any) -> str | None:
    """The value that the brute force returned as an output of the problem."""
    if pool.problem.kind is Kind.STDIN:
        return value if isinstance(value, str) else None
    try:
        return None if value is ... else encode(value)
    except (ValueError, TypeError, RecursionError):
        return None


def _value(pool: Pool, seen: Behaviour) -> Any:
    """A candidate's output as the check sees it; `Ellipsis` where there is none."""
    if seen.status is not Status.OK or is_cut(seen.output):
        return ...
    return seen.output if pool.problem.kind is Kind.STDIN else decode_result(seen.output)
