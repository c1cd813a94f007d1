"""Selection by adaptive input synthesis: Algorithm 1 of S* (arXiv 2502.14382)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import Behaviour, Clustering, find_differences
from sstar_code.selection.evidence.fingerprint import strip_comments
from sstar_code.selection.evidence.observe import ask_inputs, observe
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


@dataclass(frozen=True, slots=True)
class _Match:
    """How two clusters compared."""

    pair: tuple[int, int]
    points: tuple[float, float]
    seen: tuple[tuple[str, Behaviour, Behaviour], ...]
    """The cases that the judge was shown: an input, and the behaviours of the two clusters' programs."""
    notes: tuple[str, ...]


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
        pairs = combinations(range(len(found.clusters)), 2)
        matches = await run_together(partial(_play, pool, found, pair, ledger) for pair in pairs)
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


async def _play(pool: Pool, found: Clustering, pair: tuple[int, int], ledger: Ledger) -> _Match:
    """One match between two clusters."""
    name = f"{pair[0]}-{pair[1]}"
    rng = random.Random(pool.seed_for(name))
    sides = [rng.choice(found.clusters[number]) for number in pair]
    notes: list[str] = []
    inputs = await _ask_distinguishing(pool, sides, name, ledger, notes)
    seen = await _run_both(pool, sides, inputs, ledger)
    if not seen:
        if inputs:
            notes.append(f"match {name}: none of {len(inputs)} new inputs tells the two apart")
        known = [found.inputs[place] for place in found.splitting(*pair)]
        seen = await _run_both(pool, sides, known, ledger)
    if not seen:
        notes.append(f"match {name}: no input on which one of the two succeeds, so no judge is asked")
        return _Match(pair, (0.0, 0.0), (), tuple(notes))
    cases = [make_case(pool.problem, *shown) for shown in seen]
    orders = {"cases": cases}, {"cases": swap_cases(cases)}
    points, note = await ask_in_both_orders(pool.board, Question.JUDGE, name, orders, ledger)
    return _Match(pair, points, tuple(seen), (*notes, note))


async def _ask_distinguishing(
    pool: Pool, sides: Sequence[int], name: str, ledger: Ledger, notes: list[str]
) -> list[str]:
    first, second = (strip_comments(pool.candidates[index].code) for index in sides)
    reply = await pool.board.ask(
        Question.DISTINGUISH, name, ledger, first=first, second=second, count=_DISTINGUISHING_INPUTS
    )
    if reply is None:
        notes.append(f"match {name}: the call for inputs failed")
        return []
    inputs = parse_inputs(reply.text, pool.problem, limit=2 * _DISTINGUISHING_INPUTS)
    if not inputs:
        notes.append(f"match {name}: no input could be read from the reply")
    return inputs


async def _run_both(
    pool: Pool, sides: Sequence[int], inputs: Sequence[str], ledger: Ledger
) -> list[tuple[str, Behaviour, Behaviour]]:
    """The inputs on which the two programs really differ, short ones first, and what each did."""
    runs = await pool.board.run(sides, inputs, ledger)
    seen = find_differences(pool.problem, inputs, runs[sides[0]], runs[sides[1]])
    return sorted(seen, key=lambda item: len(item[0]))[:_DISTINGUISHING_INPUTS]


def _report(found: Clustering, matches: Sequence[_Match]) -> tuple[Distinguishing, ...]:
    """The inputs that tell the clusters apart, then those that the judge saw."""
    outputs = {item.input: dict(item.outputs) for item in explain(found)}
    for match in matches:
        for text, *sides in match.seen:
            row = outputs.setdefault(text, {})
            for number, side in zip(match.pair, sides, strict=True):
                row.setdefault(str(number), clip(side.text, MAX_OUTPUT_CHARS))
    return tuple(Distinguishing(text, row) for text, row in outputs.items())[:_MAX_REPORTED]
