"""The report as Markdown, JSON and JUnit XML, for terminals, other programs and continuous integration."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from sstar_code.agent.report.data.curves import calibrate
from sstar_code.agent.report.junit import Case, write_junit
from sstar_code.agent.report.markdown import write_table
from sstar_code.agent.report.render import tables
from sstar_code.agent.report.render.tables import interval, percent

if TYPE_CHECKING:
    from sstar_code.agent.report.data.compare import Comparison
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores

_JUNIT_OUTCOMES: dict[str, Literal["passed", "error", "skipped"]] = {
    "right": "passed",
    "error": "error",
    "unfinished": "skipped",
    "no hidden tests": "skipped",
}


def run_as_markdown(run: Run, scores: Scores) -> str:
    """The numbers of one run as tables."""
    count, methods, rounds = run.count, tables.method_table(run, scores), tables.round_table(scores)
    if methods.chosen is not None:
        methods.rows[methods.chosen][0] = f"**{run.select}** (selected@1)"
    stages = tables.stage_table(run)
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
        denominator + tables.describe_graded(run, scores),
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
        parts.append(f"- unfinished: {tables.list_names(count.unfinished)}")
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
        "stages": {name: asdict(stage) for name, stage in tables.ordered_stages(run).items()},
        "outcomes": {one: tables.judge_outcome(run, one) for one in run.problem_ids},
    }


def run_as_junit(run: Run) -> str:
    """One test case a problem: wrong is a failure, an error an error, unfinished and ungraded skipped."""
    cases = []
    for problem_id in run.problem_ids:
        outcome = tables.judge_outcome(run, problem_id)
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
            *(tables.points(line.difference), tables.points_interval(line.difference)),
            *(str(len(line.won)), str(len(line.lost)), "" if line.p is None else f"{line.p:.2g}"),
        ]
        for line in comparison.lines
    ]
    heads = ("rate", "first", "second", "points", "95% (paired bootstrap)", "won", "lost", "p (sign test)")
    parts += write_table(heads, rows)
    line = comparison.lines[0]
    parts.append(f"- {line.name} won by the second: {tables.list_names(line.won) or 'none'}")
    parts.append(f"- {line.name} lost by the second: {tables.list_names(line.lost) or 'none'}")
    return "\n".join(parts) + "\n"
