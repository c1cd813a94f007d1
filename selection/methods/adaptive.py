"""Selection by evidence: free evidence first, a model only where it can change the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.selection.evidence.agreed_tests import agreed_tests
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import cluster_programs
from sstar_code.selection.evidence.harness import Kit, ask_kit, ask_reference, reject_invalid
from sstar_code.selection.evidence.nondeterminism import find_unsteady, mask_unsteady
from sstar_code.selection.evidence.observe import find_free_inputs
from sstar_code.selection.evidence.posterior import Beliefs
from sstar_code.selection.evidence.weights import NONE_RIGHT, check_outputs, prefer, weigh
from sstar_code.selection.judging.inquiry import Inquiry
from sstar_code.selection.methods.mbr import cluster_weights
from sstar_code.selection.pool import tier
from sstar_code.selection.protocols import Selection, Weighed
from sstar_code.selection.result import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.pool import Pool

__all__ = ["select_adaptive"]

TARGET = 0.95
"""Nothing more is asked once the likeliest cluster has this probability, given that one is right."""
MAX_JUDGE_CALLS = 6
"""A problem; an answer that would change the choice takes two, the second in the other order."""
_ENOUGH_INPUTS = 20
"""Free inputs that count on which all programs agree: nothing is asked then."""


async def select_adaptive(pool: Pool) -> Selection:
    """A member of the likeliest behaviour cluster, by free evidence and, where that is not enough, a model.

    Free: the programs of the best tier run on variations of the public inputs and form clusters. For each
    cluster the agreement of the others, failures on inputs that others manage, its size and what is known
    of who wrote it (`Pool.trust`) add up to a log-score; scores become probabilities (`weigh`).

    With a model, only where no cluster is sure enough: one call for a generator of inputs and a validator,
    one for a brute force and a check of outputs, all tried on the public tests first (`kit`); then at most
    `MAX_JUDGE_CALLS` calls that ask which of two to four anonymous outputs is right on one small input, the
    most telling first (`inquiry`), weighted by how often the judge is right where the answer is known
    (`calibrate`). A call that fails or cannot be read is no evidence.

    The confidence is the probability of the chosen cluster. Sources of the parts: MBR-Exec (arXiv
    2204.11454), CodeMonkeys (2501.14723) for generators, ExPairT-LLM (2511.10855) for asking about outputs;
    the posterior, its calibration and the order of the stages are ours.
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("adaptive", None, 0.0)
    ledger = Ledger()
    found, kit = await _observe(pool, members, ledger)
    weights = cluster_weights(found, pool.board.program_of)
    terms = weigh(pool, found, weights)
    prior = _believe(terms)
    inquiry = Inquiry(pool, found, weights, prior, ledger, MAX_JUDGE_CALLS, TARGET)
    if pool.ask is not None and prior.lead < TARGET:
        await ask_reference(pool, kit, ledger)
        for mine, more in zip(terms, await check_outputs(pool, kit, found, weights, ledger), strict=True):
            mine.update(more)
        inquiry.beliefs = _believe(terms)
        await inquiry.run()
    beliefs = inquiry.beliefs
    chosen = prefer(pool, found.clusters[beliefs.best])
    return Selection(
        "adaptive",
        chosen,
        beliefs.clusters[beliefs.best] if pool.candidates[chosen].survives else 0.0,
        found.clusters,
        explain(found),
        notes=tuple(ledger.notes),
        evidence=tuple(
            Weighed(before, after, term)
            for before, after, term in zip(prior.clusters, beliefs.clusters, terms, strict=True)
        ),
        asked=tuple(inquiry.asked),
        derived=(*inquiry.derived, *agreed_tests(pool, members, found, beliefs)),
        **ledger.cost,
    )


async def _observe(pool: Pool, members: Sequence[int], ledger: Ledger) -> tuple[Clustering, Kit]:
    """Clusters by what the programs do on free inputs and, where these do not settle it, on the kit's."""
    kit = Kit()
    if len({pool.board.program_of[index] for index in members}) == 1:
        ledger.notes.append("all candidates are the same program")
        return await _cluster(pool, members, [], frozenset(), ledger), kit
    inputs = await find_free_inputs(pool, members, ledger)
    unsteady = await find_unsteady(pool, members, inputs, ledger)
    found = await _cluster(pool, members, inputs, unsteady, ledger)
    if pool.ask is None or _is_settled(pool, found):
        return found, kit
    kit = await ask_kit(pool, ledger)
    valid = await reject_invalid(pool, kit, inputs, ledger)
    if len(valid) < len(inputs):
        ledger.notes.append(f"kit: {len(inputs) - len(valid)} of {len(inputs)} free inputs are not valid")
    return await _cluster(pool, members, [*valid, *kit.inputs], unsteady, ledger), kit


async def _cluster(
    pool: Pool, members: Sequence[int], inputs: Sequence[str], unsteady: frozenset[int], ledger: Ledger
) -> Clustering:
    runs = await pool.board.run(members, inputs, ledger)
    return cluster_programs(pool.problem, inputs, mask_unsteady(runs, unsteady))


def _is_settled(pool: Pool, found: Clustering) -> bool:
    """Whether the free inputs alone make one cluster sure enough."""
    if len(found.clusters) == 1:
        return len(found.inputs) >= _ENOUGH_INPUTS
    return _believe(weigh(pool, found, cluster_weights(found, pool.board.program_of))).lead >= TARGET


def _believe(terms: Sequence[dict[str, float]]) -> Beliefs:
    return Beliefs.weigh([sum(term.values()) for term in terms], NONE_RIGHT)
