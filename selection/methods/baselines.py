"""Methods that ask no model for an opinion."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.fingerprint import strip_comments
from sstar_code.selection.evidence.observe import ask_inputs, observe
from sstar_code.selection.evidence.weights import agreement, cluster_weights
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.inputs.search.explore import find_model_free_inputs
from sstar_code.selection.pool import explain, share, tier
from sstar_code.selection.protocols import Selection

if TYPE_CHECKING:
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.pool import Pool


async def select_random(pool: Pool) -> Selection:
    """Any of the best tier, all alike; drawn by seed and problem id. `expected_accuracy` is its mean.

    Source: the "Public Only" row of S* (arXiv 2502.14382, table 3).
    """
    members = tier(pool.candidates)
    chosen = random.Random(pool.seed_for()).choice(members) if members else None
    return Selection("random", chosen, share(pool, chosen, 1, members))


async def select_first(pool: Pool) -> Selection:
    """The earliest sample of the best tier.

    Source: what the official code of S* takes where the paper says random (`--selection first`).
    """
    members = tier(pool.candidates)
    chosen = members[0] if members else None
    return Selection("first", chosen, share(pool, chosen, 1, members))


async def select_oracle(pool: Pool) -> Selection:
    """The earliest candidate that passes the hidden tests, of any tier: the ceiling of every method.

    Where none does, or nothing has been graded, as `first`.
    Source: pass@N, "oracle" in S* (arXiv 2502.14382).
    """
    right = next((index for index, candidate in enumerate(pool.candidates) if candidate.hidden_pass), None)
    if right is not None:
        return Selection("oracle", right, 1.0)
    members = tier(pool.candidates)
    is_graded = any(candidate.hidden_pass is not None for candidate in pool.candidates)
    return Selection(
        "oracle",
        members[0] if members else None,
        0.0 if is_graded or not members else None,
        notes=("no candidate is known to be right",),
    )


async def _observe_all(pool: Pool, members: Sequence[int], ledger: Ledger) -> Clustering:
    """Behaviour of `members` on the model's inputs (one call, with a model), public and model-free ones.

    Where all are the same program nothing is asked or run.
    """
    inputs: list[str] = []
    if len(pool.board.programs(members)) > 1:
        inputs += await ask_inputs(pool, ledger)
        inputs += public_inputs(pool.problem)
        inputs += await find_model_free_inputs(pool, members, ledger)
    return await observe(pool, members, list(dict.fromkeys(inputs)), ledger)


async def select_majority(pool: Pool) -> Selection:
    """The earliest member of the largest cluster of equal behaviour in the best tier; ties to the earlier.

    Inputs: the model's (where there is one; one call), the public ones, and mutations of those.
    Source: clustering by outputs of AlphaCode (arXiv 2203.07814); "majority vote" in S* (arXiv 2502.14382).
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("majority", None, 0.0)
    ledger = Ledger()
    found = await _observe_all(pool, members, ledger)
    weights = [candidate.weight for candidate in pool.candidates]
    # the first of several; weights are all 1 but where the writer's confidence is known
    largest = max(found.clusters, key=lambda cluster: math.fsum(weights[index] for index in cluster))
    confidence = share(pool, largest[0], len(largest), members, compared=bool(found.inputs))
    return ledger.conclude("majority", largest[0], confidence, found.clusters, explain(found))


async def select_functional(pool: Pool) -> Selection:
    """As `majority` on free evidence; its confidence, to abstain by, is the largest cluster's share of all.

    The share counts every candidate that holds a program, those that fail a public test among them. No call.

    Source: functional clustering (arXiv 2506.11021): programs clustered by what they do on generated inputs,
    and the largest cluster's share of the samples against a threshold below which no answer is given.
    """
    made = await select_majority(pool.without_model())
    written = sum(bool(candidate.code.strip()) for candidate in pool.candidates)
    confidence = made.confidence
    if confidence:
        confidence = max(map(len, made.clusters)) / max(1, written)
    return replace(made, method="functional", confidence=confidence)


async def select_diffcode(pool: Pool) -> Selection:
    """The medoid of the largest cluster of equal behaviour: the text that is nearest to the others'. No call.

    Source: DiffCodeGen (arXiv 2605.20473), which fuzzes all candidates guided by the lines that they reach.
    Here the inputs are those of all methods, and the search is guided by which inputs tell programs apart:
    lines reached are not measured. Nearness is the share of common tokens, comments left out.
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("diffcode", None, 0.0)
    ledger = Ledger()
    found = await _observe_all(pool.without_model(), members, ledger)
    largest = max(found.clusters, key=len)  # the first of several
    words = {index: Counter(_WORD.findall(strip_comments(pool.candidates[index].code))) for index in largest}

    def nearness(index: int) -> float:
        return sum(_share_words(words[index], words[other]) for other in largest)

    chosen = max(largest, key=lambda index: (round(nearness(index), 9), -index))
    confidence = share(pool, chosen, len(largest), members, compared=bool(found.inputs))
    return ledger.conclude("diffcode", chosen, confidence, found.clusters, explain(found))


_WORD = re.compile(r"\w+|[^\w\s]")


def _share_words(first: Counter[str], second: Counter[str]) -> float:
    """Words in common of those that either has, 0..1 (Jaccard on multisets)."""
    return (first & second).total() / max(1, (first | second).total())


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
    found = await _observe_all(pool, members, ledger)
    weights = cluster_weights(found, pool.board.program_of)
    scores = agreement(found, weights)
    best = max(range(len(scores)), key=lambda number: (scores[number], weights[number], -number))
    copies = Counter(pool.board.program_of[index] for index in members)
    cluster = found.clusters[best]
    chosen = max(cluster, key=lambda index: (copies[pool.board.program_of[index]], -index))
    confidence = share(pool, chosen, len(cluster), members, compared=bool(found.inputs))
    return ledger.conclude("mbr", chosen, confidence, found.clusters, explain(found))
