"""The report's charts with two axes: accuracy against samples and tokens, and calibration of confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.report.render import svg
from sstar_code.agent.report.render.charts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.report.data.curves import Calibration
    from sstar_code.agent.run.statistics import Rate

__all__ = ["Curve", "draw_calibration", "draw_curves"]

_LEFT, _TOP, _WIDE, _TALL = 48.0, 14.0, 360.0, 240.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Rates at places of the first axis; a curve of one place is a point."""

    name: str
    kind: str
    """Class of its colour."""
    points: Sequence[tuple[float, Rate]]


def draw_curves(curves: Sequence[Curve], title: str, axis: str) -> str:
    """Rates against a logarithmic axis, each curve named at its end, with 95% bands where it is no crowd."""
    places = [x for curve in curves for x, _ in curve.points]
    low, high = math.log2(min(places)), math.log2(max(places))
    width = high - low or 1.0

    def x_of(value: float) -> float:
        return _LEFT + _WIDE * (math.log2(value) - low) / width

    parts = _rate_axis()
    parts.append(svg.text(_LEFT + _WIDE / 2, _TOP + _TALL + 36, axis, kind="faint", anchor="middle"))
    for tick in _ticks(min(places), max(places)):
        parts.append(svg.line(x_of(tick), _TOP, x_of(tick), _TOP + _TALL))
        parts.append(svg.text(x_of(tick), _TOP + _TALL + 17, say(tick), kind="faint", anchor="middle"))
    labels: list[tuple[float, str, str]] = []
    for curve in curves:
        points = [(x_of(x), _y(rate.value)) for x, rate in curve.points]
        if len(points) > 1:
            parts.append(svg.polyline(points, f"curve {curve.kind}"))
        for (x, rate), (px, py) in zip(curve.points, points, strict=True):
            if len(points) == 1:
                parts.append(svg.line(px, _y(rate.low), px, _y(rate.high), f"interval {curve.kind}"))
            size = 6.0 if len(points) == 1 else 3.5
            parts.append(svg.dot(px, py, size, f"dot {curve.kind}", f"{curve.name} at {say(x)}: {rate}"))
        labels.append((points[-1][1], curve.name, curve.kind))
    parts += _name_ends(labels)
    said = "; ".join(
        f"{curve.name}: " + ", ".join(f"{say(x)} {100 * rate.value:.1f}%" for x, rate in curve.points)
        for curve in curves
    )
    return svg.frame(600, _TOP + _TALL + 46, title, said, parts)


def _name_ends(labels: Sequence[tuple[float, str, str]]) -> list[str]:
    """Names beside the ends of the curves, pushed apart where they would overlap."""
    parts, last = [], -math.inf
    floor = _TOP + _TALL
    ordered = sorted(labels)
    for number, (y, name, kind) in enumerate(ordered):
        last = min(max(y, last + 15), floor - 15 * (len(ordered) - 1 - number))
        parts.append(svg.dot(_LEFT + _WIDE + 16, last, 4, f"dot {kind}"))
        parts.append(svg.text(_LEFT + _WIDE + 26, last + 4, name))
    return parts


def _ticks(low: float, high: float) -> list[float]:
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


def draw_calibration(calibration: Calibration, title: str) -> str:
    """How often choices of a confidence were right; on the diagonal confidence is to be believed."""
    parts = _rate_axis()
    for percent in (0, 25, 50, 75, 100):
        x = _LEFT + _WIDE * percent / 100
        parts.append(svg.line(x, _TOP, x, _TOP + _TALL))
        parts.append(svg.text(x, _TOP + _TALL + 17, f"{percent}%", kind="faint", anchor="middle"))
    parts.append(svg.line(_LEFT, _y(0), _LEFT + _WIDE, _y(1), "ideal"))
    most = max((row.right.problems for row in calibration.bins), default=1)
    for row in calibration.bins:
        x = _LEFT + _WIDE * row.confidence
        words = f"confidence {row.confidence:.2f}: {row.right} choices right"
        parts.append(svg.line(x, _y(row.right.low), x, _y(row.right.high), "interval chosen"))
        radius = 3 + 6 * math.sqrt(row.right.problems / most)
        parts.append(svg.dot(x, _y(row.right.value), radius, "dot chosen", words))
        parts.append(
            svg.text(x + radius + 3, _y(row.right.value) + 12, f"{row.right.problems}", kind="small")
        )
    parts.append(
        svg.text(_LEFT + _WIDE / 2, _TOP + _TALL + 36, "stated confidence", kind="faint", anchor="middle")
    )
    said = "; ".join(f"confidence {row.confidence:.2f}: {row.right}" for row in calibration.bins)
    return svg.frame(600, _TOP + _TALL + 46, title, said, parts)


def _y(rate: float) -> float:
    return _TOP + _TALL * (1 - rate)


def _rate_axis() -> list[str]:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        parts.append(svg.line(_LEFT, y, _LEFT + _WIDE, y))
        parts.append(svg.text(_LEFT - 8, y + 4, f"{percent}%", kind="faint", anchor="end"))
    return parts
