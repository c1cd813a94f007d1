"""What every recorded survivor does on inputs like those that a wave looks at, kept in a file."""

from __future__ import annotations

import gzip
import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.recorded.pools import load_pool
from sstar_code.agent.allocation.sample import list_inputs, watch
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import behaviour_of, compare_with, label
from sstar_code.selection.evidence.fingerprint import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.recorded.pools import PoolProblem
    from sstar_code.sandbox import Execution, Sandbox

__all__ = ["INPUTS", "read_behaviours"]

INPUTS = 40
"""The first of them are those that a wave looks at; the simulated chooser sees all."""


def read_behaviours(pool: str, data: Path, cache: Path, sandbox: str = "auto") -> list[dict[str, Any]]:
    """A row for each item of `pool`, in order; taken from the folder `cache` where it is there.

    `programs` has, for each candidate, the number of its text among the survivors' (None: no survivor), and
    `columns`, for each input, the label of each text's behaviour, negative where it failed.
    """
    path = cache / f"behaviours-{pool}.json.gz"
    if not path.exists():
        rows = anyio.run(_find_out, load_pool(pool, data), sandbox)
        cache.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as file:
            json.dump(rows, file)
    with gzip.open(path, "rt") as file:
        found: list[dict[str, Any]] = json.load(file)
    return found


async def _find_out(items: list[PoolProblem], sandbox_name: str) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    say = partial(print, file=sys.stderr)
    async with make_sandbox(sandbox_name, workers=2, say=say) as sandbox:
        for place, item in enumerate(items):
            rows[place] = await _look(item, sandbox)
            if place % 20 == 0:
                say(f"{place}/{len(items)}")
    return [rows[place] for place in range(len(items))]


async def _look(item: PoolProblem, sandbox: Sandbox) -> dict[str, Any]:
    problem, texts = item.problem, list[str]()
    programs: list[int | None] = []
    for candidate in item.candidates:
        if not candidate.survives:
            programs.append(None)
            continue
        text = fingerprint(candidate.code)
        if text not in texts:
            texts.append(text)
        programs.append(texts.index(text))
    codes = [item.candidates[programs.index(number)].code for number in range(len(texts))]
    inputs = list_inputs(problem, 0, INPUTS)
    runs: dict[int, list[Execution]] = {}
    if codes:
        inputs, runs = await watch(problem, dict(enumerate(codes)), sandbox, inputs)
    columns = []
    alike = compare_with(problem)
    for place in range(len(inputs)):
        column = [runs[number][place] for number in range(len(codes))]
        if any(run.status is Status.IE for run in column):
            continue
        labels = label([behaviour_of(run) for run in column], alike)
        columns.append(
            [
                number if run.status is Status.OK else -1 - number
                for number, run in zip(labels, column, strict=True)
            ]
        )
    return {"problem": problem.id, "draw": item.draw, "programs": programs, "columns": columns}
