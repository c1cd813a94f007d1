"""Methods that choose by tests which a model wrote: `tests`, `codet` and `b4`.

All three run the candidates of the best tier on the same tests, of which many are wrong. A *consensus set* is
the candidates that pass exactly the same tests, with those tests.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.harness import run_written_tests
from sstar_code.selection.pool import share, tier
from sstar_code.selection.protocols import Selection

if TYPE_CHECKING:
    from sstar_code.selection.evidence.harness import Outcomes
    from sstar_code.selection.pool import Pool

    Score = Callable[[Outcomes, Mapping[frozenset[int], Sequence[int]]], dict[frozenset[int], float]]

_PRIOR_RIGHT = 1e3
"""B4's alpha for programs and for tests: a set that explains much is believed more."""
_PRIOR_CHANCE = 1e4
"""B4's beta_0: wrong programs rarely pass wrong tests."""


async def select_tests(pool: Pool) -> Selection:
    """A candidate that passes most of the tests; any of them by seed where several do.

    Source: "Generated Tests" in S* (arXiv 2502.14382, table 3); one call, counted by test.
    """
    return await _select(pool, "tests", lambda _, groups: {tests: float(len(tests)) for tests in groups})


async def select_codet(pool: Pool) -> Selection:
    """A member of the consensus set with the largest root(candidates) * tests; any of it by seed.

    Source: dual execution agreement, CodeT (arXiv 2207.10397), with the root over candidates that its
    authors use because candidates agree more easily than tests.
    """
    return await _select(
        pool,
        "codet",
        lambda _, groups: {tests: math.sqrt(len(group)) * len(tests) for tests, group in groups.items()},
    )


async def select_b4(pool: Pool) -> Selection:
    """A member of the consensus set that most likely is that of the right programs and the right tests.

    If a set is the right one, its programs pass its tests and no others; the rest of the table is chance:
    wrong programs pass right tests at an unknown rate (flat prior) and wrong tests at a low one. With Beta
    priors all rates integrate out, which leaves a product of four Beta functions.

    Source: B4 (arXiv 2409.08692), priors as its authors use them, written from the paper.
    """
    return await _select(pool, "b4", _score_b4)


async def _select(pool: Pool, name: str, score: Score) -> Selection:
    members = tier(pool.candidates)
    if not members:
        return Selection(name, None, 0.0)
    ledger = Ledger()
    groups: dict[frozenset[int], list[int]] = defaultdict(list)
    tested = False
    if len(pool.board.programs(members)) > 1:
        outcomes = await run_written_tests(pool, members, ledger)
        tested = bool(outcomes.tests)
        for member, passed in zip(outcomes.members, outcomes.passed, strict=True):
            groups[passed].append(member)
        scores = score(outcomes, groups)
    else:
        ledger.notes.append("all candidates are the same program")
        groups[frozenset()], scores = members, {frozenset(): 0.0}
    top = max(scores.values())
    best = sorted(member for passed, group in groups.items() if scores[passed] == top for member in group)
    chosen = random.Random(pool.seed_for(name)).choice(best)
    mine = next(group for group in groups.values() if chosen in group)
    clusters = tuple(sorted(tuple(group) for group in groups.values()))
    confidence = share(pool, chosen, len(mine), members, compared=tested)
    return ledger.conclude(name, chosen, confidence, clusters)


def _score_b4(
    outcomes: Outcomes, groups: Mapping[frozenset[int], Sequence[int]]
) -> dict[frozenset[int], float]:
    """Logarithm of the evidence for each consensus set."""
    programs, tests = len(outcomes.members), len(outcomes.tests)
    scores = {}
    for right, group in groups.items():
        others = [passed for passed in outcomes.passed if passed != right]
        hits = sum(len(passed & right) for passed in others)
        chance = sum(len(passed - right) for passed in others)
        scores[right] = (
            _log_beta(len(group) + _PRIOR_RIGHT, programs - len(group) + 1)
            + _log_beta(len(right) + _PRIOR_RIGHT, tests - len(right) + 1)
            + _log_beta(hits + 1, len(others) * len(right) - hits + 1)
            + _log_beta(chance + 1, len(others) * (tests - len(right)) - chance + _PRIOR_CHANCE)
        )
    return scores


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)
