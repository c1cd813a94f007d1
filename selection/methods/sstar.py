"""Selection by adaptive input synthesis: Algorithm 1 of S* (arXiv 2502.14382)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import Behaviour, Clustering, find_differences
from sstar_code.selection.evidence.cpu_budget import CpuBudget
from sstar_code.selection.evidence.fingerprint import strip_comments
from sstar_code.selection.evidence.observe import ask_inputs, observe
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.replies import parse_inputs
from sstar_code.selection.inputs.search.explore import find_model_free_inputs
from sstar_code.selection.judging.question import ask_in_both_orders, clip, make_case, swap_cases
from sstar_code.selection.pool import MAX_OUTPUT_CHARS, explain, share, tier
from sstar_code.selection.protocols import Distinguishing, Question, Selection

if TYPE_CHECKING:
    from sstar_code.selection.pool import Pool

_DISTINGUISHING_INPUTS = 5
"""Number of inputs asked for in a match, and the most cases that a judge is shown."""
_MAX_REPORTED = 50


@dataclass(slots=True)
class _Match:
    """How two clusters compare."""

    pair: tuple[int, int]
    sides: tuple[int, int]
    """The programs that stand for the two."""
    inputs: Sequence[str] = ()
    """The model's inputs for this match."""
    seen: Sequence[tuple[str, Behaviour, Behaviour]] = ()
    """The cases that the judge is shown: an input, and the behaviours of the two programs."""
    points: tuple[float, float] = (0.0, 0.0)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.pair[0]}-{self.pair[1]}"


async def select_sstar(pool: Pool) -> Selection:
    """A random member of the behaviour cluster that wins most matches.

    Best tier, equal programs once; one call for inputs, every program run on them; clusters by the whole
    of what they did, failures included. With one cluster no judge is asked. Otherwise one match for every
    pair of clusters: a program of each, one call for inputs on which the two differ, both run, and two
    calls that ask which outputs are right, the second with the sides swapped. The same winner twice: one
    point; neither twice: a half each; anything else: none. Ties go to the larger, then the earlier cluster.

    The confidence is an estimate without calibration: (points won + the cluster's share of the tier) /
    (matches of the cluster + 1); with no match, the share. None where nothing was compared.

    Source: Algorithm 1 of S* (arXiv 2502.14382). docs/method/selection.md says where paper and official
    code differ.
    """
    members = tier(pool.candidates)
    if not members:
        return Selection("sstar", None, 0.0)
    ledger = Ledger()
    found = await _cluster(pool, members, ledger)
    matches: list[_Match] = []
    if pool.ask is not None:
        matches = await _play(pool, found, ledger)
    elif len(found.clusters) > 1:
        ledger.notes.append("no model: the largest cluster is taken")
    points = [0.0] * len(found.clusters)
    for match in matches:
        for cluster, won in zip(match.pair, match.points, strict=True):
            points[cluster] += won
        ledger.notes += match.notes
    best = max(range(len(points)), key=lambda number: (points[number], len(found.clusters[number]), -number))
    chosen = random.Random(pool.seed_for("sstar")).choice(found.clusters[best])
    confidence = share(pool, chosen, len(found.clusters[best]), members, compared=bool(found.inputs))
    if matches and confidence:
        confidence = (points[best] + confidence) / len(found.clusters)
    reported = _report(found, matches)
    return ledger.conclude("sstar", chosen, confidence, found.clusters, reported)


async def _cluster(pool: Pool, members: Sequence[int], ledger: Ledger) -> Clustering:
    """Cluster on the model's inputs; on mutations where there is none that counts."""
    if len(pool.board.programs(members)) == 1:
        ledger.notes.append("all candidates are the same program")
        return await observe(pool, members, [], ledger)
    inputs = await ask_inputs(pool, ledger)
    found = await observe(pool, members, inputs, ledger)
    if found.inputs:
        return found
    if pool.ask is not None:
        ledger.notes.append("inputs: mutations of the public ones stand in")
    return await observe(pool, members, await find_model_free_inputs(pool, members, ledger), ledger)


async def _play(pool: Pool, found: Clustering, ledger: Ledger) -> list[_Match]:
    """One match between any two clusters.

    The model is asked about all at once; programs run for one match after the other, so that the CPU seconds
    that are left go to the same matches every time.
    """
    matches = []
    for first, second in combinations(range(len(found.clusters)), 2):
        rng = random.Random(pool.seed_for(f"{first}-{second}"))
        sides = rng.choice(found.clusters[first]), rng.choice(found.clusters[second])
        matches.append(_Match((first, second), sides))
    await run_together(partial(_ask_distinguishing, pool, match, ledger) for match in matches)
    for match in matches:
        await _find_cases(pool, found, match, ledger)
    await run_together(partial(_judge, pool, match, ledger) for match in matches)
    return matches


async def _ask_distinguishing(pool: Pool, match: _Match, ledger: Ledger) -> None:
    first, second = (strip_comments(pool.candidates[index].code) for index in match.sides)
    reply = await pool.board.ask(
        Question.DISTINGUISH, match.name, ledger, first=first, second=second, count=_DISTINGUISHING_INPUTS
    )
    if reply is None:
        match.notes.append(f"match {match.name}: the call for inputs failed")
        return
    match.inputs = parse_inputs(reply.text, pool.problem, limit=2 * _DISTINGUISHING_INPUTS)
    if not match.inputs:
        match.notes.append(f"match {match.name}: no input could be read from the reply")


async def _find_cases(pool: Pool, found: Clustering, match: _Match, ledger: Ledger) -> None:
    """The cases of a match: on the model's inputs or, where none tells the two apart, on known ones."""
    match.seen = await _run_both(pool, match.sides, match.inputs, ledger)
    if not match.seen:
        if match.inputs:
            match.notes.append(
                f"match {match.name}: none of {len(match.inputs)} new inputs tells the two apart"
            )
        known = [found.inputs[place] for place in found.splitting(*match.pair)]
        match.seen = await _run_both(pool, match.sides, known, ledger)


async def _judge(pool: Pool, match: _Match, ledger: Ledger) -> None:
    if not match.seen:
        match.notes.append(
            f"match {match.name}: no input on which one of the two succeeds, so no judge is asked"
        )
        return
    cases = [make_case(pool.problem, *shown) for shown in match.seen]
    orders = {"cases": cases}, {"cases": swap_cases(cases)}
    match.points, note = await ask_in_both_orders(pool.board, Question.JUDGE, match.name, orders, ledger)
    match.notes.append(note)


async def _run_both(
    pool: Pool, sides: Sequence[int], inputs: Sequence[str], ledger: Ledger
) -> list[tuple[str, Behaviour, Behaviour]]:
    """The inputs on which the two programs really differ, and what each did.

    Those inside the contract come first, since a judge leaves out what the statement forbids.
    """
    inputs, runs = await CpuBudget(pool, ledger).run_most(sides, inputs)
    seen = find_differences(pool.problem, inputs, runs[sides[0]], runs[sides[1]])
    contract = Contract.of(pool.problem)
    seen.sort(key=lambda item: (not contract.admits(item[0]), len(item[0])))
    return seen[:_DISTINGUISHING_INPUTS]


def _report(found: Clustering, matches: Sequence[_Match]) -> tuple[Distinguishing, ...]:
    """The inputs that tell the clusters apart, then those that the judge saw."""
    outputs = {item.input: dict(item.outputs) for item in explain(found)}
    for match in matches:
        for text, *sides in match.seen:
            row = outputs.setdefault(text, {})
            for number, side in zip(match.pair, sides, strict=True):
                row.setdefault(str(number), clip(side.text, MAX_OUTPUT_CHARS))
    return tuple(Distinguishing(text, row) for text, row in outputs.items())[:_MAX_REPORTED]
