"""Selection by evidence: model-free evidence first, a model only where it can change the choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import cluster_programs
from sstar_code.selection.evidence.harness import Harness, ask_harness, ask_reference, reject_invalid
from sstar_code.selection.evidence.observe import find_nondeterministic, mask_nondeterministic
from sstar_code.selection.evidence.posterior import Beliefs
from sstar_code.selection.evidence.weights import (
    NONE_RIGHT,
    check_outputs,
    cluster_weights,
    prefer,
    score_clusters,
    valid_places,
)
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.explore import find_model_free_inputs
from sstar_code.selection.judging.questioning import Questioning
from sstar_code.selection.pool import admit_unknown, explain, tier
from sstar_code.selection.protocols import Derived, Evidence, Selection

if TYPE_CHECKING:
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.pool import Pool

TARGET = 0.95
"""Nothing more is asked once the likeliest cluster has this probability, given that one is right."""
MAX_JUDGE_CALLS = 6
"""Judge calls per problem; an answer that would change the choice takes two, one in each order."""
_ENOUGH_INPUTS = 20
"""Model-free inputs that count on which all programs have to agree for nothing to be asked."""
_CONSENSUS_PROGRAMS = 3
"""Different programs that have to agree on an input for it to become a test."""
_CONSENSUS_TESTS = 3
_MAX_TEST_CHARS = 200


async def select_adaptive(pool: Pool) -> Selection:
    """A member of the likeliest behaviour cluster, by model-free evidence and, where needed, a model.

    Model-free: the programs of the best tier run on variations of the public inputs and form clusters. For
    each cluster the agreement of the others, failures on inputs that others manage, its size and the
    reliability of who wrote it (`Pool.reliability`) add up to a log-score; scores become probabilities
    (`weights`).

    With a model, only where no cluster is sure enough: one call for a generator of inputs and a validator,
    one for a brute force and a check of outputs, all tried on the public tests first (`harness`); then at
    most `MAX_JUDGE_CALLS` calls that ask which of two to four anonymous outputs is right on one small input,
    the most telling first (`questioning`), weighted by how often the judge is right where the answer is known
    (`calibration`). A call that fails or cannot be read is no evidence.

    The confidence is the probability of the chosen cluster, None where nothing was compared.

    Sources: MBR-Exec (arXiv 2204.11454), CodeMonkeys (2501.14723) for generators, ExPairT-LLM (2511.10855)
    for asking about outputs; the posterior, its calibration and the order of the stages are ours.
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("adaptive", None, 0.0)
    ledger = Ledger()
    found, harness = await _observe(pool, members, ledger)
    weights = cluster_weights(found, pool.board.program_of)
    terms = score_clusters(pool, found, weights)
    prior = _believe(terms)
    questioning = Questioning(pool, found, weights, prior, ledger, MAX_JUDGE_CALLS, TARGET)
    if pool.ask is not None and prior.lead < TARGET:
        await ask_reference(pool, harness, ledger)
        for mine, more in zip(terms, await check_outputs(pool, harness, found, weights, ledger), strict=True):
            mine.update(more)
        questioning.beliefs = _believe(terms)
        await questioning.run()
    beliefs = questioning.beliefs
    chosen = prefer(pool, found.clusters[beliefs.best])
    return ledger.conclude(
        "adaptive",
        chosen,
        admit_unknown(
            pool, chosen, beliefs.clusters[beliefs.best], members, compared=bool(valid_places(found, weights))
        ),
        found.clusters,
        explain(found),
        evidence=tuple(
            Evidence(before, after, term)
            for before, after, term in zip(prior.clusters, beliefs.clusters, terms, strict=True)
        ),
        asked=tuple(questioning.asked),
        derived=(*questioning.derived, *_derive_from_consensus(pool, members, found, beliefs)),
    )


async def _observe(pool: Pool, members: Sequence[int], ledger: Ledger) -> tuple[Clustering, Harness]:
    """Clusters by behaviour on model-free inputs and, where these do not settle it, on the harness's."""
    harness = Harness()
    if len(pool.board.programs(members)) == 1:
        ledger.notes.append("all candidates are the same program")
        return await _cluster(pool, members, [], frozenset(), ledger), harness
    inputs = await find_model_free_inputs(pool, members, ledger)
    masked = await find_nondeterministic(pool, members, inputs, ledger)
    found = await _cluster(pool, members, inputs, masked, ledger)
    if pool.ask is None or _is_settled(pool, found):
        return found, harness
    harness = await ask_harness(pool, ledger)
    valid = await reject_invalid(pool, harness, inputs, ledger)
    if len(valid) < len(inputs):
        count = len(inputs) - len(valid)
        ledger.notes.append(f"harness: {count} of {len(inputs)} model-free inputs are not valid")
    return await _cluster(pool, members, [*valid, *harness.inputs], masked, ledger), harness


async def _cluster(
    pool: Pool, members: Sequence[int], inputs: Sequence[str], masked: frozenset[int], ledger: Ledger
) -> Clustering:
    runs = await pool.board.run(members, inputs, ledger)
    return cluster_programs(pool.problem, inputs, mask_nondeterministic(runs, masked))


def _is_settled(pool: Pool, found: Clustering) -> bool:
    """Whether the model-free inputs alone make one cluster sure enough."""
    if len(found.clusters) == 1:
        return len(found.inputs) >= _ENOUGH_INPUTS
    weights = cluster_weights(found, pool.board.program_of)
    return _believe(score_clusters(pool, found, weights)).lead >= TARGET


def _believe(terms: Sequence[dict[str, float]]) -> Beliefs:
    return Beliefs.from_scores([sum(term.values()) for term in terms], NONE_RIGHT)


def _derive_from_consensus(
    pool: Pool, members: Sequence[int], found: Clustering, beliefs: Beliefs
) -> list[Derived]:
    """At most three short inputs inside the contract on which all `members` give one output, which differs.

    Only where these are three different programs or more, all of which pass every public test. Each is as
    sure as that any cluster is right: where one is, so is what all agree on.
    """
    programs = pool.board.programs(members)
    if len(programs) < _CONSENSUS_PROGRAMS or not all(pool.candidates[index].survives for index in members):
        return []
    contract = Contract.of(pool.problem)
    kept: dict[str, str] = {}
    for place in sorted(range(len(found.inputs)), key=lambda place: (len(found.inputs[place]), place)):
        text, first = found.inputs[place], found.behaviours[place][0]
        if len(kept) == _CONSENSUS_TESTS or len(text) > _MAX_TEST_CHARS:
            break
        agree = len(set(found.labels[place])) == 1 and first.status is Status.OK
        is_new = first.output not in kept and len(first.output) <= _MAX_TEST_CHARS
        if agree and is_new and contract.admits(text):
            kept[first.output] = text
    confidence = math.fsum(beliefs.clusters)
    why = f"all {len(programs)} different programs that pass the public tests"
    return [Derived(text, output, confidence, why) for output, text in kept.items()]
