"""Tables on stdout: drawn for a terminal's width, aligned text in a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sstar_code.agent.cli.display.lines import HARD_SPACE, fold
from sstar_code.agent.cli.display.terminal import BOLD, is_terminal, measure_width, open_console, paint
from sstar_code.problems.plain_text import escape_line


def put_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), spare: str = ""
) -> None:
    """Print `rows` below the names of the columns; those of `right` hold numbers.

    On a terminal that is too narrow the column `spare` is left out; where that is not enough, each row
    becomes a block: its first cell, and below it the others with their names.
    """
    cells = [[escape_line(cell) for cell in row] for row in rows]
    if not is_terminal(sys.stdout):
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for line in (columns, *cells):
            words = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
            sys.stdout.write("  ".join(words).rstrip() + "\n")
        return
    shown = list(range(len(columns)))
    if spare and _measure(columns, cells, shown) > measure_width(sys.stdout):
        shown.remove(columns.index(spare))
    if _measure(columns, cells, shown) <= measure_width(sys.stdout):
        _draw(columns, cells, shown, right)
        return
    for first, *others in cells:
        sys.stdout.write(paint(first, BOLD, sys.stdout) + "\n")
        named = [f"{name} {cell}" for name, cell in zip(columns[1:], others, strict=True) if cell != "-"]
        room = measure_width(sys.stdout) - 2 * len("  ")
        kept = [part.replace(" ", HARD_SPACE) if len(part) < room else part for part in named]
        line = fold("  " + ", ".join(kept), sys.stdout)
        sys.stdout.write(line.replace(HARD_SPACE, " ") + "\n")


def _measure(columns: Sequence[str], cells: Sequence[Sequence[str]], shown: Sequence[int]) -> int:
    """Columns of the terminal that the table takes."""
    return sum(max(len(columns[at]), *(len(row[at]) for row in cells)) + 2 for at in shown) - 2


def _draw(
    columns: Sequence[str], cells: Sequence[Sequence[str]], shown: Sequence[int], right: Sequence[str]
) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at in shown:
        table.add_column(columns[at], justify="right" if columns[at] in right else "left", no_wrap=True)
    for row in cells:
        table.add_row(*(row[at] for at in shown))
    open_console().print(table)
