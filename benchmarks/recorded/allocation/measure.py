"""Allocation against a fixed number of samples and against an even spread, on recorded pools.

    python -m benchmarks.recorded.allocation.measure FOLDER [--pools NAME ...] [--half even|odd|all]
        [--draws N] [--models] [--sandbox NAME] [--cache FOLDER] [--out FOLDER]

FOLDER holds the recorded sets that benchmarks/recorded/pools.py names. Samples of one model for one problem
are drawn in a random order, without putting back; a model's problems are one set, whose counts are shared.
Survivors pass the recorded public tests; every arm has the same simple chooser (`mbr`'s agreement on 40
inputs), and a choice counts as the share of right programs in the chosen cluster. There are no repairs. What
survivors do is found out with the sandbox once and kept in --cache.

*Fixed*: all samples that are recorded. *Waves*: `--n 2..MOST` with MOST that many. *Even*: as many samples
as the waves used, the same number for every problem. *Spread*: the same total, each wave where it is worth
most. *Allocate*: the strategy of that name, and an even spread of as many samples.
The rule's two constants were chosen on the even half of codet100 and chat10.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.charts import draw_curves
from benchmarks.recorded.allocation.pools import Recorded, Trial, in_half, load_models
from benchmarks.tables import write_table
from sstar_code.agent.allocation.policy import SampleRange
from sstar_code.sandbox.choose import NAMES as SANDBOXES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

POOLS = ("codet100", "chat10", "specfix-humaneval", "specfix-mbpp", "specfix-taco_lite")
_LEAST = 2
_CURVE_DRAWS = 3
_CURVE = (0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.32, 0.5, 0.75, 1.0)
"""Parts of all samples at which curves are drawn."""


@dataclass(frozen=True, slots=True)
class Point:
    """One arm on one pool: means over problems and draws."""

    pool: str
    arm: str
    problems: int
    """Times models."""
    samples: float
    """A problem."""
    rate: float
    """Share of right choices."""


def measure(
    pool: str, arm: str, models: Sequence[Sequence[Recorded]], draws: int, run: Callable[[Trial], Trial]
) -> Point:
    """The point of one arm."""
    right = used = problems = 0.0
    for items in models:
        for draw in range(draws):
            trial = run(Trial(items, draw))
            right += trial.score()
            used += sum(trial.drawn)
            problems += len(items)
    return Point(pool, arm, round(problems / draws), used / problems, right / problems)


def measure_pool(pool: str, models: dict[str, list[Recorded]], draws: int, *, curves: bool) -> list[Point]:
    """All arms, those of the table first, then the points of the curves."""
    sets = list(models.values())
    mosts = {id(items): max(len(item.survives) for item in items) for items in sets}

    def plan(trial: Trial, worth: float | None = None) -> SampleRange:
        most = mosts[id(trial.items)]
        return SampleRange(_LEAST, most) if worth is None else SampleRange(_LEAST, most, worth)

    fixed = measure(pool, "fixed", sets, 1, lambda trial: trial.draw_all(mosts[id(trial.items)]))
    waves = measure(pool, "waves", sets, draws, lambda trial: trial.draw_waves(plan(trial)))
    points = [fixed, waves]

    def evenly(trial: Trial, part: float) -> Trial:
        return _draw_evenly(trial, round(part * mosts[id(trial.items)] * len(trial.items)))

    def spread(trial: Trial, part: float) -> Trial:
        total = round(part * mosts[id(trial.items)] * len(trial.items))
        return trial.spend(total, plan(trial, 0.0))

    part = waves.samples / fixed.samples
    points.append(measure(pool, "even", sets, draws, lambda trial: evenly(trial, part)))
    points.append(measure(pool, "spread", sets, draws, lambda trial: spread(trial, part)))
    by_rate = measure(pool, "allocate", sets, draws, lambda trial: trial.draw_by_rate(mosts[id(trial.items)]))
    part = by_rate.samples / fixed.samples
    points += [by_rate, measure(pool, "allocate, even", sets, draws, lambda trial: evenly(trial, part))]
    for share in _CURVE if curves else ():
        few, fewest = min(draws, _CURVE_DRAWS), share * min(mosts.values())
        if fewest >= 1:
            points.append(
                measure(pool, "even, curve", sets, few, lambda trial, share=share: evenly(trial, share))
            )
        if fewest >= _LEAST:
            points.append(
                measure(pool, "spread, curve", sets, few, lambda trial, share=share: spread(trial, share))
            )
    return points


def _draw_evenly(trial: Trial, total: int) -> Trial:
    """The same number for every problem; a remainder goes to some of them, so that totals are equal."""
    each, more = divmod(total, len(trial.items))
    trial.draw_all(each)
    order = sorted(range(len(trial.items)), key=lambda place: (place * 7_919 + trial.draw) % 104_729)
    for place in order[:more]:
        trial.drawn[place] += 1
    return trial


def show(points: Sequence[Point]) -> str:
    """Markdown: a row for each pool."""
    rows = []
    for pool in dict.fromkeys(point.pool for point in points):
        arms = {point.arm: point for point in points if point.pool == pool}
        fixed, waves = arms["fixed"], arms["waves"]
        cells = (
            *(pool, fixed.problems, f"{fixed.samples:.1f}", f"{fixed.rate:.1%}", f"{waves.samples:.1f}"),
            *(f"{1 - waves.samples / fixed.samples:.0%}", f"{waves.rate:.1%}"),
            f"{100 * (waves.rate - fixed.rate):+.1f}",
            *(f"{arms[arm].rate:.1%}" for arm in ("even", "spread")),
            *(f"{arms['allocate'].samples:.1f}", f"{arms['allocate'].rate:.1%}"),
            f"{arms['allocate, even'].rate:.1%}",
        )
        rows.append(cells)
    names = ("fixed: samples", "rate", "waves", "fewer", "rate", "points", "even", "spread")
    names += ("allocate: samples", "rate", "even")
    return write_table(("pool", "problems", *names), rows) + "\n"


def main() -> None:
    """Measure, print the table, write it and the curves where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pools", nargs="+", default=list(POOLS), choices=POOLS, metavar="NAME")
    parser.add_argument("--half", choices=("even", "odd", "all"), default="all")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--sandbox", choices=SANDBOXES, default="auto")
    parser.add_argument("--models", action="store_true", help="a row for each model too")
    parser.add_argument("--cache", type=Path, default=Path("runs/waves-cache"), help="what survivors do")
    parser.add_argument("--out", type=Path, help="folder for waves.md, waves.json and waves.svg")
    options = parser.parse_args()
    points: list[Point] = []
    for pool in options.pools:
        models = {
            model: [item for item in items if in_half(item.problem, options.half)]
            for model, items in load_models(pool, options.folder, options.cache, options.sandbox).items()
        }
        for model, items in models.items() if options.models else ():
            points += measure_pool(f"{pool}: {model}", {model: items}, options.draws, curves=False)
        points += measure_pool(pool, models, options.draws, curves=bool(options.out))
        print(f"{pool} done", file=sys.stderr)
    table = show(points)
    print(table)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "waves.md").write_text(table)
        (options.out / "waves.json").write_text(json.dumps([asdict(point) for point in points], indent=1))
        whole = [(pool, [point for point in points if point.pool == pool]) for pool in options.pools]
        (options.out / "waves.svg").write_text(
            draw_curves([(pool, [(p.arm, p.samples, p.rate) for p in mine]) for pool, mine in whole])
        )


if __name__ == "__main__":
    main()
