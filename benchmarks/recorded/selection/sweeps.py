"""How much more inputs and more samples are worth."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio

from benchmarks.recorded.pools import load_pool
from benchmarks.recorded.selection.run import Row, ceiling_of, shares
from sstar_code.selection import Pool, tier
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.observe import observe
from sstar_code.selection.evidence.weights import agreement, cluster_weights
from sstar_code.selection.inputs.search.explore import find_model_free_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.recorded.pools import PoolProblem
    from sstar_code.sandbox import Sandbox

__all__ = ["INPUT_COUNTS", "SAMPLE_COUNTS", "sweep_inputs"]

INPUT_COUNTS = (5, 10, 20, 50, 100, 200)
SAMPLE_COUNTS = (4, 8, 16, 32, 64, 100)


async def sweep_inputs(
    name: str,
    data: Path,
    sandbox: Sandbox,
    counts: Sequence[int],
    *,
    draws: int = 1,
    limit: int | None = None,
) -> list[Row]:
    """Graded agreement on so many of the free inputs; the row's ceiling is of their clusters.

    The search hands its inputs over with the telling ones first, which is known only after all have run. So
    they are put in a random order, equal for all counts: fewer inputs are a part of more.
    """
    items = load_pool(name, data, draws=draws)[:limit]
    rows: dict[int, list[Row]] = {}
    limiter = anyio.CapacityLimiter(2 * sandbox.workers)

    async def work(place: int, item: PoolProblem) -> None:
        async with limiter:
            rows[place] = await _sweep(name, item, sandbox, counts)

    async with anyio.create_task_group() as group:
        for place, item in enumerate(items):
            group.start_soon(work, place, item)
    return [row for place in sorted(rows) for row in rows[place]]


async def _sweep(name: str, item: PoolProblem, sandbox: Sandbox, counts: Sequence[int]) -> list[Row]:
    chance, best = shares(item)
    base = [(name, item.problem.id, item.draw, f"{count} inputs") for count in counts]
    if chance == best:
        return [Row(*names, chance, chance, best, chance) for names in base]
    pool, ledger = Pool(item.problem, item.candidates, sandbox), Ledger()
    members = tier(item.candidates)
    inputs = await find_model_free_inputs(pool, members, ledger, max_runs=max(counts) * len(members))
    random.Random(pool.seed_for("sweep")).shuffle(inputs)
    rows = []
    for names, count in zip(base, counts, strict=True):
        spent = Ledger()
        found = await observe(pool, members, inputs[:count], spent)
        weights = cluster_weights(found, pool.board.program_of)
        scores = agreement(found, weights)
        chosen = max(range(len(scores)), key=lambda number: (scores[number], weights[number], -number))
        right = [bool(item.candidates[index].hidden_pass) for index in found.clusters[chosen]]
        ceiling = ceiling_of(item, found.clusters)
        rows.append(Row(*names, sum(right) / len(right), chance, best, ceiling, executions=len(spent.runs)))
    return rows
