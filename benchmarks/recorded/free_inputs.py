"""Measures what inputs without a model reach: how well they tell programs apart, and how small they shrink.

    python -m benchmarks.recorded.free_inputs FOLDER [--pools NAME ...] [--sandbox auto|docker|local]
        [--memory FILE] [--every N] [--shrink] [--tries N]

Only problems whose survivors are right and wrong count. *Gap* = (selector - random survivor) / (best possible
- random survivor); *ceiling* is the gap of a perfect choice among the clusters that the inputs make, where a
cluster counts by its share of right members. With --shrink also three inputs that split the two largest
clusters: the first of ours, any (what a fuzzer that knows no order comes across), and the longest; characters
before and after; and what the first one shrinks to if nothing but the contract has to hold, which is about
the most that any way of shrinking can reach that keeps inputs valid.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.recorded.pools import FIVE, NAMES, load_pool
from benchmarks.tables import write_head, write_row
from sstar_code.agent.run.store import Store
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.grade import limits_for
from sstar_code.sandbox.memo import MemoSandbox
from sstar_code.selection import Pool
from sstar_code.selection.evidence.board import Ledger
from sstar_code.selection.evidence.clustering import cluster_programs, find_differences
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.inputs.search.explore import find_model_free_inputs
from sstar_code.selection.inputs.search.shrink import shrink_input
from sstar_code.selection.pool import tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.recorded.pools import PoolProblem
    from sstar_code.sandbox.outcome import Sandbox
    from sstar_code.selection.evidence.clustering import Clustering

_SHRINK_CPU_S = 0.5
_BOUND_TRIES = 2_000
_KINDS = ("first", "any", "longest", "valid only: first")


@dataclass(frozen=True, slots=True)
class Measured:
    """One problem."""

    survivor: float
    """Accuracy of a random survivor."""
    perfect: float
    """Accuracy of the best cluster."""
    inputs: int
    runs: int
    cpu_s: float
    shrunk: tuple[tuple[int, int], ...] = ()
    """Characters of the splitting inputs of `_KINDS`, before and after."""


async def measure(item: PoolProblem, sandbox: Sandbox, tries: int) -> Measured | None:
    """None where the survivors are all right or all wrong; nothing is shrunk where `tries` is 0."""
    members = [index for index in tier(item.candidates) if item.candidates[index].survives]
    right = {index: bool(item.candidates[index].hidden_pass) for index in members}
    if len(set(right.values())) < 2:
        return None
    pool, ledger = Pool(item.problem, item.candidates, sandbox), Ledger()
    found = await find_model_free_inputs(pool, members, ledger)
    inputs = list(dict.fromkeys([*public_inputs(item.problem), *found]))
    runs = await pool.board.run(members, inputs, ledger)
    clustering = cluster_programs(item.problem, inputs, runs)
    distinct = {pool.board.program_of[index]: runs[index] for index in members}
    return Measured(
        survivor=sum(right.values()) / len(members),
        perfect=max(sum(map(right.get, group)) / len(group) for group in clustering.clusters),  # type: ignore[arg-type]
        inputs=len(inputs),
        runs=len(ledger.runs),
        cpu_s=sum(run.cpu_s for executions in distinct.values() for run in executions),
        shrunk=await shrink_all(pool, clustering, found, tries) if tries else (),
    )


async def shrink_all(
    pool: Pool, found: Clustering, inputs: Sequence[str], tries: int
) -> tuple[tuple[int, int], ...]:
    """Characters of the first, any and the longest input that split the two largest clusters.

    The fourth pair is the first input and the smallest that the contract admits, whether it splits or not.
    """
    largest = sorted(found.clusters, key=len, reverse=True)[:2]
    if len(largest) < 2:
        return ()
    sides = [group[0] for group in largest]
    limits = replace(limits_for(pool.problem), cpu_s=_SHRINK_CPU_S)

    async def differing(texts: Sequence[str]) -> list[str]:
        runs = await pool.board.run(sides, texts, Ledger(), limits)
        seen = find_differences(pool.problem, texts, runs[sides[0]], runs[sides[1]])
        return [text for text, *_ in seen]

    async def holds(texts: Sequence[str]) -> list[bool]:
        still = set(await differing(texts))
        return [text in still for text in texts]

    if not (splitting := await differing(inputs)):
        return ()
    pairs = []
    chance = random.Random(pool.seed_for("any")).choice(splitting)
    for text in (splitting[0], chance, max(splitting, key=len)):
        smallest = await shrink_input(pool.problem, text, holds, max_tries=tries)
        pairs.append((len(text), len(smallest)))
    smallest = await shrink_input(pool.problem, splitting[0], _accept, max_tries=_BOUND_TRIES)
    return (*pairs, (len(splitting[0]), len(smallest)))


async def _accept(texts: Sequence[str]) -> list[bool]:
    return [True] * len(texts)


async def measure_pools(
    names: Sequence[str], folder: Path, sandbox_name: str, store: Store, every: int, *, tries: int
) -> None:
    inner = make_sandbox(sandbox_name, say=partial(print, file=sys.stderr))
    async with MemoSandbox(inner, store) as sandbox:
        for name in names:
            started, measured = time.monotonic(), []
            limiter = anyio.CapacityLimiter(2 * sandbox.workers)

            async def add(item: PoolProblem, limiter: anyio.CapacityLimiter, into: list[Measured]) -> None:
                async with limiter:
                    if (result := await measure(item, sandbox, tries)) is not None:
                        into.append(result)

            async with anyio.create_task_group() as group:
                for item in load_pool(name, folder)[::every]:
                    group.start_soon(add, item, limiter, measured)
            print_row(name, measured, time.monotonic() - started)


def print_row(pool: str, measured: Sequence[Measured], wall_s: float) -> None:
    room = sum(1 - item.survivor for item in measured)
    ceiling = sum(item.perfect - item.survivor for item in measured) / room
    mean = statistics.fmean
    cells = (
        *(pool, len(measured), f"{ceiling:.3f}", f"{mean(item.inputs for item in measured):.0f}"),
        *(f"{mean(item.runs for item in measured):.0f}", max(item.runs for item in measured)),
        *(f"{mean(item.cpu_s for item in measured):.2f}", f"{max(item.cpu_s for item in measured):.1f}"),
        f"{wall_s:.0f}",
    )
    print(write_row(cells), flush=True)
    for which, name in enumerate(_KINDS):
        sizes = [item.shrunk[which] for item in measured if item.shrunk]
        if sizes:
            factor = statistics.median(before / max(1, after) for before, after in sizes)
            total = sum(before for before, _ in sizes) / max(1, sum(after for _, after in sizes))
            before, after = (statistics.median(pair[place] for pair in sizes) for place in (0, 1))
            print(
                f"  {name} splitting input of {len(sizes)} problems: median {before:g} -> {after:g} "
                f"characters, {factor:.1f} times smaller (median of each), {total:.1f} times in all",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pools", nargs="+", default=FIVE, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--memory", type=Path, help="SQLite file that keeps executions")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth problem only")
    parser.add_argument("--shrink", action="store_true", help="also shrink splitting inputs")
    parser.add_argument("--tries", type=int, default=150, metavar="N", help="of one shrinking")
    options = parser.parse_args()
    names = ("ceiling", "inputs", "runs", "most runs", "CPU s", "most CPU s", "seconds")
    print(write_head(("pool", "mixed problems", *names)))
    with closing(Store(options.memory)) as store:
        anyio.run(
            partial(measure_pools, tries=options.tries if options.shrink else 0),
            options.pools,
            options.folder,
            options.sandbox,
            store,
            options.every,
        )


if __name__ == "__main__":
    main()
