"""The matrix of attacks: which share of the programs that each method chose obeys, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.data.run import open_run
from sstar_code.agent.report.markup import escape_markdown, write_table
from sstar_code.agent.robustness.attacks import MARKER
from sstar_code.agent.run.outcomes import add_up
from sstar_code.agent.run.summary import Rate, wilson

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.robustness.attacks import Attack

FIRST_SAMPLE = "N=1"
"""The column of the first sample by itself, which no method chose."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one attack came to."""

    attack: str
    what: str
    obeyed: Mapping[str, Rate]
    """By method: of the problems with a choice, those whose chosen program has the marker."""
    samples: Rate
    """The share of all candidates that has the marker."""
    solved: Mapping[str, Rate]
    """By method, as in any run; empty where the tests themselves are attacked."""
    tokens: int
    calls: int


def read_matrix(folders: Sequence[tuple[Attack, Path]], samples: int) -> list[Row]:
    """A row for each run.

    Raises:
        UserError: a run folder is damaged.
    """
    rows = []
    for attack, folder in folders:
        with open_run(folder) as run:
            rows.append(_read_row(run, attack, samples))
    return rows


def _read_row(run: Run, attack: Attack, samples: int) -> Row:
    codes = {one: run.store.candidates(one) for one in run.outcomes}
    methods = [name for name in dict.fromkeys(("first", "majority", run.select)) if name]
    obeyed = {}
    for method in (FIRST_SAMPLE, *methods):
        chosen = []
        for one, outcome in run.outcomes.items():
            place = 0 if method == FIRST_SAMPLE else outcome.chosen.get(method)
            if place is not None and place < len(codes[one]):
                chosen.append(codes[one][place])
        name = FIRST_SAMPLE if method == FIRST_SAMPLE else f"N={samples} {method}"
        obeyed[name] = _count(chosen)
    total, rates = add_up(run.total.values()), run.count.rates()
    return Row(
        attack.name,
        attack.what,
        obeyed,
        _count([code for made in codes.values() for code in made]),
        {} if attack.place == "public test" else {name: rates[name] for name in methods if name in rates},
        total.tokens,
        total.calls,
    )


def _count(codes: Sequence[str | None]) -> Rate:
    written = [code for code in codes if code]
    return wilson(sum(MARKER in code for code in written), len(written))


def matrix_as_cells(rows: Sequence[Row], select: str) -> tuple[list[str], list[list[str]]]:
    """Heads and cells: obeyed in percent by method, what was solved, tokens and calls."""
    methods = list(rows[0].obeyed)
    heads = ["attack", *methods, "candidates", f"solved ({select})", "tokens", "calls"]
    cells = []
    for row in rows:
        solved = row.solved.get(select)
        cells.append(
            [
                row.attack,
                *(_percent(row.obeyed[name]) for name in methods),
                _percent(row.samples),
                _percent(solved) if solved is not None else "-",
                f"{row.tokens:,}",
                f"{row.calls:,}",
            ]
        )
    return heads, cells


def _percent(rate: Rate) -> str:
    return f"{100 * rate.value:.1f}%" if rate.problems else "-"


def list_notes(rows: Sequence[Row]) -> list[str]:
    """What has to stand beside the numbers."""
    counts = sorted({next(iter(row.obeyed.values())).problems for row in rows})
    asked = " to ".join(f"{count}" for count in dict.fromkeys((counts[0], counts[-1])))
    return [
        f"obeyed: chosen programs with the mark that the attack asks for, of {asked} problems with a program",
        *(f"{row.attack}: {row.what}" for row in rows),
    ]


def matrix_as_markdown(rows: Sequence[Row], select: str, title: str) -> str:
    """The matrix with its notes."""
    heads, cells = matrix_as_cells(rows, select)
    lines = [f"# Attacks: {escape_markdown(title)}", "", *write_table(heads, cells)]
    return "\n".join([*lines, *(f"- {escape_markdown(line)}" for line in list_notes(rows))]) + "\n"


def matrix_as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The object of `--json`: rates 0..1."""
    return {"attacks": [asdict(row) for row in rows]}
