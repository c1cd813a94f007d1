"""Running sequences over time, a panel for each schedule, as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.chart import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.testing.simulator import EngineSpec

__all__ = ["draw_running"]

_WIDTH, _LEFT, _RIGHT, _TOP, _PANEL, _GAP = 900, 60, 20, 60, 110, 44
_FONT = 'font-family="sans-serif" font-size="12"'
_POINTS = 600


def draw_running(panels: Sequence[tuple[str, Sequence[tuple[float, int, int]]]], spec: EngineSpec) -> str:
    """A panel for each (name, [(seconds, running, waiting)]), all on one time axis."""
    end_s = max(trace[-1][0] for _, trace in panels) or 1.0
    height = _TOP + len(panels) * (_PANEL + _GAP)
    caption = (
        f"simulated engine, {spec.max_num_seqs} sequences at most, {spec.tokens_per_s:,.0f} tokens/s full"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="16" y="24" font-size="17" font-weight="bold">Running sequences over time</text>',
        f'<text x="16" y="42" font-size="10" fill="#555">{caption}</text>',
    ]
    for number, (name, trace) in enumerate(panels):
        parts += _draw_panel(name, trace, _TOP + number * (_PANEL + _GAP), end_s, spec.max_num_seqs)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw_panel(
    name: str, trace: Sequence[tuple[float, int, int]], top: int, end_s: float, most: int
) -> list[str]:
    base = top + 16 + _PANEL
    step = max(1, len(trace) // _POINTS)
    places = [
        (_LEFT + (_WIDTH - _LEFT - _RIGHT) * at_s / end_s, base - _PANEL * min(1.0, running / most))
        for at_s, running, _ in trace[::step]
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return [
        f'<text x="{_LEFT}" y="{top + 8}" font-weight="bold">{escape(name)}: {trace[-1][0]:,.0f} s</text>',
        f'<polygon points="{places[0][0]:.1f},{base} {line} {places[-1][0]:.1f},{base}" fill="#2f6db3"/>',
        f'<path d="M{_LEFT} {base - _PANEL} H{_WIDTH - _RIGHT}" stroke="#bbb"/>',
        f'<path d="M{_LEFT} {base} H{_WIDTH - _RIGHT}" stroke="#333"/>',
        f'<text x="{_LEFT - 6}" y="{base - _PANEL + 4}" text-anchor="end">{most}</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="{base + 14}" text-anchor="end">{end_s:,.0f} s</text>',
    ]
