"""A comparison of strategies as rows: what each came to at each budget, and which are dominated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.comparison.shares import is_finished
from sstar_code.agent.report.data.run import open_run
from sstar_code.agent.run.outcomes import add_up
from sstar_code.agent.run.summary import Difference, Rate, paired_bootstrap

if TYPE_CHECKING:
    from sstar_code.agent.comparison.arms import Cell, Plan
    from sstar_code.agent.report.data.run import Run

COSTS = ("tokens", "calls", "seconds")
_SIZE = re.compile(
    r"(?<![\w.])(?:A(?P<active>\d+(?:\.\d+)?)|(?P<all>\d+(?:\.\d+)?))B(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy with one style at one budget."""

    strategy: str
    style: str
    budget: int
    """Tokens that it might spend."""
    solved: Rate
    """The rate of what was chosen (selected@1)."""
    oracle: Rate
    tokens: int
    calls: int
    seconds: float
    difference: Difference | None
    """What it solved less what the baseline did at the same budget, by problem; None for the baseline."""
    errors: int
    teraflops: float | None = None
    """2 * parameters * tokens / 10^12; None where the number of parameters is not known."""
    dominated: tuple[str, ...] = ()
    """Those of `COSTS` by which another row solves at least as much for at most as much, and one of both
    is better."""

    def cost(self, name: str) -> float:
        """One of `COSTS`."""
        return float(getattr(self, name))

    def as_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of a comparison."""

    title: str
    problems: int
    baseline: tuple[str, str]
    rows: tuple[Row, ...]
    unfinished: tuple[Cell, ...] = ()
    parameters: float | None = None
    origin: str = ""
    """Where the number of parameters is from."""
    set_line: str = ""
    """Which problems these are."""

    def as_json(self) -> dict[str, Any]:
        """The object of `--json`: rates 0..1."""
        return {
            "comparison": self.title,
            "set": self.set_line,
            "problems": self.problems,
            "baseline": dict(zip(("strategy", "style"), self.baseline, strict=True)),
            "parameters": self.parameters,
            "rows": [row.as_json() for row in self.rows],
            "unfinished": [asdict(cell) for cell in self.unfinished],
        }

    def arms(self) -> dict[tuple[str, str], list[Row]]:
        """The rows of each strategy with each style, in the order of budgets."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.strategy, row.style), []).append(row)
        return found


def read_table(folder: Path, plan: Plan) -> Table:
    """What the finished cells of the comparison in `folder` came to.

    Raises:
        UserError: a run folder in it is damaged.
    """
    known, origin = plan.parameters, "--parameters"
    if known is None:
        known, origin = guess_parameters(str(plan.config.get("model") or "")), "the model's name"
    rows: list[Row] = []
    unfinished: list[Cell] = []
    set_line, problems = "", 0
    for tokens in sorted({cell.tokens for cell in plan.cells}):
        cells = [cell for cell in plan.cells if cell.tokens == tokens]
        cells.sort(key=lambda cell: cell.arm != plan.baseline)
        base: Mapping[str, float] | None = None
        found = {}
        for cell in cells:
            place = folder / cell.folder
            if not is_finished(place):
                unfinished.append(cell)
                continue
            with open_run(place) as run:
                solved = {one: scores.get(run.select, 0.0) for one, scores in run.count.scores.items()}
                base = solved if cell.arm == plan.baseline else base
                found[cell] = _read_row(run, cell, solved, base, known)
                set_line, problems = str(run.which_set), len(run.count.scores)
        rows += [found[cell] for cell in plan.cells if cell in found]
    return Table(
        plan.title,
        problems,
        plan.baseline,
        mark_dominated(rows),
        tuple(unfinished),
        known,
        origin if known else "",
        set_line,
    )


def _read_row(
    run: Run,
    cell: Cell,
    solved: Mapping[str, float],
    base: Mapping[str, float] | None,
    parameters: float | None,
) -> Row:
    total, rates = add_up(run.total.values()), run.count.rates()
    nothing = Rate(0.0, 0.0, 1.0, 0)
    difference = None
    if base is not None and base is not solved:
        common = [one for one in solved if one in base]
        difference = paired_bootstrap([solved[one] - base[one] for one in common])
    return Row(
        cell.strategy,
        cell.style,
        cell.tokens,
        rates.get(run.select, nothing),
        rates.get("oracle", nothing),
        total.tokens,
        total.calls,
        float(run.summary.get("seconds", 0.0)),
        difference,
        len(run.count.errors),
        None if parameters is None else 2 * parameters * total.tokens / 1e12,
    )


def mark_dominated(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows, each with the costs by which it is dominated; by the values, not by their intervals."""
    return tuple(
        replace(row, dominated=tuple(cost for cost in COSTS if _is_dominated(row, rows, cost)))
        for row in rows
    )


def _is_dominated(row: Row, rows: Sequence[Row], cost: str) -> bool:
    mine = row.solved.value, -row.cost(cost)
    others = ((other.solved.value, -other.cost(cost)) for other in rows)
    return any(theirs != mine and theirs[0] >= mine[0] and theirs[1] >= mine[1] for theirs in others)


def guess_parameters(name: str) -> float | None:
    """Parameters that a token goes through, as a model's name says: `Qwen2.5-Coder-7B` and `30B-A3B`."""
    found = list(_SIZE.finditer(name.rpartition("/")[2]))
    active = [match["active"] for match in found if match["active"]]
    sizes = active or [match["all"] for match in found]
    return float(sizes[0]) * 1e9 if len(sizes) == 1 else None
