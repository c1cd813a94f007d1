"""All selection methods side by side on recorded candidates, without a model.

    python -m benchmarks.recorded.selection.measure FOLDER [--pools NAME ...] [--methods NAME ...]
        [--judge ACCURACY ...] [--judges N] [--telling KIND ...] [--draws N] [--limit N]
        [--split all|even|odd] [--mixed] [--memory FILE] [--out FOLDER] [--sweep n|inputs]
        [--without fuzz|shrink|trust|prediction ...]

FOLDER holds the recorded sets that benchmarks/recorded/pools.py names. A choice is right when the recorded
hidden verdict says so. *Gap* is (method - random survivor) / (best possible - random survivor) over all
problems of a pool; survivors pass all public tests. *Ceiling* is the gap that one would recover who always
chose the cluster with the highest share of right programs, among the clusters that the method made. Runs and
CPU seconds are means over the problems on which anything was run. `codet`, `b4` and `tests` get recorded
tests, where there are any, as if a model had written them; `judge` needs --judge, a simulated one of that
accuracy, whose errors are of the kinds of --telling (`tests.support.simulated`). --mixed leaves out the
problems where all survivors are alike, which changes no rate, only mean costs. --memory keeps executions, so
that a second run takes seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.charts import draw_gaps
from benchmarks.recorded.pools import FIVE, NAMES
from benchmarks.recorded.selection.ablations import ABLATIONS, ablate
from benchmarks.recorded.selection.report import as_json, mean_gaps, summarise, write_tables
from benchmarks.recorded.selection.run import Trial, run_pool
from benchmarks.recorded.selection.sweeps import INPUT_COUNTS, SAMPLE_COUNTS, sweep_inputs
from sstar_code.agent.run.store import Store
from sstar_code.sandbox.choose import NAMES as SANDBOXES
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.memo import MemoSandbox
from sstar_code.selection import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.recorded.selection.run import Row

JUDGED = ("sstar", "judge", "adaptive")
"""Methods that a judge makes a difference to."""


def list_trials(
    methods: Sequence[str], judges: Sequence[float], most: int = 1, telling: Sequence[str] = ("",)
) -> list[Trial]:
    """Every method without a model, then those that can use a judge with each accuracy.

    `adaptive` comes with each number of such judges from one to `most`, a single one with each of `telling`.
    """
    plain = [Trial(name) for name in methods if name != "judge"]
    single = [
        Trial(name, accuracy, telling=told)
        for accuracy in judges
        for told in telling
        for name in methods
        if name in JUDGED
    ]
    numbers = range(2, most + 1) if "adaptive" in methods else ()
    return plain + single + [Trial("adaptive", accuracy, n) for accuracy in judges for n in numbers]


async def run(options: argparse.Namespace, store: Store) -> list[Row]:
    """The rows of all pools."""
    rows: list[Row] = []
    trials = list_trials(options.methods, options.judge, options.judges, options.telling)
    inner = make_sandbox(options.sandbox, workers=2, say=partial(print, file=sys.stderr))
    async with MemoSandbox(inner, store) as sandbox:
        for name in options.pools:
            draws = options.draws if name.startswith("codet") and name != "codet100" else 1
            if options.sweep == "inputs":
                rows += await sweep_inputs(
                    name, options.folder, sandbox, INPUT_COUNTS, draws=draws, limit=options.limit
                )
                continue
            mine = await run_pool(
                name,
                options.folder,
                trials,
                sandbox,
                draws=draws,
                limit=options.limit,
                split=options.split,
                mixed_only=options.mixed,
                with_trust="trust" not in options.without,
            )
            print(write_tables(summarise(mine), {}, ""), file=sys.stderr)  # the next pool may take long
            rows += mine
        print(f"{sandbox.executed} runs", file=sys.stderr)
    return rows


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pools", nargs="+", default=[*FIVE, "livecodebench"], metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS, metavar="NAME")
    parser.add_argument("--judge", nargs="+", type=float, default=[], metavar="ACCURACY")
    parser.add_argument("--judges", type=int, default=1, help="also so many judges of each accuracy at once")
    parser.add_argument("--telling", nargs="+", default=[""], metavar="KIND", help="informed, noise, silent")
    parser.add_argument("--draws", type=int, default=5, help="of every codetN pool")
    parser.add_argument("--limit", type=int, help="only the first problems of every pool")
    parser.add_argument("--split", choices=("all", "even", "odd"), default="all")
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--sweep", choices=("n", "inputs"))
    parser.add_argument("--without", nargs="+", choices=ABLATIONS, default=[])
    parser.add_argument("--sandbox", choices=SANDBOXES, default="auto")
    parser.add_argument("--memory", type=Path, help="SQLite file that keeps executions")
    parser.add_argument("--out", type=Path, help="folder for selection.md, .json, .svg and rows.jsonl")
    options = parser.parse_args(arguments)
    if options.sweep == "n":
        options.pools = [f"codet{count}" for count in SAMPLE_COUNTS]
    unknown = [name for name in options.pools if name not in NAMES and not name.startswith("codet")]
    if unknown:
        parser.error(f"unknown pool {unknown[0]!r}: choose of {', '.join(NAMES)} or codetN")
    return options


def main() -> None:
    """Run, print the tables, write them where asked."""
    options, started = parse(), time.monotonic()
    with closing(Store(options.memory)) as store, ablate(options.without):
        rows = anyio.run(run, options, store)
    found = summarise(rows)
    five = [name for name in FIVE if name in options.pools]
    over = five if len(five) > 1 else []
    means = mean_gaps(rows, over) if over else {}
    tables = write_tables(found, means, f"{len(over)} pools")
    print(tables)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "selection.md").write_text(tables)
        (options.out / "selection.json").write_text(json.dumps(as_json(found, means), indent=1))
        (options.out / "selection.svg").write_text(
            draw_gaps(means, f"mean of {', '.join(over)}; lines: 95%, dots: ceiling")
        )
        lines = "".join(json.dumps(asdict(row)) + "\n" for row in rows)
        (options.out / "rows.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
