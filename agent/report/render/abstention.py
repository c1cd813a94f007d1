"""Error against answered problems, as a table: what comes of answering only what one is sure of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.curves import thin_out, trace_abstention
from sstar_code.agent.report.markup import write_table

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run

HEADS = ("answered", "of confidence", "wrong among them", "95% interval")


def abstention_rows(run: Run) -> list[list[str]]:
    """About a row for every tenth of the problems, the surest first; empty where all are answered alike."""
    rows = thin_out(trace_abstention(run, run.select))
    if len(rows) < 2:
        return []
    return [
        [
            f"{100 * row.answered.value:.0f}%",
            "any" if row.confidence is None else f"at least {row.confidence:.2f}",
            f"{100 * row.wrong.value:.1f}%",
            f"{100 * row.wrong.low:.1f} - {100 * row.wrong.high:.1f}",
        ]
        for row in rows
    ]


def abstention_as_markdown(run: Run) -> Iterator[str]:
    """The lines of the table; none where there is nothing to tell."""
    if rows := abstention_rows(run):
        yield from write_table(HEADS, rows)
