"""The words and tables of the report: plain data for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.report.data.scores import group_keys
from sstar_code.agent.run.summary import LABELS
from sstar_code.agent.run.usage import add_up

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.agent.run.statistics import Difference, Rate
    from sstar_code.agent.run.usage import StageCount

_MOST_NAMES = 50
_STAGES = ("generate", "debug", "inputs", "judge", "select", "grade")
OUTCOMES = {
    "right": ("right", "✓"),
    "wrong choice": ("wrong", "✗"),
    "no right sample": ("wrong", "✗"),
    "no public pass": ("wrong", "✗"),
    "error": ("wrong", "!"),
    "unfinished": ("none", "…"),
    "no hidden tests": ("none", "?"),
}
"""Outcome of a problem -> class and sign."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column has names and whose others have numbers."""

    heads: tuple[str, ...]
    rows: list[list[str]]
    chosen: int | None = None
    """Index of the row of the method whose choice is the answer."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table of problems."""

    text: str
    value: float | None = None
    """The number by which it is sorted; None sorts by the text."""


_NOTHING = Cell("-", -1.0)


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One row of the table of problems."""

    id: str
    outcome: str
    """A key of `OUTCOMES`."""
    cells: Mapping[str, Cell]
    """By the head of the column; one in which all problems are alike is left out."""


def judge_outcome(run: Run, problem_id: str) -> str:
    """Where the problem was won or lost: a key of `OUTCOMES`."""
    if problem_id in run.count.errors:
        return "error"
    outcome = run.outcomes.get(problem_id)
    if outcome is None:
        return "unfinished"
    if not outcome.graded:
        return "no hidden tests"
    if outcome.is_right(outcome.chosen.get(run.select)):
        return "right"
    if outcome.count_right():
        return "wrong choice"
    return "no right sample" if outcome.solved else "no public pass"


def problem_rows(run: Run, scores: Scores) -> list[ProblemRow]:
    """The rows of the table of problems, in the order asked."""
    result, kinds = [], [kind for kind, groups in scores.groups.items() if len(groups) > 1]
    for problem_id in run.problem_ids:
        outcome, keys = run.outcomes.get(problem_id), group_keys(run, problem_id)
        choice, total = run.choice(problem_id), add_up(run.stages.get(problem_id, {}).values())
        samples = outcome.samples if outcome else ()
        cells = {
            "confidence": Cell(f"{choice.confidence:.2f}", choice.confidence) if choice else _NOTHING,
            "right samples": _share(outcome.count_right() if outcome else 0, len(samples)),
            "public pass": _share(sum(sample.survives for sample in samples), len(samples)),
            "clusters": Cell(str(len(choice.clusters)), len(choice.clusters)) if choice else _NOTHING,
            **{kind: Cell(keys[kind]) for kind in kinds},
            "tokens": Cell(f"{total.tokens:,}", total.tokens),
            "CPU s": Cell(f"{total.cpu_s:,.1f}", total.cpu_s),
        }
        result.append(ProblemRow(problem_id, judge_outcome(run, problem_id), cells))
    return result


def _share(count: int, of: int) -> Cell:
    return Cell(f"{count}/{of}", count / of) if of else _NOTHING


def percent(rate: Rate | None) -> str:
    """A rate in percent, or a dash."""
    return f"{100 * rate.value:.1f}%" if rate and rate.problems else "-"


def interval(rate: Rate | None) -> str:
    """A rate's interval in percent, or nothing."""
    return f"{100 * rate.low:.1f} to {100 * rate.high:.1f}" if rate and rate.problems else ""


def points(gain: Difference | None) -> str:
    """A difference in points, with its sign, or nothing."""
    return f"{100 * gain.value:+.1f}" if gain else ""


def points_interval(gain: Difference | None) -> str:
    """A difference's interval in points, or nothing."""
    return f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}" if gain else ""


def list_names(names: Sequence[str]) -> str:
    """The names in one line; of very many the first."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def describe_graded(run: Run, scores: Scores) -> str:
    """A sentence with the rate that leaves out errors and unfinished problems; empty where there are none."""
    rate, graded = scores.of_graded.get(run.select), run.count.graded
    if rate is None or len(graded) == len(run.count.scores):
        return ""
    return f" Of the {len(graded)} graded problems alone: {percent(rate)} ({interval(rate)})."


def method_table(run: Run, scores: Scores) -> Table:
    """Every method on the same candidates."""
    rows = []
    for name, rate in scores.rates.items():
        gain = scores.gains.get(name)
        words = f"{points(gain)} ({points_interval(gain)})" if gain else ""
        rows.append([LABELS.get(name, name), percent(rate), interval(rate), words])
    names = list(scores.rates)
    chosen = names.index(run.select) if run.select in names else None
    return Table(("choice", "rate", "95% interval", "gain over random, points"), rows, chosen)


def round_table(scores: Scores) -> Table:
    """Rates after each round, with intervals."""
    rows = [
        [
            f"debug round {row.round}" if row.round else "first answers",
            *(
                f"{percent(rate)} ({100 * rate.low:.0f} to {100 * rate.high:.0f})"
                for rate in (row.public, row.oracle, row.sample)
            ),
        ]
        for row in scores.rounds
    ]
    return Table(("after", "public pass", "a right sample", "a random sample right"), rows)


def stage_table(run: Run) -> Table:
    """Work by stage."""
    rows = [
        [
            *(name, f"{count.calls:,}", f"{count.prompt:,}", f"{count.output:,}"),
            *(f"{count.seconds:,.1f}", f"{count.executions:,}", f"{count.cpu_s:,.1f}"),
        ]
        for name, count in ordered_stages(run).items()
    ]
    return Table(("stage", "calls", "prompt tokens", "output tokens", "model s", "runs", "CPU s"), rows)


def ordered_stages(run: Run) -> dict[str, StageCount]:
    """The work of all problems by stage, in the order of the method."""
    total = run.total
    return {name: total[name] for name in dict.fromkeys((*_STAGES, *total)) if name in total}
