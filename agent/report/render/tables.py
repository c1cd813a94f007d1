"""The tables of a run for the page, and the run as Markdown, JSON and JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from sstar_code.agent.report.data.curves import calibrate
from sstar_code.agent.report.data.scores import group_keys
from sstar_code.agent.report.markup import Case, write_junit, write_table
from sstar_code.agent.run.outcomes import add_up
from sstar_code.agent.run.summary import LABELS

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Comparison, Scores
    from sstar_code.agent.run.outcomes import StageCount
    from sstar_code.agent.run.summary import Difference, Rate

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


_JUNIT_OUTCOMES: dict[str, Literal["passed", "error", "skipped"]] = {
    "right": "passed",
    "error": "error",
    "unfinished": "skipped",
    "no hidden tests": "skipped",
}


def run_as_markdown(run: Run, scores: Scores) -> str:
    """The numbers of one run as tables."""
    count, methods, rounds = run.count, method_table(run, scores), round_table(scores)
    if methods.chosen is not None:
        methods.rows[methods.chosen][0] = f"**{run.select}** (selected@1)"
    stages = stage_table(run)
    at_k = [
        [
            str(k),
            *(words(at[k]) for at in (scores.pass_at, scores.oracle_at) for words in (percent, interval)),
        ]
        for k in scores.pass_at
    ]
    denominator = (
        f"{len(count.scores)} problems in the rates, {len(count.graded)} graded, {len(count.errors)} errors "
        f"and {len(count.unfinished)} unfinished (wrong in every rate), {count.ungraded} without hidden "
        "tests (in no rate)."
    )
    parts = [
        f"# {run.label}",
        "",
        denominator + describe_graded(run, scores),
        "",
        *write_table(methods.heads, methods.rows),
        *write_table(("k", "pass@k", "95% interval", "oracle of k, debugged", "95% interval"), at_k),
        *write_table(rounds.heads, rounds.rows),
    ]
    for kind, groups in scores.groups.items():
        rows = [
            [
                *(group.name, str(group.problems)),
                *(f"{percent(rate)} ({interval(rate)})" for rate in group.rates.values()),
            ]
            for group in groups
        ]
        parts += write_table((kind, "problems", *groups[0].rates), rows)
    parts += write_table(stages.heads, stages.rows)
    parts += [f"- error: {problem_id}: {line}" for problem_id, line in count.errors.items()]
    if count.unfinished:
        parts.append(f"- unfinished: {list_names(count.unfinished)}")
    return "\n".join(parts).rstrip() + "\n"


def run_as_json(run: Run, scores: Scores) -> dict[str, Any]:
    """Everything that is counted; rates are 0..1 with their intervals."""
    count, counted = run.count, asdict(scores)
    for name, key in (("pass_at", "pass@k"), ("oracle_at", "oracle@k")):
        counted[key] = {str(k): rate for k, rate in counted.pop(name).items()}
    return {
        "run": str(run.folder),
        "select": run.select,
        "asked": len(count.scores),
        "graded": len(count.graded),
        "errors": count.errors,
        "unfinished": count.unfinished,
        "ungraded": count.ungraded,
        **counted,
        "calibration": asdict(calibrate(run, run.select)),
        "stages": {name: asdict(stage) for name, stage in ordered_stages(run).items()},
        "outcomes": {one: judge_outcome(run, one) for one in run.problem_ids},
    }


def run_as_junit(run: Run) -> str:
    """One test case a problem: wrong is a failure, an error an error, unfinished and ungraded skipped."""
    cases = []
    for problem_id in run.problem_ids:
        outcome = judge_outcome(run, problem_id)
        cases.append(
            Case(
                problem_id,
                _JUNIT_OUTCOMES.get(outcome, "failure"),
                message=run.count.errors.get(problem_id, outcome),
                seconds=sum(count.seconds for count in run.stages.get(problem_id, {}).values()),
            )
        )
    return write_junit(run.label, cases)


def compare_as_markdown(comparison: Comparison) -> str:
    """Two runs side by side: differences with intervals, then who won which problems."""
    common = f"{comparison.common} problems in common"
    if comparison.only_first or comparison.only_second:
        common += (
            f"; only in the first: {comparison.only_first}, only in the second: {comparison.only_second}"
        )
    parts = [f"# {comparison.second} against {comparison.first}", "", f"{common}.", ""]
    if comparison.settings:
        rows = [[key, str(old), str(new)] for key, (old, new) in comparison.settings.items()]
        parts += write_table(("setting", "first", "second"), rows)
    rows = [
        [
            *(line.name, percent(line.first), percent(line.second)),
            *(points(line.difference), points_interval(line.difference)),
            *(str(len(line.won)), str(len(line.lost)), "" if line.p is None else f"{line.p:.2g}"),
        ]
        for line in comparison.lines
    ]
    heads = ("rate", "first", "second", "points", "95% (paired bootstrap)", "won", "lost", "p (sign test)")
    parts += write_table(heads, rows)
    line = comparison.lines[0]
    parts.append(f"- {line.name} won by the second: {list_names(line.won) or 'none'}")
    parts.append(f"- {line.name} lost by the second: {list_names(line.lost) or 'none'}")
    return "\n".join(parts) + "\n"
