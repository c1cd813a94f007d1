"""The tables of a run for the page, and the run as Markdown, JSON and JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from sstar_code.agent.report.data.curves import calibrate, trace_abstention
from sstar_code.agent.report.data.scores import group_keys
from sstar_code.agent.report.markup import Case, escape_markdown, escape_names, write_junit, write_table
from sstar_code.agent.report.render.abstention import abstention_as_markdown
from sstar_code.agent.run.outcomes import add_up, mean_score
from sstar_code.agent.run.summary import LABELS

if TYPE_CHECKING:
    from sstar_code.agent.report.data.run import Choice, Run
    from sstar_code.agent.report.data.scores import Scores
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


def name_run(run: Run) -> str:
    """Set and model in words, or the label where neither is known."""
    return ", ".join(filter(None, (run.set_name, run.model))) or run.label


def list_settings(run: Run) -> list[str]:
    """What the run was asked to do, in words; only what its command has."""
    config = run.config
    words = {
        "n": "{} samples",
        "rounds": "{} debug rounds",
        "temperature": "temperature {}",
        "seed": "seed {}",
        "select": "selection {}",
    }
    known = {text: config[key] for key, text in words.items() if key in config}
    told = [text.format(value).removesuffix("s" * (value == 1)) for text, value in known.items()]
    ways = [f"{name} {value}" for name, value in name_ways(config).items()] if "n" in config else []
    return [f"sstar {run.kind}", *told, *ways]


def name_ways(config: Mapping[str, Any]) -> dict[str, str]:
    """Strategy, style and models of roles by a run's configuration, which leaves out what is usual."""
    usual = {"strategy": "sample" if config.get("least") is None else "waves", "style": "cot"}
    chosen = {name: str(config[name]) for name in (*usual, "lessons") if name in config}
    roles = config.get("role_models")
    named = roles.items() if isinstance(roles, Mapping) else ()
    return usual | chosen | {str(role): str(model) for role, model in named}


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
    if outcome.count_right() or not outcome.is_whole:
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
            "confidence": _show_confidence(choice),
            "right samples": _share(outcome.count_right() if outcome else 0, len(samples)),
            "public pass": _share(sum(sample.survives for sample in samples), len(samples)),
            "clusters": Cell(str(len(choice.clusters)), len(choice.clusters)) if choice else _NOTHING,
            **{kind: Cell(keys[kind]) for kind in kinds},
            "tokens": Cell(f"{total.tokens:,}", total.tokens),
            "CPU s": Cell(f"{total.cpu_s:,.1f}", total.cpu_s),
        }
        result.append(ProblemRow(problem_id, judge_outcome(run, problem_id), cells))
    return result


def _show_confidence(choice: Choice | None) -> Cell:
    if choice is None or choice.confidence is None:
        return _NOTHING if choice is None else Cell("not known", -0.5)
    return Cell(f"{choice.confidence:.2f}", choice.confidence)


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


def difference_table(scores: Scores) -> Table:
    """What the choice of the run gains over every other rate, paired by problem."""
    rows = []
    for line in scores.differences:
        p, test = line.p_and_test
        rows.append(
            [
                LABELS.get(line.name, line.name),
                *(points(line.difference), points_interval(line.difference)),
                *(str(len(line.won)), str(len(line.lost)), f"{p:.2g}", test),
            ]
        )
    return Table(("selected@1 less", "points", "95% interval", "won", "lost", "p", "test"), rows)


def method_cost_table(run: Run) -> Table:
    """What each method needs for a choice, as if it were the only one; left out where that is nothing."""
    methods = dict.fromkeys(name for choices in run.choices.values() for name in choices)
    rows = []
    for name in methods:
        made = [choices[name] for choices in run.choices.values() if name in choices]
        each = [sum(getattr(item, key) for item in made) / len(made) for key in _METHOD_COSTS]
        if any(each):
            rows.append([LABELS.get(name, name), str(len(made)), *(f"{value:,.1f}" for value in each)])
    heads = ("method", "choices", "calls each", "tokens each", "runs each")
    return Table(heads, rows)


_AT_K = ("k", "pass@k", "95% interval", "oracle of k, debugged", "95% interval")
_METHOD_COSTS = ("calls", "tokens", "executions")


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


def describe_added(run: Run) -> list[str]:
    """A line on the work of methods that were added later, which no other number has in it."""
    total = add_up(run.added.values())
    if not run.added:
        return []
    work = f"{total.calls:,} calls, {total.tokens:,} tokens and {total.executions:,} runs of programs"
    return [f"Methods that were added later needed {work}; they are in no other number.", ""]


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
    names = [escape_markdown(row[0]) for row in methods.rows]
    if methods.chosen is not None:
        names[methods.chosen] = f"**{escape_markdown(run.select)}** (selected@1)"
    method_rows = [[name, *row[1:]] for name, row in zip(names, methods.rows, strict=True)]
    stages, differences, costs = stage_table(run), difference_table(scores), method_cost_table(run)
    at_k = [
        [
            str(k),
            *(words(at.get(k)) for at in (scores.pass_at, scores.oracle_at) for words in (percent, interval)),
        ]
        for k in scores.pass_at or scores.oracle_at
    ]
    denominator = (
        f"{len(count.scores)} problems in the rates, {len(count.graded)} graded, {len(count.errors)} errors "
        f"and {len(count.unfinished)} unfinished (wrong in every rate), {count.ungraded} without hidden "
        "tests (in no rate)."
    )
    if run.kind == "solve":
        denominator = "Nothing is graded: `solve` looks at public tests alone."
    parts = [
        f"# {escape_markdown(name_run(run))}",
        "",
        denominator + describe_graded(run, scores),
        "",
        *(f"- {escape_markdown(line)}" for line in run.about),
        "",
        *(write_table(methods.heads, method_rows) if method_rows else ()),
        *(write_table(differences.heads, escape_names(differences.rows)) if differences.rows else ()),
        *(write_table(_AT_K, at_k) if at_k else ()),
        *abstention_as_markdown(run),
        *(write_table(rounds.heads, rounds.rows) if rounds.rows else ()),
    ]
    for kind, groups in scores.groups.items():
        rows = [
            [
                *(escape_markdown(group.name), str(group.problems)),
                *(f"{percent(rate)} ({interval(rate)})" for rate in group.rates.values()),
            ]
            for group in groups
        ]
        heads = (kind, "problems", *groups[0].rates)
        parts += write_table([escape_markdown(head) for head in heads], rows)
    parts += write_table(stages.heads, escape_names(stages.rows))
    parts += describe_added(run)
    if costs.rows:
        parts += write_table(costs.heads, escape_names(costs.rows))
    parts += [f"- error: {escape_markdown(f'{one}: {line}')}" for one, line in count.errors.items()]
    if count.unfinished:
        parts.append(f"- unfinished: {escape_markdown(list_names(count.unfinished))}")
    return "\n".join(parts).rstrip() + "\n"


def run_as_json(run: Run, scores: Scores) -> dict[str, Any]:
    """Everything that is counted; rates are 0..1 with their intervals."""
    count, counted = run.count, asdict(scores)
    for name, key in (("pass_at", "pass@k"), ("oracle_at", "oracle@k")):
        counted[key] = {str(k): rate for k, rate in counted.pop(name).items()}
    return {
        "run": str(run.folder),
        "command": run.kind,
        "set": run.set_name,
        "which_set": run.which_set.as_json(),
        **({"preset": dict(run.preset)} if run.preset else {}),
        "model": run.model,
        "select": run.select,
        "selected": None if run.choice_cost is None else asdict(run.choice_cost),
        "seconds": run.summary.get("seconds"),
        **({"thinking": run.underthinking.as_json()} if run.underthinking else {}),
        "asked": len(count.scores),
        "graded": len(count.graded),
        "errors": count.errors,
        "unfinished": count.unfinished,
        **mean_score(count.ended, "" if run.kind == "grade" else run.select),
        "ungraded": count.ungraded,
        **counted,
        "calibration": asdict(calibrate(run, run.select)),
        "abstention": [asdict(row) for row in trace_abstention(run, run.select)],
        "stages": {name: asdict(stage) for name, stage in ordered_stages(run).items()},
        "added_methods": {name: asdict(stage) for name, stage in run.added.items()},
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
