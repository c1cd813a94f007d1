"""The charts of the benchmarks, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.render.svg import dot, frame, line, path, polyline, rect, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sstar_code.agent.testing.simulator import EngineSpec

__all__ = ["draw_bars", "draw_curves", "draw_gaps", "draw_running"]

_WIDTH, _TOP = 900, 62
_STYLE = """<style>
text{font:12px sans-serif}.bold{font-weight:bold}
.title{font-size:17px;font-weight:bold}.caption{font-size:10px}
.paper{fill:white}.grid{stroke:#ddd}.axis{stroke:#333;fill:none}
.blue{fill:#2f6db3}.orange{fill:#e08e2b}.red{fill:#c0392b}.grey{fill:#888}
polyline{fill:none;stroke-width:2}polyline.blue{stroke:#2f6db3;fill:none}polyline.grey{stroke:#888;fill:none}
</style>"""


def _finish(title: str, caption: str, height: float, parts: Iterable[str]) -> str:
    head = [_STYLE, rect(0, 0, _WIDTH, height, kind="paper"), text(16, 24, title, kind="title")]
    head.append(text(16, 42, caption, kind="caption"))
    return frame(_WIDTH, height, title, caption, [*head, *parts]) + "\n"


def _explain(colours: Mapping[str, str], x: float, y: float) -> list[str]:
    """A box of its colour before each name, from left to right."""
    parts = []
    for name, kind in colours.items():
        parts += [rect(x, y, 12, 12, kind=kind), text(x + 17, y + 11, name)]
        x += 45 + 7 * len(name)
    return parts


def draw_bars(rows: Sequence[dict[str, Any]], caption: str) -> str:
    """Runs per second with two workers, one group of bars a way, on a logarithmic axis."""
    left, right, bar, gap = 330, 70, 15, 10
    colours = {"trivial": "blue", "contest": "orange"}
    chosen = [row for row in rows if row["workers"] == 2]
    ways: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(chosen, key=lambda row: -row["runs_per_s"]):
        ways.setdefault(row["way"], []).append(row)
    height = _TOP + len(ways) * (2 * bar + gap) + 40
    top = math.ceil(math.log10(max(row["runs_per_s"] for row in chosen)))

    def place(rate: float) -> float:
        return left + (_WIDTH - left - right) * math.log10(max(rate, 1.0)) / top

    parts = _explain(colours, _WIDTH - right - 170, 12)
    for power in range(top + 1):
        x = place(10.0**power)
        parts.append(line(x, _TOP - 8, x, height - 30))
        parts.append(text(x, height - 14, f"{10**power:,}", anchor="middle"))
    for index, (way, mine) in enumerate(ways.items()):
        y = _TOP + index * (2 * bar + gap)
        kind = "bold" if way.startswith("**") else ""
        name = way.replace("*", "").replace("`", "")
        parts.append(text(left - 10, y + bar + 4, name, kind=kind, anchor="end"))
        for row in mine:
            at, end = y + bar * list(colours).index(row["program"]), place(row["runs_per_s"])
            parts.append(rect(left, at, max(1.0, end - left), bar - 2, kind=colours[row["program"]]))
            parts.append(text(end + 5, at + bar - 4, f"{row['runs_per_s']:,.0f}"))
    return _finish("Runs per second, two workers", caption, height, parts)


def draw_running(panels: Sequence[tuple[str, Sequence[tuple[float, int, int]]]], spec: EngineSpec) -> str:
    """Running sequences: a panel for each (name, [(seconds, running, waiting)]), on one time axis."""
    left, right, panel, gap, points = 60, _WIDTH - 20, 110, 44, 600
    end_s = max(trace[-1][0] for _, trace in panels) or 1.0
    most = spec.max_num_seqs
    parts = []
    for number, (name, trace) in enumerate(panels):
        top = _TOP + number * (panel + gap) + 16
        base = top + panel
        places = [
            (left + (right - left) * at_s / end_s, base - panel * min(1.0, running / most))
            for at_s, running, _ in trace[:: max(1, len(trace) // points)]
        ]
        outline = " ".join(f"L{x:.1f} {y:.1f}" for x, y in places)
        parts += [
            text(left, top - 8, f"{name}: {trace[-1][0]:,.0f} s", kind="bold"),
            path(f"M{places[0][0]:.1f} {base} {outline} V{base} Z", "blue"),
            line(left, top, right, top),
            line(left, base, right, base, "axis"),
            text(left - 6, top + 4, str(most), anchor="end"),
            text(right, base + 14, f"{end_s:,.0f} s", anchor="end"),
        ]
    caption = f"simulated engine, {most} sequences at most, {spec.tokens_per_s:,.0f} tokens/s full"
    return _finish("Running sequences over time", caption, _TOP + len(panels) * (panel + gap), parts)


_LINES = {"even, curve": ("an even spread", "grey"), "spread, curve": ("spread by value", "blue")}
_MARKS = {"fixed": ("all samples", "grey"), "waves": ("waves, as --n 2..MOST stops", "red")}


def draw_curves(panels: Sequence[tuple[str, Sequence[tuple[str, float, float]]]]) -> str:
    """Rates by samples: a panel for each (pool, [(arm, samples a problem, rate 0..1)]), two side by side."""
    start, panel, gap = _TOP + 16, 170, 60
    parts = _explain(dict([*_LINES.values(), *_MARKS.values()]), 16, 48)
    for number, (pool, points) in enumerate(panels):
        left = 56 + number % 2 * (_WIDTH // 2)
        parts += _draw_curve(pool, points, left, start + number // 2 * (panel + gap), panel)
    height = start + math.ceil(len(panels) / 2) * (panel + gap)
    return _finish("Right choices by samples a problem", "", height, parts)


def _draw_curve(
    pool: str, points: Sequence[tuple[str, float, float]], left: int, top: int, height: int
) -> list[str]:
    width = 360
    rates = [rate for _, _, rate in points]
    low, high = math.floor(min(rates) * 20) / 20, math.ceil(max(rates) * 20) / 20
    most = max(samples for _, samples, _ in points)

    def place(samples: float, rate: float) -> tuple[float, float]:
        across = math.log(max(1.0, samples)) / math.log(most)
        return left + width * across, top + 14 + height * (high - rate) / (high - low)

    parts = [text(left, top + 4, pool, kind="bold")]
    for step in range(round((high - low) * 20) + 1):
        y = place(1, low + step / 20)[1]
        parts.append(line(left, y, left + width, y))
        parts.append(text(left - 6, y + 4, f"{low + step / 20:.0%}", anchor="end"))
    parts += [
        text(place(samples, low)[0], top + 14 + height + 16, str(samples), anchor="middle")
        for samples in (1, 2, 5, 10, 20, 50, 100)
        if samples <= most
    ]
    for arm, (_, kind) in _LINES.items():
        parts.append(polyline([place(samples, rate) for name, samples, rate in points if name == arm], kind))
    for arm, (_, kind) in _MARKS.items():
        parts += [dot(*place(samples, rate), 5, kind) for name, samples, rate in points if name == arm]
    return parts


def draw_gaps(means: Mapping[str, Mapping[str, Any]], caption: str) -> str:
    """A bar a trial with its interval, and a mark at the ceiling of its clusters."""
    left, step = 230, 26
    height = _TOP + step * len(means) + 40
    low = min([0.0, *(mean["interval"][0] for mean in means.values())])

    def place(gap: float) -> float:
        return left + (_WIDTH - left - 40) * (gap - low) / (1.0 - low)

    parts = []
    for tenth in range(int(low * 10), 11):
        x = place(tenth / 10)
        parts.append(line(x, _TOP - 6, x, height - 30))
        parts.append(text(x, height - 14, f"{tenth / 10:g}", anchor="middle"))
    for number, (trial, mean) in enumerate(means.items()):
        y = _TOP + step * number
        first, last = sorted((place(0.0), place(mean["gap"])))
        ends = [place(end) for end in mean["interval"]]
        parts.append(text(left - 8, y + 13, trial, anchor="end"))
        parts.append(rect(first, y, last - first, 16, kind="blue"))
        parts.append(line(ends[0], y + 8, ends[1], y + 8, "axis"))
        if mean["ceiling"] is not None:
            parts.append(dot(place(mean["ceiling"]), y + 8, 4, "orange"))
    return _finish("Share of the gap to the best choice", caption, height, parts)
