"""The report's charts of parts and rows: intervals side by side, the flow of problems, stacked bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.agent.report.render import svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sstar_code.agent.report.data.curves import Link, Step
    from sstar_code.agent.report.data.scores import Group
    from sstar_code.agent.run.statistics import Rate

__all__ = ["draw_bars", "draw_flow", "draw_groups", "draw_intervals"]

_STATES = ("good", "bad", "lost")


def draw_intervals(rows: Sequence[tuple[str, Rate, str]], title: str) -> str:
    """One row a rate: name, interval, dot, value. The third of each row is the class of its dot."""
    width, left, right, step = 640.0, 190.0, 590.0, 27.0
    bottom = 14 + step * len(rows)

    def place(value: float) -> float:
        return left + (right - left) * value

    parts = _percent_grid(place, 8, bottom)
    for number, (name, rate, kind) in enumerate(rows):
        y = 22 + step * number
        words = f"{name}: {rate}"
        parts += [
            svg.text(left - 12, y + 4, name, kind="strong" if kind == "chosen" else "", anchor="end"),
            svg.line(place(rate.low), y, place(rate.high), y, f"interval {kind}"),
            svg.dot(place(rate.value), y, 5, f"dot {kind}", words),
            svg.text(right + 8, y + 4, f"{100 * rate.value:.1f}", kind="strong" if kind == "chosen" else ""),
        ]
    said = "; ".join(f"{name} {rate}" for name, rate, _ in rows)
    return svg.frame(width, bottom + 24, title, said, parts)


def draw_groups(groups: Sequence[Group], title: str) -> str:
    """Groups of problems, three rates each."""
    width, left, right, step = 640.0, 190.0, 590.0, 19.0
    kinds = {"pass@1": "s1", "selected@1": "chosen", "oracle": "s3"}
    height = 14 + sum(step * len(group.rates) + 12 for group in groups)

    def place(value: float) -> float:
        return left + (right - left) * value

    parts = _percent_grid(place, 8, height)
    y = 20.0
    for group in groups:
        middle = y + step * (len(group.rates) - 1) / 2
        parts.append(svg.text(left - 12, middle, group.name[:26], kind="strong", anchor="end"))
        words = f"{group.problems} problem{'' if group.problems == 1 else 's'}"
        parts.append(svg.text(left - 12, middle + 14, words, kind="small", anchor="end"))
        for name, rate in group.rates.items():
            parts += [
                svg.line(place(rate.low), y, place(rate.high), y, f"interval {kinds[name]}"),
                svg.dot(place(rate.value), y, 4, f"dot {kinds[name]}", f"{group.name}, {name}: {rate}"),
                svg.text(right + 8, y + 4, f"{100 * rate.value:.1f}", kind="small"),
            ]
            y += step
        y += 12
    said = "; ".join(
        f"{group.name}, {name}: {rate}" for group in groups for name, rate in group.rates.items()
    )
    return svg.frame(width, height + 24, title, said, parts)


def _percent_grid(place: object, top: float, bottom: float) -> list[str]:
    assert callable(place)
    parts = []
    for percent in (0, 25, 50, 75, 100):
        x = place(percent / 100)
        parts.append(svg.line(x, top, x, bottom))
        parts.append(svg.text(x, bottom + 16, f"{percent}%", kind="faint", anchor="middle"))
    return parts


def draw_flow(steps: Sequence[Step], links: Sequence[Link], title: str) -> str:
    """Columns of problems by state, with ribbons between them as wide as the problems that go there."""
    bar, tall, gap = 16.0, 190.0, 18.0
    wide = max(150.0, 920.0 / max(1, len(steps) - 1))
    total = max(1, sum(steps[0].states.values()))
    width = 40 + wide * (len(steps) - 1) + 140

    def tops(step: Step) -> dict[str, float]:
        places, y = {}, 46.0
        for state in _STATES:
            places[state] = y
            y += step.states[state] / total * tall + (gap if step.states[state] else 0)
        return places

    def x_of(place: int) -> float:
        return 20 + wide * place

    at = [tops(step) for step in steps]
    leaving = [dict(places) for places in at]
    arriving = [dict(places) for places in at]
    parts = []
    for link in links:
        high = link.problems / total * tall
        x1, x2 = x_of(link.step) + bar, x_of(link.step + 1)
        y1, y2 = leaving[link.step][link.source], arriving[link.step + 1][link.target]
        leaving[link.step][link.source] += high
        arriving[link.step + 1][link.target] += high
        middle = (x1 + x2) / 2
        outline = (
            f"M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f} "
            f"L{x2:.1f},{y2 + high:.1f} C{middle:.1f},{y2 + high:.1f} {middle:.1f},{y1 + high:.1f} "
            f"{x1:.1f},{y1 + high:.1f} Z"
        )
        words = f"{link.problems} problems: {steps[link.step].words[link.source]}, then "
        parts.append(
            svg.path(outline, f"ribbon {link.target}", words + steps[link.step + 1].words[link.target])
        )
    for place, step in enumerate(steps):
        x = x_of(place)
        parts.append(svg.text(x, 24, step.title, kind="strong"))
        for state in _STATES:
            count = step.states[state]
            if not count:
                continue
            y, high = at[place][state], count / total * tall
            parts.append(
                svg.rect(x, y, bar, high, kind=f"block {state}", title=f"{count} {step.words[state]}")
            )
            parts.append(
                svg.text(x + bar + 6, y + max(11.0, min(high, 26.0) / 2 + 4), f"{count}", kind="strong")
            )
            parts.append(
                svg.text(
                    x + bar + 6, y + max(11.0, min(high, 26.0) / 2 + 4) + 13, step.words[state], kind="small"
                )
            )
    lowest = max(
        places["lost"] + step.states["lost"] / total * tall for places, step in zip(at, steps, strict=True)
    )
    said = "; ".join(
        f"{step.title}: " + ", ".join(f"{step.states[s]} {step.words[s]}" for s in _STATES if step.states[s])
        for step in steps
    )
    return svg.frame(width, lowest + 34, title, said, parts)


def draw_bars(
    rows: Mapping[str, Mapping[str, float]], kinds: Mapping[str, str], title: str, unit: str
) -> str:
    """One bar a row, stacked from parts; `kinds` gives each part its class."""
    width, left, right, step = 640.0, 130.0, 530.0, 30.0
    most = max((sum(parts.values()) for parts in rows.values()), default=0.0) or 1.0
    parts = []
    for number, (name, values) in enumerate(rows.items()):
        y, x = 12 + step * number, left
        parts.append(svg.text(left - 12, y + 13, name, anchor="end"))
        for part, value in values.items():
            long = (right - left) * value / most
            if value:
                parts.append(
                    svg.rect(
                        x,
                        y,
                        long,
                        18,
                        kind=f"block {kinds[part]}",
                        title=f"{name}, {part}: {say(value)}{unit}",
                    )
                )
            x += long
        parts.append(svg.text(x + 8, y + 13, say(sum(values.values())) + unit))
    said = "; ".join(
        f"{name}: " + ", ".join(f"{part} {say(value)}{unit}" for part, value in values.items() if value)
        for name, values in rows.items()
    )
    return svg.frame(width, 18 + step * len(rows), title, said, parts)


def say(value: float) -> str:
    """A number in three or four digits: 950, 12.3k, 4.56M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.3g}{letter}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
