"""From rows to a table: accuracy, share of the gap, intervals, costs; Markdown, JSON and a picture."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.recorded.selection.run import Row

__all__ = ["Summary", "mean_gaps", "summarise", "write_tables"]

RESAMPLES = 1000
_HEAD = (
    *("method", "accuracy", "over random", "gap", "ceiling"),
    *("calls", "tokens", "runs (most)", "CPU s (most)"),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """A trial on a pool. Intervals hold 95% of bootstrap samples of problems, the same for all trials."""

    pool: str
    trial: str
    problems: int
    accuracy: float
    gain: float
    """Accuracy less that of a random survivor on the same problems."""
    gain_interval: tuple[float, float]
    gap: float
    """gain / (best possible - random survivor)."""
    gap_interval: tuple[float, float]
    ceiling: float | None
    """The gap that a perfect choice among the trial's clusters would recover."""
    calls: float
    tokens: float
    executions: float
    cpu_s: float
    most_executions: int
    most_cpu_s: float


Sums = dict[str, list[float]]


def _by_problem(rows: Sequence[Row]) -> Sums:
    """Problem -> sums over its draws of (rows, right, random, best, ceiling)."""
    sums: Sums = defaultdict(lambda: [0.0] * 5)
    for row in rows:
        ceiling = row.random if row.ceiling is None else row.ceiling
        for place, value in enumerate((1.0, row.right, row.random, row.best, ceiling)):
            sums[row.problem][place] += value
    return sums


def _add(sums: Sums, problems: Sequence[str]) -> list[float]:
    chosen = [sums[problem] for problem in problems]
    return [sum(column) for column in zip(*chosen, strict=True)] if chosen else [0.0] * 5


def _gap(total: Sequence[float], place: int = 1) -> float:
    room = total[3] - total[2]
    return (total[place] - total[2]) / room if room > 0 else 0.0


def _gain(total: Sequence[float]) -> float:
    return (total[1] - total[2]) / total[0] if total[0] else 0.0


def _resample(problems: Sequence[str], seed: str) -> list[list[str]]:
    rng = random.Random(f"bootstrap:{seed}")
    return [rng.choices(problems, k=len(problems)) for _ in range(RESAMPLES)]


def _interval(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[int(0.025 * len(ordered))], ordered[min(len(ordered) - 1, int(0.975 * len(ordered)))]


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.pool, row.trial].append(row)
    return groups


def summarise(rows: Sequence[Row]) -> list[Summary]:
    """One summary for every pool and trial, in order of the rows."""
    found = []
    for (pool, trial), mine in _grouped(rows).items():
        sums = _by_problem(mine)
        problems = sorted(sums)
        total = _add(sums, problems)
        samples = [_add(sums, drawn) for drawn in _resample(problems, pool)]
        run = [row for row in mine if row.executions] or mine
        clustered = any(row.ceiling is not None for row in mine)
        found.append(
            Summary(
                pool,
                trial,
                len(problems),
                accuracy=total[1] / total[0],
                gain=_gain(total),
                gain_interval=_interval([_gain(sample) for sample in samples]),
                gap=_gap(total),
                gap_interval=_interval([_gap(sample) for sample in samples]),
                ceiling=_gap(total, 4) if clustered else None,
                calls=_mean(run, lambda row: row.calls),
                tokens=_mean(run, lambda row: row.tokens),
                executions=_mean(run, lambda row: row.executions),
                cpu_s=_mean(run, lambda row: row.cpu_s),
                most_executions=max(row.executions for row in mine),
                most_cpu_s=max(row.cpu_s for row in mine),
            )
        )
    return found


def _mean(rows: Sequence[Row], value: Callable[[Row], float]) -> float:
    return sum(map(value, rows)) / len(rows)


def mean_gaps(rows: Sequence[Row], pools: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Trial -> mean over `pools` of gap and ceiling, with the interval; trials that lack a pool are left out.

    Pools of the same problems are resampled together.
    """
    groups = _grouped(rows)
    means: dict[str, dict[str, Any]] = {}
    for trial in dict.fromkeys(row.trial for row in rows):
        if any((pool, trial) not in groups for pool in pools):
            continue
        sums = [_by_problem(groups[pool, trial]) for pool in pools]
        everyone = sorted({problem for one in sums for problem in one})
        samples = []
        for drawn in _resample(everyone, "mean"):
            totals = [_add(one, [problem for problem in drawn if problem in one]) for one in sums]
            samples.append(sum(map(_gap, totals)) / len(totals))
        totals = [_add(one, list(one)) for one in sums]
        clustered = any(row.ceiling is not None for pool in pools for row in groups[pool, trial])
        means[trial] = {
            "gap": sum(map(_gap, totals)) / len(totals),
            "interval": _interval(samples),
            "ceiling": sum(_gap(total, 4) for total in totals) / len(totals) if clustered else None,
        }
    return means


def write_tables(found: Sequence[Summary], means: Mapping[str, Mapping[str, Any]], over: str) -> str:
    """Markdown: the means first, then a table a pool."""
    tables = []
    if means:
        rows = [
            (trial, _bracket(mean["gap"], mean["interval"]), _show(mean["ceiling"]))
            for trial, mean in means.items()
        ]
        tables = [write_table(("method", f"gap, mean of {over}", "ceiling of its clusters"), rows)]
    for pool in dict.fromkeys(item.pool for item in found):
        mine = [item for item in found if item.pool == pool]
        tables.append(f"**{pool}** ({max(item.problems for item in mine)} problems)")
        tables.append(write_table(_HEAD, map(_cells, mine)))
    return "\n\n".join(tables) + "\n"


def _cells(item: Summary) -> tuple[str, ...]:
    return (
        item.trial,
        f"{item.accuracy:.3f}",
        _bracket(item.gain, item.gain_interval, 3),
        _bracket(item.gap, item.gap_interval),
        _show(item.ceiling),
        f"{item.calls:.1f}",
        f"{item.tokens:.0f}",
        f"{item.executions:.0f} ({item.most_executions})",
        f"{item.cpu_s:.2f} ({item.most_cpu_s:.1f})",
    )


def _show(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _bracket(value: float, interval: tuple[float, float], digits: int = 2) -> str:
    return f"{value:.{digits}f} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def as_json(found: Sequence[Summary], means: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the tables show."""
    return {"mean": dict(means), "pools": [asdict(item) for item in found]}
