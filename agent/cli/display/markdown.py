"""The Markdown of `report` on a terminal: no cell of a table is torn, whatever the width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.markdown import Heading, Markdown, TableDataElement, TableElement
from rich.table import Table
from rich.text import Text

from sstar_code.agent.cli.display.terminal import open_console
from sstar_code.problems.plain_text import escape_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.markdown import MarkdownElement

_GAP = 2
"""Blanks between two columns."""


def put_markdown(text: str) -> None:
    """Print the headings, paragraphs, lists and tables of `text` on stdout, for the width of its terminal."""
    open_console().print(_Markdown(escape_text(text), hyperlinks=False))


class _Heading(Heading):
    """On the left, as everything below it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.text.plain, "bold underline")


class _Table(TableElement):
    """A table without lines. One that is too wide is turned: its heads become the first column.

    Where that is too wide as well, each row is a block: its first cell, below it the others with their heads.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.header is None or self.header.row is None or self.body is None:
            return
        cells = self.header.row.cells
        heads, *rows = [
            [_read(cell) for cell in line] for line in (cells, *(row.cells for row in self.body.rows))
        ]
        turned = [list(column) for column in zip(heads, *rows, strict=True)]
        if _measure([heads, *rows]) <= options.max_width:
            yield _draw(heads, rows, [cell.justify == "right" for cell in cells])
        elif _measure(turned) <= options.max_width:
            yield _draw(turned[0], turned[1:], [False, *(True for _ in rows)])
        else:
            for first, *others in rows:
                yield Text.assemble((first.plain, "bold"))
                named = [
                    Text.assemble(head, " ", cell)
                    for head, cell in zip(heads[1:], others, strict=True)
                    if cell.plain not in ("", "-")
                ]
                yield from _fill(named, options.max_width)


def _read(cell: TableDataElement) -> Text:
    """The text of a cell, which the column sets left or right, not the cell."""
    text = cell.content.copy()
    text.justify = None
    return text


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "table_open": _Table,
    }


def _measure(lines: Sequence[Sequence[Text]]) -> int:
    """Columns of the terminal that a table of these lines takes."""
    widths: list[int] = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def _draw(heads: Sequence[Text], rows: Iterable[Sequence[Text]], right: Sequence[bool]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for head, is_right in zip(heads, right, strict=True):
        table.add_column(head, justify="right" if is_right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _fill(parts: Sequence[Text], width: int) -> Iterable[Text]:
    """Lines of at most `width` columns after two blanks, in which no part is torn that fits into one."""
    line = Text("  ")
    for number, words in enumerate(parts, 1):
        part = words + ("," if number < len(parts) else "")
        if line.plain.strip() and line.cell_len + 1 + part.cell_len > width:
            yield line
            line = Text("  ")
        line = line + (" " if line.plain.strip() else "") + part
    if line.plain.strip():
        yield line
