"""The report as Markdown, JSON and JUnit XML, for terminals, other programs and continuous integration."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from sstar_code.agent.report.data.curves import calibrate
from sstar_code.agent.report.render.page_charts import label, ordered_stages
from sstar_code.agent.report.render.rows import (
    interval,
    judge_outcome,
    of_graded_alone,
    percent,
    points,
    points_interval,
    stage_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.report.data.compare import Comparison
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores

__all__ = ["compare_as_markdown", "run_as_json", "run_as_junit", "run_as_markdown"]

_MOST_NAMES = 50


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    rule = "|".join(["", "---", *(["---:"] * (len(heads) - 1)), ""])
    return [line(heads), rule, *(line(row) for row in rows), ""]


def run_as_markdown(run: Run, scores: Scores) -> str:
    """The numbers of one run as tables."""
    rows, both = [], (scores.pass_at, scores.oracle_at)
    for name, rate in scores.rates.items():
        gain = scores.gains.get(name)
        words = f"{points(gain)} ({points_interval(gain)})" if gain else ""
        title = f"**{name}** (selected@1)" if name == run.select else label(name)
        rows.append([title, percent(rate), interval(rate), words])
    parts = [
        f"# {run.config.get('label', run.name)}",
        "",
        _denominator(scores) + of_graded_alone(run, scores),
        "",
        *_table(["choice", "rate", "95% interval", "gain over random, points"], rows),
        *_table(
            ["k", "pass@k", "95% interval", "oracle of k, debugged", "95% interval"],
            [
                [f"{k}", *(words(at[k]) for at in both for words in (percent, interval))]
                for k in scores.pass_at
            ],
        ),
        *_table(
            ["after", "public pass", "a right sample", "a random sample right"],
            [
                [f"round {row.round}", percent(row.public), percent(row.oracle), percent(row.sample)]
                for row in scores.rounds
            ],
        ),
    ]
    for kind, groups in scores.groups.items():
        rows = [
            [group.name, f"{group.problems}"]
            + [f"{percent(rate)} ({interval(rate)})" for rate in group.rates.values()]
            for group in groups
        ]
        parts += _table([kind, "problems", *groups[0].rates], rows)
    parts += _table(["stage", "calls", "prompt", "output", "model s", "runs", "CPU s"], stage_rows(run))
    parts += [f"- error: {problem_id}: {line}" for problem_id, line in scores.errors.items()]
    if scores.unfinished:
        parts.append(f"- unfinished: {_names(scores.unfinished)}")
    return "\n".join(parts).rstrip() + "\n"


def _denominator(scores: Scores) -> str:
    return (
        f"{scores.asked} problems in the rates, {scores.graded} graded, {len(scores.errors)} errors and "
        f"{len(scores.unfinished)} unfinished (wrong in every rate), {scores.ungraded} without hidden tests "
        "(in no rate)."
    )


def run_as_json(run: Run, scores: Scores) -> dict[str, Any]:
    """Everything that is counted; rates are 0..1 with their intervals."""
    return {
        "run": str(run.folder),
        "select": run.select,
        **{key: value for key, value in asdict(scores).items() if key not in ("pass_at", "oracle_at")},
        "pass@k": {str(k): asdict(rate) for k, rate in scores.pass_at.items()},
        "oracle@k": {str(k): asdict(rate) for k, rate in scores.oracle_at.items()},
        "calibration": asdict(calibrate(run, run.select)),
        "stages": {name: asdict(count) for name, count in ordered_stages(run).items()},
        "outcomes": {problem_id: judge_outcome(run, problem_id) for problem_id in run.problem_ids},
    }


def run_as_junit(run: Run) -> str:
    """One test case a problem: wrong is a failure, an error an error, unfinished and ungraded skipped."""
    outcomes = {problem_id: judge_outcome(run, problem_id) for problem_id in run.problem_ids}
    counts = {"failure": 0, "error": 0, "skipped": 0}
    suite = ET.Element("testsuite", name=_legal(str(run.config.get("label", run.name))))
    for problem_id, outcome in outcomes.items():
        seconds = sum(count.seconds for count in run.stages.get(problem_id, {}).values())
        case = ET.SubElement(
            suite, "testcase", name=_legal(problem_id), classname="sstar", time=f"{seconds:.3f}"
        )
        if outcome == "right":
            continue
        kind = {"error": "error", "unfinished": "skipped", "no hidden tests": "skipped"}.get(
            outcome, "failure"
        )
        counts[kind] += 1
        ET.SubElement(case, kind, message=_legal(run.errors.get(problem_id, outcome)))
    suite.set("tests", str(len(outcomes)))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(counts[kind]))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _legal(text: str) -> str:
    """XML has no way to write most control characters and no lone surrogate."""
    return "".join(
        c if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c not in "\ufffe\uffff" else "\ufffd"
        for c in text
    )


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
        parts += _table(["setting", "first", "second"], rows)
    rows = [
        [
            *(line.name, percent(line.first), percent(line.second)),
            *(points(line.difference), points_interval(line.difference)),
            *(f"{len(line.won)}", f"{len(line.lost)}", "" if line.p is None else f"{line.p:.2g}"),
        ]
        for line in comparison.lines
    ]
    heads = ["rate", "first", "second", "points", "95% (paired bootstrap)", "won", "lost", "p (sign test)"]
    parts += _table(heads, rows)
    line = comparison.lines[0]
    parts.append(f"- {line.name} won by the second: {_names(line.won) or 'none'}")
    parts.append(f"- {line.name} lost by the second: {_names(line.lost) or 'none'}")
    return "\n".join(parts) + "\n"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
