"""Tables as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["write_head", "write_row", "write_table"]


def write_row(cells: Iterable[object]) -> str:
    """One line."""
    return f"| {' | '.join(map(str, cells))} |"


def write_head(names: Sequence[str]) -> str:
    """The two lines above the rows; every column but the first holds numbers."""
    return f"{write_row(names)}\n|---{'|--:' * (len(names) - 1)}|"


def write_table(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A whole table, without a line break at its end."""
    return "\n".join([write_head(names), *map(write_row, rows)])
