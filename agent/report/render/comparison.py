"""A comparison of strategies as Markdown, as rows for a terminal and as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.comparison import COSTS
from sstar_code.agent.report.markup import escape_markdown, write_table
from sstar_code.agent.report.render import svg
from sstar_code.agent.report.render.tables import interval, percent, points, points_interval

if TYPE_CHECKING:
    from sstar_code.agent.report.data.comparison import Row, Table

_FLOPS = "TFLOP"
SOLVED = (
    "solved: what was chosen passes all tests (selected@1); oracle: some candidate does; of all problems, "
    "with Wilson's 95% intervals"
)
BUDGET = "budget: tokens, prompt and output, that all problems together might spend; tokens: those that were"
DOMINATED = (
    "dominated by: another row solves at least as many for at most as many tokens, calls or seconds, and one "
    "of both is better; the values count, not their intervals"
)


def list_heads(table: Table) -> list[str]:
    """The names of the columns of `list_cells`."""
    flops = [_FLOPS] if table.parameters is not None else []
    baseline = _name_arm(table, *table.baseline)
    return [
        *("strategy", "budget", "solved", "oracle", "tokens", "calls", "seconds"),
        *flops,
        f"less {baseline}",
        "dominated by",
    ]


def list_cells(table: Table) -> list[list[str]]:
    """One row a cell, in the order of budgets: rates in percent with their 95% intervals."""
    return [_write_row(table, row) for row in table.rows]


def _write_row(table: Table, row: Row) -> list[str]:
    flops = [] if row.teraflops is None else [f"{row.teraflops:,.3g}"]
    return [
        _name_arm(table, row.strategy, row.style),
        f"{row.budget:,}",
        f"{percent(row.solved)} ({interval(row.solved)})",
        percent(row.oracle),
        f"{row.tokens:,}",
        f"{row.calls:,}",
        f"{row.seconds:,.1f}",
        *flops,
        f"{points(row.difference)} ({points_interval(row.difference)})" if row.difference else "-",
        ", ".join(row.dominated) or "-",
    ]


def _name_arm(table: Table, strategy: str, style: str) -> str:
    """The strategy, with its style where there are several."""
    return strategy if len({row.style for row in table.rows}) < 2 else f"{strategy} ({style})"


def list_notes(table: Table) -> list[str]:
    """What has to stand beside the numbers, in lines."""
    baseline = _name_arm(table, *table.baseline)
    lines = [f"set: {table.set_line}", SOLVED, BUDGET, DOMINATED]
    lines.append(
        f"less {baseline}: points more than {baseline} at the same budget, by problem; paired bootstrap"
    )
    if table.parameters is not None:
        lines.append(
            f"{_FLOPS}: 2 * parameters * tokens / 10^12; {table.parameters:g} parameters ({table.origin})"
        )
    for row in table.rows:
        if row.errors:
            name = _name_arm(table, row.strategy, row.style)
            lines.append(f"{name} at {row.budget:,}: {row.errors} problems with errors, counted as wrong")
    if table.unfinished:
        names = ", ".join(f"{cell.strategy}/{cell.style} at {cell.tokens:,}" for cell in table.unfinished)
        lines.append(f"not finished: {names}; the same command goes on")
    return lines


def comparison_as_markdown(table: Table, figure: str | None = None) -> str:
    """The table and its notes; `figure` is the name of the file with the figure, where there is one."""
    rows = [[escape_markdown(row[0]), *row[1:]] for row in list_cells(table)]
    heads = [escape_markdown(head) for head in list_heads(table)]
    parts = [f"# Strategies at equal tokens: {escape_markdown(table.title)}", ""]
    parts += write_table(heads, rows) if rows else ["Nothing is finished yet.", ""]
    parts += [f"- {escape_markdown(line)}" for line in list_notes(table)]
    if figure is not None and rows:
        parts += ["", f"![Solved against tokens, calls and seconds]({figure})"]
    return "\n".join(parts) + "\n"


_WIDTH, _TOP, _TALL, _PANEL, _GAP, _LEFT = 1020.0, 62.0, 230.0, 270.0, 60.0, 56.0
_COLOURS = ("#0b62c4", "#b45a00", "#1a7f45", "#7b3fb5", "#c0392b", "#00838f", "#8d6e00", "#5d6770")
_STYLE = (
    "<style>text{font:12px sans-serif}.bold{font-weight:bold}.title{font-size:17px;font-weight:bold}"
    ".caption{font-size:10px}.paper{fill:white}.grid{stroke:#ddd}.axis{stroke:#333}"
    "polyline{fill:none;stroke-width:1.6}"
    + "".join(
        f".c{place}{{fill:{colour}}}polyline.c{place},line.c{place}{{stroke:{colour};fill:none}}"
        f".o{place}{{fill:white;stroke:{colour};stroke-width:1.6}}line.c{place}{{opacity:.45;stroke-width:2}}"
        for place, colour in enumerate(_COLOURS)
    )
    + "</style>"
)


def draw_comparison(table: Table) -> str:
    """Solved against tokens, calls and seconds: a panel each, a line a strategy, hollow where dominated."""
    arms = list(table.arms().items())
    per_line = 3
    legend = _TOP + _TALL + 62
    height = legend + 20 * math.ceil(len(arms) / per_line) + 10
    caption = (
        f"{table.title}, {table.problems} problems; bars: Wilson's 95% intervals; hollow: dominated by "
        "another point"
    )
    title = "Solved against what it took"
    parts = [_STYLE, svg.rect(0, 0, _WIDTH, height, kind="paper"), svg.text(16, 24, title, kind="title")]
    parts.append(svg.text(16, 42, caption, kind="caption"))
    for number, cost in enumerate(COSTS):
        parts += _draw_panel(table, [rows for _, rows in arms], cost, _LEFT + number * (_PANEL + _GAP))
    for number, ((strategy, style), _) in enumerate(arms):
        x, y = 16 + number % per_line * 330.0, legend + 20 * (number // per_line)
        parts.append(svg.rect(x, y, 12, 12, kind=f"c{number % len(_COLOURS)}"))
        parts.append(svg.text(x + 17, y + 11, _name_arm(table, strategy, style)[:46]))
    return svg.frame(_WIDTH, height, title, caption, parts) + "\n"


def _draw_panel(table: Table, arms: Sequence[Sequence[Row]], cost: str, left: float) -> list[str]:
    rates = [end for row in table.rows for end in (row.solved.low, row.solved.high)] or [0.0, 1.0]
    low, high = math.floor(min(rates) * 10) / 10, math.ceil(max(rates) * 10) / 10
    high = max(high, low + 0.1)
    costs = [max(row.cost(cost), 0.1) for row in table.rows] or [1.0]
    first, last = math.log10(min(costs)) - 0.05, math.log10(max(costs)) + 0.05

    def place(value: float, rate: float) -> tuple[float, float]:
        across = (math.log10(max(value, 0.1)) - first) / (last - first)
        return left + _PANEL * across, _TOP + _TALL * (high - rate) / (high - low)

    parts = [svg.text(left + _PANEL / 2, _TOP + _TALL + 40, cost, kind="bold", anchor="middle")]
    for step in range(round((high - low) * 10) + 1):
        y = place(1.0, low + step / 10)[1]
        parts.append(svg.line(left, y, left + _PANEL, y))
        parts.append(svg.text(left - 6, y + 4, f"{low + step / 10:.0%}", anchor="end"))
    for value in _list_ticks(min(costs), max(costs)):
        x = place(value, low)[0]
        parts.append(svg.line(x, _TOP + _TALL, x, _TOP + _TALL + 5, "axis"))
        parts.append(svg.text(x, _TOP + _TALL + 20, _shorten(value), anchor="middle"))
    parts.append(svg.line(left, _TOP + _TALL, left + _PANEL, _TOP + _TALL, "axis"))
    for number, rows in enumerate(arms):
        colour = number % len(_COLOURS)
        parts.append(svg.polyline([place(row.cost(cost), row.solved.value) for row in rows], f"c{colour}"))
        for row in rows:
            x, y = place(row.cost(cost), row.solved.value)
            ends = [place(row.cost(cost), end)[1] for end in (row.solved.low, row.solved.high)]
            parts.append(svg.line(x, ends[0], x, ends[1], f"c{colour}"))
            name = f"{_name_arm(table, row.strategy, row.style)}: {percent(row.solved)}, "
            told = f"{name}{row.cost(cost):,.0f} {cost}"
            kind = f"{'o' if cost in row.dominated else 'c'}{colour}"
            parts.append(svg.dot(x, y, 4, kind, told))
    return parts


def _list_ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`: 1, 2 and 5 times powers of ten; the ends where there are none."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [part * 10.0**power for power in powers for part in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    if len(inside) > 5:
        inside = [tick for tick in inside if f"{tick:e}".startswith("1")] or inside[::3]
    return inside if len(inside) > 1 else [low, high]


def _shorten(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
