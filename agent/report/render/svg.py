"""Shapes as SVG text. Colours are classes, so that the page's style sheet decides for light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def frame(width: float, height: float, title: str, description: str, parts: Iterable[str]) -> str:
    """A whole drawing; `title` and `description` are what a screen reader says."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'width="{width:g}" height="{height:g}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, *, kind: str = "", anchor: str = "start") -> str:
    """Words at a point of the base line."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{_kind(kind)}>{escape(words, quote=False)}</text>"


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{_kind(kind)}/>'


def rect(x: float, y: float, width: float, height: float, *, kind: str, title: str = "") -> str:
    """A filled box; `title` shows when it is pointed at."""
    size = f'width="{max(0.0, width):.1f}" height="{max(0.0, height):.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size}{_kind(kind)}>{_title(title)}</rect>'


def dot(x: float, y: float, radius: float, kind: str, title: str = "") -> str:
    """A filled circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"{_kind(kind)}>{_title(title)}</circle>'


def polyline(points: Sequence[tuple[float, float]], kind: str) -> str:
    """Straight lines from point to point."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}"{_kind(kind)}/>'


def path(data: str, kind: str, title: str = "") -> str:
    """Any outline."""
    return f'<path d="{data}"{_kind(kind)}>{_title(title)}</path>'


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _title(title: str) -> str:
    return f"<title>{escape(title, quote=False)}</title>" if title else ""
