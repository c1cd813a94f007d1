"""The words and table rows of the report: plain data for the page's template."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.report.data.scores import group_keys
from sstar_code.agent.report.render.page_charts import label, ordered_stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.report.data.curves import Calibration
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.agent.run.statistics import Difference, Rate

__all__ = [
    "TEXT_COLUMNS",
    "Cell",
    "ProblemRow",
    "about",
    "calibration_words",
    "columns",
    "count_outcomes",
    "headline_figures",
    "judge_outcome",
    "method_rows",
    "problem_rows",
    "round_rows",
    "setting_rows",
    "stage_rows",
    "warnings",
]

TEXT_COLUMNS = ("outcome", "difficulty", "platform", "month")
"""Of the table of problems; the others are numbers."""
OUTCOMES = {
    "right": ("right", "✓"),
    "wrong choice": ("wrong", "✗"),
    "no right sample": ("wrong", "✗"),
    "no public pass": ("wrong", "✗"),
    "error": ("wrong", "!"),
    "unfinished": ("none", "…"),
    "no hidden tests": ("none", "?"),
}
"""What became of a problem: class and sign."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table of problems."""

    text: str
    value: float | None = None
    """What a number is sorted by; None sorts by the text."""


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One row of the table of problems."""

    id: str
    outcome: str
    mark: str
    sign: str
    cells: tuple[Cell, ...]


def judge_outcome(run: Run, problem_id: str) -> str:
    """Where the problem was won or lost: a key of `OUTCOMES`."""
    if problem_id in run.errors:
        return "error"
    outcome = run.outcomes.get(problem_id)
    if outcome is None:
        return "unfinished"
    if not outcome.graded:
        return "no hidden tests"
    if outcome.is_right(outcome.chosen.get(run.select)):
        return "right"
    if any(sample.hidden == "AC" for sample in outcome.samples):
        return "wrong choice"
    return "no right sample" if outcome.solved else "no public pass"


def columns(scores: Scores) -> list[str]:
    """Of the table of problems: what all problems have in common is left out."""
    kinds = [kind for kind, groups in scores.groups.items() if len(groups) > 1]
    return [
        *("problem", "outcome", "confidence", "right samples", "public pass", "clusters"),
        *(*kinds, "tokens", "CPU s"),
    ]


def problem_rows(run: Run, scores: Scores) -> list[ProblemRow]:
    """In the order asked; the cells are those of `columns` after the first two."""
    result, kinds = [], [name for name in columns(scores) if name in scores.groups]
    for problem_id in run.problem_ids:
        outcome, keys = run.outcomes.get(problem_id), group_keys(run, problem_id)
        choice = run.choices.get(problem_id, {}).get(run.select)
        stages = run.stages.get(problem_id, {}).values()
        samples = outcome.samples if outcome else ()
        tokens = sum(count.prompt + count.output for count in stages)
        cpu_s = sum(count.cpu_s for count in stages)
        name = judge_outcome(run, problem_id)
        cells = (
            Cell(f"{choice.confidence:.2f}", choice.confidence) if choice else Cell("-", -1.0),
            _share(sum(sample.hidden == "AC" for sample in samples), len(samples)),
            _share(sum(sample.survives for sample in samples), len(samples)),
            Cell(str(len(choice.clusters)), len(choice.clusters)) if choice else Cell("-", -1.0),
            *(Cell(keys[kind]) for kind in kinds),
            Cell(f"{tokens:,}", tokens),
            Cell(f"{cpu_s:,.1f}", cpu_s),
        )
        result.append(ProblemRow(problem_id, name, *OUTCOMES[name], cells))
    return result


def _share(count: int, of: int) -> Cell:
    return Cell(f"{count}/{of}", count / of) if of else Cell("-", -1.0)


def count_outcomes(problems: Sequence[ProblemRow]) -> list[dict[str, Any]]:
    """Those that occur, for the filter."""
    counts = Counter(row.outcome for row in problems)
    return [{"name": name, "count": counts[name]} for name in OUTCOMES if counts[name]]


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


def headline_figures(run: Run, scores: Scores) -> list[dict[str, str]]:
    """The few numbers that are read first."""
    shown = [
        (f"{run.select} (selected@1)", scores.rates.get(run.select)),
        ("one sample (pass@1)", scores.rates.get("pass@1")),
        ("random of the best", scores.rates.get("random")),
        ("oracle (best choice)", scores.rates.get("oracle")),
        ("some sample passes public tests", scores.public),
    ]
    return [
        {"name": name, "value": percent(rate), "note": f"95%: {interval(rate)}" if interval(rate) else ""}
        for name, rate in shown
    ]


def warnings(scores: Scores) -> list[dict[str, Any]]:
    """What a reader has to know before believing a rate."""
    found: list[dict[str, Any]] = []
    if scores.errors:
        lines = [f"{problem_id}: {line}" for problem_id, line in scores.errors.items()]
        found.append(
            {"line": f"{len(lines)} problems errored and count as wrong in every rate.", "names": lines}
        )
    if scores.unfinished:
        count = len(scores.unfinished)
        names = ", ".join(scores.unfinished[:40]) + (f" and {count - 40} more" if count > 40 else "")
        line = f"{count} problems are unfinished and count as wrong in every rate."
        found.append({"line": line, "names": [names]})
    if scores.ungraded:
        found.append(
            {"line": f"{scores.ungraded} problems have no hidden tests and are in no rate.", "names": []}
        )
    return found


def of_graded_alone(run: Run, scores: Scores) -> str:
    """A sentence with the rate that leaves out errors and unfinished problems; empty where there are none."""
    rate = scores.of_graded.get(run.select)
    if rate is None or scores.graded == scores.asked:
        return ""
    return f" Of the {scores.graded} graded problems alone: {percent(rate)} ({interval(rate)})."


def round_rows(scores: Scores) -> list[dict[str, str]]:
    """Rates after each round, with intervals."""
    return [
        {
            "name": f"debug round {row.round}" if row.round else "first answers",
            "public": _short(row.public),
            "oracle": _short(row.oracle),
            "sample": _short(row.sample),
        }
        for row in scores.rounds
    ]


def _short(rate: Rate) -> str:
    return f"{100 * rate.value:.1f}% ({100 * rate.low:.0f} to {100 * rate.high:.0f})"


def method_rows(run: Run, scores: Scores) -> list[dict[str, Any]]:
    """Every method on the same candidates."""
    rows = []
    for name, rate in scores.rates.items():
        gain = scores.gains.get(name)
        words = f"{points(gain)} ({points_interval(gain)})" if gain else ""
        rows.append(
            {
                "label": label(name),
                "value": percent(rate),
                "interval": interval(rate),
                "gain": words,
                "chosen": name == run.select,
            }
        )
    return rows


def calibration_words(calibration: Calibration) -> dict[str, str]:
    """Its numbers, ready to print."""
    return {
        "error": f"{calibration.error:.3f}",
        "brier": f"{calibration.brier:.3f}",
        "choices": str(calibration.choices),
    }


def stage_rows(run: Run) -> list[list[str]]:
    """Cost by stage and in all."""
    rows = []
    for name, count in ordered_stages(run).items():
        whole = (count.calls, count.prompt, count.output)
        rows.append(
            [
                *(name, *(f"{number:,}" for number in whole)),
                *(f"{count.seconds:,.1f}", f"{count.executions:,}", f"{count.cpu_s:,.1f}"),
            ]
        )
    return rows


def setting_rows(run: Run) -> list[tuple[str, str]]:
    """The manifest, without the list of problems."""
    rows = [(key, str(value)) for key, value in run.config.items() if key not in ("problems", "label")]
    rows += [(f"version of {key}", str(value)) for key, value in run.manifest.get("versions", {}).items()]
    rows += [("servers", str(server)) for server in run.manifest.get("servers", [])]
    return [*rows, ("command", " ".join(map(str, run.manifest.get("command", []))))]


def about(run: Run, scores: Scores) -> dict[str, str]:
    """Title and sentences."""
    config, total = run.config, run.total.values()
    tokens = sum(count.prompt + count.output for count in total)
    unknown = sum(count.unknown for count in total)
    chosen, single = scores.rates.get(run.select), scores.rates.get("pass@1")
    solved = round(chosen.value * chosen.problems) if chosen else 0
    span = "no answers"
    if run.answered:
        first, last = (moment[:16].replace("T", " ") for moment in run.answered)
        span = f"{first} to {last} UTC"
    cost = f"{sum(count.calls for count in total):,} model calls, {tokens:,} tokens"
    cost += f" ({unknown:,} calls without token counts)" if unknown else ""
    spent = run.summary.get("cost", {}).get("total")
    cost += f", cost {spent:.4g}" if spent is not None else ""
    cost += f", {sum(count.executions for count in total):,} runs of programs. First to last answer: {span}."
    sentence = "Nothing is graded yet."
    if chosen and single and chosen.problems:
        sentence = (
            f"{run.select} chose a right program for {solved} of {chosen.problems} problems; one sample "
            f"alone is right for {percent(single)} of them, the best possible choice for "
            f"{percent(scores.rates.get('oracle'))}."
        )
    sentence += of_graded_alone(run, scores)
    return {
        "title": f"{config.get('label', run.name)}",
        "subtitle": f"{config.get('n')} samples, {config.get('rounds')} debug rounds, temperature "
        f"{config.get('temperature')}, seed {config.get('seed')}, selection {run.select}; "
        f"{len(run.problem_ids)} problems; {span}",
        "sentence": sentence,
        "cost": cost,
    }
