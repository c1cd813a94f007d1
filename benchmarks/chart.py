"""Bars as SVG text, without a drawing library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw_bars", "escape"]

_WIDTH, _LEFT, _RIGHT, _TOP, _BAR, _GAP = 900, 330, 70, 70, 15, 10
_FONT = 'font-family="sans-serif" font-size="13"'
_COLOURS = {"trivial": "#2f6db3", "contest": "#e08e2b"}


def draw_bars(rows: Sequence[dict[str, Any]], caption: str) -> str:
    """Runs per second with two workers, one group of bars a way, on a logarithmic axis."""
    chosen = [row for row in rows if row["workers"] == 2]
    ways = sorted(
        dict.fromkeys(row["way"] for row in chosen),
        key=lambda way: -max(row["runs_per_s"] for row in chosen if row["way"] == way),
    )
    height = _TOP + len(ways) * (2 * _BAR + _GAP) + 40
    top = math.ceil(math.log10(max(row["runs_per_s"] for row in chosen)))

    def place(rate: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * max(0.0, math.log10(max(rate, 1.0))) / top

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="16" y="24" font-size="17" font-weight="bold">Runs per second, two workers</text>',
        f'<text x="16" y="42" font-size="10" fill="#555">{escape(caption)}</text>',
    ]
    for index, (name, colour) in enumerate(_COLOURS.items()):
        x = _WIDTH - _RIGHT - 170 + 90 * index
        parts.append(f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 17}" y="23">{name}</text>')
    for power in range(top + 1):
        line = round(place(10.0**power))
        parts.append(f'<line x1="{line}" y1="{_TOP - 8}" x2="{line}" y2="{height - 30}" stroke="#ddd"/>')
        parts.append(f'<text x="{line}" y="{height - 14}" text-anchor="middle">{10**power:,}</text>')
    for index, way in enumerate(ways):
        parts += _draw_way(way, [row for row in chosen if row["way"] == way], index, place)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw_way(way: str, rows: list[dict[str, Any]], index: int, place: Any) -> list[str]:
    y = _TOP + index * (2 * _BAR + _GAP)
    weight = "bold" if way.startswith("**") else "normal"
    name = escape(way.replace("*", "").replace("`", ""))
    parts = [
        f'<text x="{_LEFT - 10}" y="{y + _BAR + 4}" text-anchor="end" font-weight="{weight}">{name}</text>'
    ]
    for row in rows:
        at = y + _BAR * list(_COLOURS).index(row["program"])
        end = place(row["runs_per_s"])
        colour = _COLOURS[row["program"]]
        size = f'width="{max(1.0, end - _LEFT):.1f}" height="{_BAR - 2}"'
        parts.append(f'<rect x="{_LEFT}" y="{at}" {size} fill="{colour}"/>')
        parts.append(
            f'<text x="{end + 5:.1f}" y="{at + _BAR - 4}" font-size="11">{row["runs_per_s"]:,.0f}</text>'
        )
    return parts


def escape(text: str) -> str:
    """`text` as the text of an SVG element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
