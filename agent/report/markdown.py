"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def write_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> list[str]:
    """The lines of a table, the last one empty; with `numbers` all columns but the first are set right."""
    rule = ["---", *(["---:" if numbers else "---"] * (len(heads) - 1))]
    return [_write_row(heads), f"|{'|'.join(rule)}|", *map(_write_row, rows), ""]


def _write_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
