"""Selection by evidence: model-free evidence first, a model only where it can change the choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.audit import ask_audit, weigh_audit
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import cluster_programs
from sstar_code.selection.evidence.cpu_budget import CpuBudget
from sstar_code.selection.evidence.harness import Harness, ask_harness, ask_reference, find_doubtful
from sstar_code.selection.evidence.observe import find_nondeterministic, mask_nondeterministic
from sstar_code.selection.evidence.posterior import Beliefs
from sstar_code.selection.evidence.weights import (
    BRUTE_FORCE,
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
    from sstar_code.selection.evidence.harness import WrittenTest
    from sstar_code.selection.pool import Pool

TARGET = 0.945
"""Nothing more is asked once the likeliest cluster has this probability, given that one is right. A little
less than `calibration.BEST_ACCURACY`, so that one answer of the best judge settles what was even before."""
MAX_JUDGE_CALLS = 6
"""Judge calls per problem; an answer that would change the choice takes two, one in each order."""
_USABLE, _REFERENCE_ACCURACY = 0.5, 0.9
"""How often a brute force passes the public tests, and then names the right cluster; both set by hand."""
_REFERENCE_CALLS = 1.5
"""Price of a brute force in questions to the judge: its answer is a program."""
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

    With a model, only where no cluster is sure enough: one call for a generator of inputs and a validator
    where the model-free inputs do not tell the leaders apart (`harness`); then, whichever is expected to tell
    more for its price, one call for a brute force and a check of outputs, tried on the public tests first,
    or one that asks which of two to four anonymous outputs is right on one small input (`questioning`; at
    most `MAX_JUDGE_CALLS`), weighted by how often the judge is right where the answer is known
    (`calibration`). A call that fails or cannot be read is no evidence.

    The confidence is the probability of the chosen cluster, None where nothing was compared.

    Sources: MBR-Exec (arXiv 2204.11454), CodeMonkeys (2501.14723) for generators, ExPairT-LLM (2511.10855)
    for asking about outputs; the posterior, its calibration and the order of the stages are ours.
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("adaptive", None, 0.0)
    ledger = Ledger()
    found, doubtful, tests = await _observe(pool, members, ledger)
    weights = cluster_weights(found, pool.board.program_of)
    terms = score_clusters(pool, found, weights, doubtful)
    for term, more in zip(terms, weigh_audit(pool, tests, found, doubtful), strict=True):
        term.update(more)
    prior = _believe(terms)
    questioning = Questioning(pool, found, weights, doubtful, prior, ledger, MAX_JUDGE_CALLS, TARGET)
    if pool.ask is not None and prior.lead < TARGET:
        await _ask_model(questioning, terms)
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
        derived=(*questioning.derived, *_derive_from_consensus(pool, members, found, beliefs, doubtful)),
    )


async def _ask_model(questioning: Questioning, terms: list[dict[str, float]]) -> None:
    """Put what tells most for its price until nothing can change the choice; what it told goes to `terms`."""
    pool, found, ledger = questioning.pool, questioning.found, questioning.ledger
    await questioning.measure()
    has_reference = False
    while True:
        of_question = questioning.gain
        of_reference = 0.0 if has_reference else _expect_of_reference(questioning)
        if of_reference > of_question:
            has_reference, harness = True, Harness()
            await ask_reference(pool, harness, ledger)
            told = await check_outputs(
                pool, harness, found, questioning.weights, ledger, doubtful=questioning.doubtful
            )
            for mine, more in zip(terms, told, strict=True):
                mine.update(more)
            questioning.beliefs = questioning.beliefs.add([math.fsum(more.values()) for more in told])
        elif of_question:
            await questioning.ask()
        else:
            return


def _expect_of_reference(questioning: Questioning) -> float:
    """Bits that a call for a brute force is expected to tell; 0 where it can change nothing."""
    beliefs, found = questioning.beliefs, questioning.found
    first, second = sorted(beliefs.clusters, reverse=True)[:2] if len(found.clusters) > 1 else (1.0, 0.0)
    splits = any(len(set(found.labels[place])) > 1 for place in valid_places(found, questioning.weights))
    if not splits or beliefs.lead >= TARGET or math.log(first / second) >= BRUTE_FORCE:
        return 0.0
    return _USABLE * beliefs.gain(range(len(found.clusters)), _REFERENCE_ACCURACY) / _REFERENCE_CALLS


async def _observe(
    pool: Pool, members: Sequence[int], ledger: Ledger
) -> tuple[Clustering, frozenset[str], list[WrittenTest]]:
    """Clusters by behaviour on model-free inputs and, where these do not settle it, on the harness's.

    Then the inputs that the harness's validator rejects, and the tests of an audit, where it is wanted.
    """
    if len(pool.board.programs(members)) == 1:
        ledger.notes.append("all candidates are the same program")
        return await _cluster(pool, members, [], frozenset(), ledger), frozenset(), []
    inputs = await find_model_free_inputs(pool, members, ledger)
    masked = await find_nondeterministic(pool, members, inputs, ledger)
    found = await _cluster(pool, members, inputs, masked, ledger)
    tests: list[WrittenTest] = []
    if pool.ask is not None and pool.audit and len(found.clusters) > 1:
        beliefs = _believe(score_clusters(pool, found, cluster_weights(found, pool.board.program_of)))
        if beliefs.lead < TARGET:
            tests = await ask_audit(pool, prefer(pool, found.clusters[beliefs.best]), ledger)
            texts = dict.fromkeys(test.input for test in tests if test.input not in inputs)
            new, _ = await CpuBudget(pool, ledger).run_most(members, list(texts))
            inputs = [*inputs, *new]
            found = await _cluster(pool, members, inputs, masked, ledger)
    if pool.ask is None or not _needs_harness(pool, found):
        return found, frozenset(), tests
    harness = await ask_harness(pool, ledger, generate=len(found.inputs) < _ENOUGH_INPUTS)
    doubtful = await find_doubtful(pool, harness, inputs, ledger)
    if doubtful:
        count = f"{len(doubtful)} of {len(inputs)} model-free inputs"
        ledger.notes.append(f"harness: {count} count less: the validator rejects them")
    new, _ = await CpuBudget(pool, ledger).run_most(members, harness.inputs)
    return await _cluster(pool, members, [*inputs, *new], masked, ledger), doubtful, tests


def _needs_harness(pool: Pool, found: Clustering) -> bool:
    """Whether the model-free inputs are too few, or tell the two likeliest apart beyond the contract only.

    An input inside the contract on which both leaders give an answer is a question that can be put as it is.
    """
    if len(found.clusters) == 1:
        return len(found.inputs) < _ENOUGH_INPUTS
    weights = cluster_weights(found, pool.board.program_of)
    beliefs = _believe(score_clusters(pool, found, weights))
    if beliefs.lead >= TARGET:
        return False
    contract = Contract.of(pool.problem)
    first, second = sorted(range(len(weights)), key=lambda number: -beliefs.clusters[number])[:2]
    return not any(
        found.labels[place][first] != found.labels[place][second] and contract.admits(found.inputs[place])
        for place in valid_places(found, weights)
    )


async def _cluster(
    pool: Pool, members: Sequence[int], inputs: Sequence[str], masked: frozenset[int], ledger: Ledger
) -> Clustering:
    runs = await pool.board.run(members, inputs, ledger)
    return cluster_programs(pool.problem, inputs, mask_nondeterministic(runs, masked))


def _believe(terms: Sequence[dict[str, float]]) -> Beliefs:
    return Beliefs.from_scores([sum(term.values()) for term in terms], NONE_RIGHT)


def _derive_from_consensus(
    pool: Pool, members: Sequence[int], found: Clustering, beliefs: Beliefs, doubtful: frozenset[str]
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
        if agree and is_new and contract.admits(text) and text not in doubtful:
            kept[first.output] = text
    confidence = math.fsum(beliefs.clusters)
    why = f"all {len(programs)} different programs that pass the public tests"
    return [Derived(text, output, confidence, why) for output, text in kept.items()]
