"""The charts of the page as SVG, each also in a form that fits the width of a phone (`narrow`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.curves import STATES
from sstar_code.agent.report.render import svg

if TYPE_CHECKING:
    from sstar_code.agent.report.data.curves import Calibration, Link, Step
    from sstar_code.agent.report.data.scores import Group
    from sstar_code.agent.run.summary import Rate


_QUARTERS = (0, 25, 50, 75, 100)
_TOP, _TALL = 14.0, 240.0
"""Where charts with two axes have the axis of rates."""
_BAR, _FLOW_TOP, _FLOW_TALL = 16.0, 46.0, 190.0
_NARROW = 340.0
"""Width of the narrow form: a phone's, less its margins."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """The first axis of a chart: where it begins, its width, and the width of the chart with its words."""

    left: float
    wide: float
    whole: float

    def place(self, share: float) -> float:
        """The place of 0..1."""
        return self.left + self.wide * share


def _rows_axis(*, narrow: bool) -> _Axis:
    """The axis of rates of charts of rows; in the narrow form names stand above their rows."""
    return _Axis(6.0, 284.0, _NARROW) if narrow else _Axis(190.0, 400.0, 640.0)


def _curves_axis(*, narrow: bool) -> _Axis:
    """The first axis of charts of two axes; in the narrow form the names of the curves stand below."""
    return _Axis(46.0, 276.0, _NARROW) if narrow else _Axis(48.0, 360.0, 600.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """Rates at places of the first axis; a curve of one place is a point."""

    name: str
    kind: str
    """Class of its colour."""
    points: Sequence[tuple[float, Rate]]


def draw_intervals(rows: Sequence[tuple[str, Rate, str]], title: str, *, narrow: bool = False) -> str:
    """One row a rate: name, interval, dot, value. The third of each row is the class of its dot."""
    step, axis = (42.0 if narrow else 27.0), _rows_axis(narrow=narrow)
    parts = []
    for number, (name, rate, kind) in enumerate(rows):
        y, strong = 22 + step * number + (14 if narrow else 0), "strong" if kind == "chosen" else ""
        parts.append(_name_row(axis, y, name, strong, narrow=narrow))
        parts += _interval(rate, y, axis, kind=kind, value_kind=strong, name=name, radius=5)
    bottom = 14 + step * len(rows)
    return _frame_rows(parts, bottom, title, [f"{name} {rate}" for name, rate, _ in rows], axis)


def _name_row(axis: _Axis, y: float, name: str, kind: str, *, narrow: bool) -> str:
    """The name of a row: left of it or, in the narrow form, above it."""
    if narrow:
        return svg.text(0, y - 12, name, kind=kind)
    return svg.text(axis.left - 12, y + 4, name, kind=kind, anchor="end")


def draw_groups(groups: Sequence[Group], title: str, *, narrow: bool = False) -> str:
    """Groups of problems, three rates each."""
    step, axis = 19.0, _rows_axis(narrow=narrow)
    kinds = {"pass@1": "s1", "selected@1": "chosen", "oracle": "s3"}
    parts, said, y = [], [], 20.0
    for group in groups:
        words = f"{group.problems} problem{'' if group.problems == 1 else 's'}"
        if narrow:
            parts.append(svg.text(0, y, f"{group.name[:26]} ({words})", kind="strong"))
            y += step
        else:
            middle = y + step * (len(group.rates) - 1) / 2
            parts.append(svg.text(axis.left - 12, middle, group.name[:26], kind="strong", anchor="end"))
            parts.append(svg.text(axis.left - 12, middle + 14, words, kind="small", anchor="end"))
        for name, rate in group.rates.items():
            parts += _interval(
                rate, y, axis, kind=kinds[name], value_kind="small", name=f"{group.name}, {name}", radius=4
            )
            said.append(f"{group.name}, {name}: {rate}")
            y += step
        y += 12
    return _frame_rows(parts, y - 6, title, said, axis)


def _interval(
    rate: Rate, y: float, axis: _Axis, *, kind: str, value_kind: str, name: str, radius: float
) -> list[str]:
    return [
        svg.line(axis.place(rate.low), y, axis.place(rate.high), y, f"interval {kind}"),
        svg.dot(axis.place(rate.value), y, radius, f"dot {kind}", f"{name}: {rate}"),
        svg.text(axis.place(1) + 8, y + 4, f"{100 * rate.value:.1f}", kind=value_kind),
    ]


def _frame_rows(parts: Sequence[str], bottom: float, title: str, said: Sequence[str], axis: _Axis) -> str:
    grid = []
    for percent in _QUARTERS:
        x = axis.place(percent / 100)
        anchor = "start" if percent == 0 and axis.left < 20 else "middle"
        grid.append(svg.line(x, 8, x, bottom))
        grid.append(svg.text(x, bottom + 16, f"{percent}%", kind="faint", anchor=anchor))
    return svg.frame(axis.whole, bottom + 24, title, "; ".join(said), [*grid, *parts])


def draw_flow(steps: Sequence[Step], links: Sequence[Link], title: str, *, narrow: bool = False) -> str:
    """Columns of problems by state, with ribbons between them as wide as the problems that go there.

    The narrow form has a bar for each step, one below the other, and no ribbons.
    """
    said = "; ".join(
        f"{step.title}: " + ", ".join(f"{step.states[s]} {step.words[s]}" for s in STATES if step.states[s])
        for step in steps
    )
    if narrow:
        return _stack_steps(steps, title, said)
    wide = max(150.0, 920.0 / max(1, len(steps) - 1))
    scale = _FLOW_TALL / max(1, sum(steps[0].states.values()))
    tops = [_find_tops(step, scale) for step in steps]
    parts = _draw_ribbons(steps, links, tops, scale, wide)
    for place, (step, at) in enumerate(zip(steps, tops, strict=True)):
        x = 20 + wide * place
        parts.append(svg.text(x, 24, step.title, kind="strong"))
        for state in STATES:
            count, words = step.states[state], step.words[state]
            if count:
                high = count * scale
                y = at[state] + max(11.0, min(high, 26.0) / 2 + 4)
                parts += [
                    svg.rect(x, at[state], _BAR, high, kind=f"block {state}", title=f"{count} {words}"),
                    svg.text(x + _BAR + 6, y, f"{count}", kind="strong"),
                    svg.text(x + _BAR + 6, y + 13, words, kind="small"),
                ]
    lowest = max(at["lost"] + step.states["lost"] * scale for at, step in zip(tops, steps, strict=True))
    return svg.frame(40 + wide * (len(steps) - 1) + 140, lowest + 34, title, said, parts)


def _stack_steps(steps: Sequence[Step], title: str, said: str) -> str:
    parts, y = [], 14.0
    for step in steps:
        parts.append(svg.text(0, y, step.title, kind="strong"))
        x, most = 0.0, max(1, sum(step.states.values()))
        present = [state for state in STATES if step.states[state]]
        for state in present:
            long = _NARROW * step.states[state] / most
            words = f"{step.states[state]} {step.words[state]}"
            parts.append(svg.rect(x, y + 7, long, 16, kind=f"block {state}", title=words))
            x += long
        for state in present:
            words = f"{step.states[state]} {step.words[state]}"
            parts += [svg.dot(4, y + 35, 4, f"block {state}"), svg.text(14, y + 39, words, kind="small")]
            y += 16
        y += 48
    return svg.frame(_NARROW, y - 14, title, said, parts)


def _find_tops(step: Step, scale: float) -> dict[str, float]:
    """Upper end of each state's bar."""
    places, y = {}, _FLOW_TOP
    for state in STATES:
        places[state] = y
        y += step.states[state] * scale + (18.0 if step.states[state] else 0)
    return places


def _draw_ribbons(
    steps: Sequence[Step],
    links: Sequence[Link],
    tops: Sequence[Mapping[str, float]],
    scale: float,
    wide: float,
) -> list[str]:
    leaving, arriving = [dict(at) for at in tops], [dict(at) for at in tops]
    parts = []
    for link in links:
        high = link.problems * scale
        x1, x2 = 20 + wide * link.step + _BAR, 20 + wide * (link.step + 1)
        y1, y2 = leaving[link.step][link.source], arriving[link.step + 1][link.target]
        leaving[link.step][link.source] += high
        arriving[link.step + 1][link.target] += high
        middle = (x1 + x2) / 2
        outline = (
            f"M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f} "
            f"L{x2:.1f},{y2 + high:.1f} C{middle:.1f},{y2 + high:.1f} {middle:.1f},{y1 + high:.1f} "
            f"{x1:.1f},{y1 + high:.1f} Z"
        )
        before, after = steps[link.step].words[link.source], steps[link.step + 1].words[link.target]
        words = f"{link.problems} problems: {before}, then {after}"
        parts.append(svg.path(outline, f"ribbon {link.target}", words))
    return parts


def draw_bars(
    rows: Mapping[str, Mapping[str, float]],
    kinds: Mapping[str, str],
    title: str,
    unit: str = "",
    *,
    narrow: bool = False,
) -> str:
    """One bar a row, stacked from parts; `kinds` gives each part its class."""
    left, wide, step = (0.0, 270.0, 46.0) if narrow else (130.0, 400.0, 30.0)
    most = max((sum(values.values()) for values in rows.values()), default=0.0) or 1.0
    parts, said = [], []
    for number, (name, values) in enumerate(rows.items()):
        y, x = 12 + step * number + (16 if narrow else 0), left
        told = {part: f"{shorten_number(value)}{unit}" for part, value in values.items() if value}
        said.append(f"{name}: " + ", ".join(f"{part} {words}" for part, words in told.items()))
        parts.append(svg.text(0, y - 5, name) if narrow else svg.text(left - 12, y + 13, name, anchor="end"))
        for part, words in told.items():
            long = wide * values[part] / most
            title_of_part = f"{name}, {part}: {words}"
            parts.append(svg.rect(x, y, long, 18, kind=f"block {kinds[part]}", title=title_of_part))
            x += long
        parts.append(svg.text(x + 8, y + 13, shorten_number(sum(values.values())) + unit))
    return svg.frame(_NARROW if narrow else 640, 18 + step * len(rows), title, "; ".join(said), parts)


def shorten_number(value: float) -> str:
    """A number in three or four digits: 950, 12.3k, 4.56M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.3g}{letter}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def draw_curves(curves: Sequence[Curve], title: str, axis: str, *, narrow: bool = False) -> str:
    """Rates against a logarithmic axis, each curve named at its end; a point has its 95% interval."""
    first = _curves_axis(narrow=narrow)
    places = [x for curve in curves for x, _ in curve.points]
    low, high = math.log2(min(places)), math.log2(max(places))

    def x_of(value: float) -> float:
        return first.place((math.log2(value) - low) / (high - low or 1.0))

    parts = []
    labels: list[tuple[float, str, str]] = []
    said = []
    for curve in curves:
        points = [(x_of(x), _y(rate.value)) for x, rate in curve.points]
        if len(points) > 1:
            parts.append(svg.polyline(points, f"curve {curve.kind}"))
        for (x, rate), (px, py) in zip(curve.points, points, strict=True):
            if len(points) == 1:
                parts.append(svg.line(px, _y(rate.low), px, _y(rate.high), f"interval {curve.kind}"))
            size, words = 6.0 if len(points) == 1 else 3.5, f"{curve.name} at {shorten_number(x)}: {rate}"
            parts.append(svg.dot(px, py, size, f"dot {curve.kind}", words))
        labels.append((points[-1][1], curve.name, curve.kind))
        told = ", ".join(f"{shorten_number(x)} {100 * rate.value:.1f}%" for x, rate in curve.points)
        said.append(f"{curve.name}: {told}")
    ticks = [(x_of(tick), shorten_number(tick)) for tick in _find_ticks(min(places), max(places))]
    if narrow:
        ticks = [tick for place, tick in enumerate(ticks) if place == 0 or tick[0] - ticks[place - 1][0] > 30]
    parts += _name_ends(labels, first, narrow=narrow)
    return _frame_axes(
        first, parts, ticks, words=axis, title=title, said=said, below=19 * len(labels) + 8 if narrow else 0
    )


def _name_ends(labels: Sequence[tuple[float, str, str]], axis: _Axis, *, narrow: bool) -> list[str]:
    """Names beside the ends of the curves, pushed apart where they would overlap, or below the chart."""
    parts, last = [], -math.inf
    floor = _TOP + _TALL
    ordered = sorted(labels)
    for number, (y, name, kind) in enumerate(ordered):
        last = min(max(y, last + 15), floor - 15 * (len(ordered) - 1 - number))
        at = (8.0, floor + 58 + 19 * number) if narrow else (axis.place(1) + 16, last)
        parts.append(svg.dot(*at, 4, f"dot {kind}"))
        parts.append(svg.text(at[0] + 10, at[1] + 4, name))
    return parts


def _find_ticks(low: float, high: float) -> list[float]:
    """Powers of two of few samples, else 1, 2 and 5 of every power of ten."""
    if high <= 64:
        return [float(2**power) for power in range(7) if low <= 2**power < 0.75 * high] + [high]
    ticks = [
        step * 10.0**power
        for power in range(int(math.log10(low)), int(math.log10(high)) + 1)
        for step in (1, 2, 5)
        if low <= step * 10.0**power <= high
    ]
    return ticks if len(ticks) <= 6 else [tick for tick in ticks if str(int(tick))[0] == "1"]


def draw_calibration(calibration: Calibration, title: str, *, narrow: bool = False) -> str:
    """How often choices of a confidence were right; on the diagonal confidence is to be believed."""
    axis = _curves_axis(narrow=narrow)
    parts = [svg.line(axis.place(0), _y(0), axis.place(1), _y(1), "ideal")]
    most = max((row.right.problems for row in calibration.bins), default=1)
    for row in calibration.bins:
        x, count = axis.place(row.confidence), row.right.problems
        radius = 3 + 6 * math.sqrt(count / most)
        words = f"confidence {row.confidence:.2f}: {row.right} choices right"
        parts += [
            svg.line(x, _y(row.right.low), x, _y(row.right.high), "interval chosen"),
            svg.dot(x, _y(row.right.value), radius, "dot chosen", words),
            svg.text(x + radius + 3, _y(row.right.value) + 12, f"{count}", kind="small"),
        ]
    ticks = [(axis.place(percent / 100), f"{percent}%") for percent in _QUARTERS]
    said = [f"confidence {row.confidence:.2f}: {row.right}" for row in calibration.bins]
    return _frame_axes(axis, parts, ticks, words="stated confidence", title=title, said=said)


def _y(rate: float) -> float:
    return _TOP + _TALL * (1 - rate)


def _frame_axes(
    axis: _Axis,
    parts: Sequence[str],
    ticks: Sequence[tuple[float, str]],
    *,
    words: str,
    title: str,
    said: Sequence[str],
    below: float = 0.0,
) -> str:
    """`ticks` are places of the first axis with their words; the second axis has rates."""
    grid, left, right = [], axis.place(0), axis.place(1)
    for percent in _QUARTERS:
        y = _y(percent / 100)
        grid.append(svg.line(left, y, right, y))
        grid.append(svg.text(left - 8, y + 4, f"{percent}%", kind="faint", anchor="end"))
    grid.append(svg.text((left + right) / 2, _TOP + _TALL + 36, words, kind="faint", anchor="middle"))
    for x, tick in ticks:
        grid.append(svg.line(x, _TOP, x, _TOP + _TALL))
        grid.append(svg.text(x, _TOP + _TALL + 17, tick, kind="faint", anchor="middle"))
    return svg.frame(axis.whole, _TOP + _TALL + 46 + below, title, "; ".join(said), [*grid, *parts])
