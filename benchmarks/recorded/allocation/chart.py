"""Rates over samples a problem, a panel for each pool, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.chart import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw_curves"]

_WIDTH, _COLUMNS, _LEFT, _TOP, _PANEL_WIDTH, _PANEL, _GAP = 900, 2, 56, 78, 360, 170, 60
_FONT = 'font-family="sans-serif" font-size="12"'
_LINES = {"even, curve": ("an even spread", "#888888"), "spread, curve": ("spread by value", "#2f6db3")}
_MARKS = {"fixed": ("all samples", "#888888"), "waves": ("waves, as --n 2..MOST stops", "#c0392b")}


def draw_curves(panels: Sequence[tuple[str, Sequence[tuple[str, float, float]]]]) -> str:
    """A panel for each (pool, [(arm, samples a problem, rate 0..1)]); samples on a logarithmic axis."""
    rows = math.ceil(len(panels) / _COLUMNS)
    height = _TOP + rows * (_PANEL + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="16" y="24" font-size="17" font-weight="bold">Right choices by samples a problem</text>',
    ]
    x = 16
    for name, colour in (*_LINES.values(), *_MARKS.values()):
        parts.append(f'<rect x="{x}" y="38" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 17}" y="49">{escape(name)}</text>')
        x += 45 + 7 * len(name)
    for number, (pool, points) in enumerate(panels):
        left = _LEFT + (number % _COLUMNS) * (_WIDTH // _COLUMNS)
        parts += _draw_panel(pool, points, left, _TOP + (number // _COLUMNS) * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw_panel(pool: str, points: Sequence[tuple[str, float, float]], left: int, top: int) -> list[str]:
    rates = [rate for _, _, rate in points]
    low, high = math.floor(min(rates) * 20) / 20, math.ceil(max(rates) * 20) / 20
    most = max(samples for _, samples, _ in points)

    def place(samples: float, rate: float) -> tuple[float, float]:
        across = math.log(max(1.0, samples)) / math.log(most)
        return left + _PANEL_WIDTH * across, top + 14 + _PANEL * (high - rate) / (high - low)

    parts = [f'<text x="{left}" y="{top + 4}" font-weight="bold">{escape(pool)}</text>']
    for step in range(round((high - low) * 20) + 1):
        y = place(1, low + step / 20)[1]
        parts.append(f'<path d="M{left} {y:.1f} H{left + _PANEL_WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{low + step / 20:.0%}</text>')
    for samples in (count for count in (1, 2, 5, 10, 20, 50, 100) if count <= most):
        x = place(samples, low)[0]
        parts.append(f'<text x="{x:.1f}" y="{top + 14 + _PANEL + 16}" text-anchor="middle">{samples}</text>')
    for arm, (_, colour) in _LINES.items():
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(s, r) for name, s, r in points if name == arm))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for arm, (_, colour) in _MARKS.items():
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
            for x, y in (place(s, r) for name, s, r in points if name == arm)
        ]
    return parts
