"""From rows to a table: accuracy, share of the gap, intervals, costs; Markdown, JSON and a picture."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.chart import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.recorded.selection.run import Row

__all__ = ["Summary", "draw_gaps", "mean_gaps", "summarise", "write_tables"]

RESAMPLES = 1000
_HEAD = "| method | accuracy | over random | gap | ceiling | calls | tokens | runs (most) | CPU s (most) |"
_FONT = 'font-family="sans-serif" font-size="13"'


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
    lines = []
    if means:
        lines += [f"| method | gap, mean of {over} | ceiling of its clusters |", "| --- | --- | --- |"]
        for trial, mean in means.items():
            gap, ceiling = _bracket(mean["gap"], mean["interval"]), _show(mean["ceiling"])
            lines.append(f"| {trial} | {gap} | {ceiling} |")
    for pool in dict.fromkeys(item.pool for item in found):
        mine = [item for item in found if item.pool == pool]
        lines += ["", f"**{pool}** ({max(item.problems for item in mine)} problems)", ""]
        lines += [_HEAD, "|" + " --- |" * _HEAD.count(" | ") + " --- |"]
        lines += [_line(item) for item in mine]
    return "\n".join(lines) + "\n"


def _line(item: Summary) -> str:
    ceiling = _show(item.ceiling)
    return (
        f"| {item.trial} | {item.accuracy:.3f} | {_bracket(item.gain, item.gain_interval, 3)} "
        f"| {_bracket(item.gap, item.gap_interval)} | {ceiling} | {item.calls:.1f} | {item.tokens:.0f} "
        f"| {item.executions:.0f} ({item.most_executions}) | {item.cpu_s:.2f} ({item.most_cpu_s:.1f}) |"
    )


def _show(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _bracket(value: float, interval: tuple[float, float], digits: int = 2) -> str:
    return f"{value:.{digits}f} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def as_json(found: Sequence[Summary], means: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the tables show."""
    return {"mean": dict(means), "pools": [asdict(item) for item in found]}


def draw_gaps(means: Mapping[str, Mapping[str, Any]], caption: str) -> str:
    """SVG: a bar a trial with its interval, and a mark at the ceiling of its clusters."""
    width, left, top, step = 900, 230, 60, 26
    height = top + step * len(means) + 40
    low = min([0.0, *(mean["interval"][0] for mean in means.values())])

    def place(gap: float) -> float:
        return left + (width - left - 40) * (gap - low) / (1.0 - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="16" y="24" font-size="17" font-weight="bold">Share of the gap to the best choice</text>',
        f'<text x="16" y="42" font-size="10" fill="#555">{escape(caption)}</text>',
    ]
    for tenth in range(int(low * 10), 11):
        x = place(tenth / 10)
        parts.append(f'<line x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{height - 30}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 14}" text-anchor="middle">{tenth / 10:g}</text>')
    for number, (trial, mean) in enumerate(means.items()):
        y = top + step * number
        first, last = sorted((place(0.0), place(mean["gap"])))
        ends, middle = [place(end) for end in mean["interval"]], y + 8
        parts += [
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(trial)}</text>',
            f'<rect x="{first:.1f}" y="{y}" width="{last - first:.1f}" height="16" fill="#2f6db3"/>',
            f'<line x1="{ends[0]:.1f}" y1="{middle}" x2="{ends[1]:.1f}" y2="{middle}" stroke="#222"/>',
        ]
        if mean["ceiling"] is not None:
            parts.append(f'<circle cx="{place(mean["ceiling"]):.1f}" cy="{middle}" r="4" fill="#e08e2b"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"
