"""`sstar eval`: generate, debug, select and grade a set; the same command again resumes."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import (
    load_problems,
    note_set,
    put,
    put_json,
    run_async,
    say,
    say_failed,
    show_estimate,
)
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import (
    DataOptions,
    DryRunOpt,
    ModelsOpt,
    OutputOptions,
    PresetOpt,
    PromptsOpt,
    SetsArg,
)
from sstar_code.agent.cli.preset import choose_prompts, note_preset
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from sstar_code.agent.jobs.merge_runs import Shard
    from sstar_code.agent.run.summary import Summary
    from sstar_code.problems import Problem
    from sstar_code.problems.sets.load import ProblemSet


@grouped
def command(
    problem_sets: SetsArg,
    *,
    models: ModelsOpt = None,
    retry: Annotated[
        str | None,
        typer.Option(
            "--retry", metavar="errors", help="Ask calls that failed for good again; the rest is kept."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            envvar="SSTAR_SHARD",
            help="Only the K-th of N parts of the problems; `sstar merge` makes one run of the parts.",
        ),
    ] = None,
    dry_run: DryRunOpt = False,
    templates: PromptsOpt = None,
    preset: PresetOpt = None,
    endpoint: Annotated[Endpoint, "-model"],
    budget: Budget,
    prices: Prices,
    settings: Settings,
    data: DataOptions,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Solve every problem of a set and grade what was chosen; the same command again resumes.

    Example: sstar eval examples -m replay:examples --n 6
    """
    from sstar_code.agent.jobs.merge_runs import Shard

    if retry not in (None, "errors"):
        raise UserError(f"--retry {retry!r}: the only value is `errors`")
    runs = [
        _Run(spec, replace(endpoint, model=model))
        for spec in dict.fromkeys(problem_sets)
        for model in _read_models(models)
    ]
    several = len(runs) > 1
    if several and endpoint.record is not None:
        raise UserError("--record is for one set and one model: a file holds the calls of one run")
    part = None if shard is None else Shard.parse(shard)
    choices = _Choices(retry, part, templates, preset, budget, prices, settings, data, sandbox, output, watch)
    if dry_run:
        for run in runs:
            _estimate(run, choices)
        return 0
    ended = []
    for number, run in enumerate(runs, start=1):
        if several:
            say(f"sstar: {number} of {len(runs)}: {run.problem_set}, {run.endpoint.require_model()}")
        begun = _begin(run, choices, several=several)
        summary = run_async(begun.work)
        _show(begun, summary, choices)
        ended.append((run, begun.folder, summary))
    if several:
        _report_all(ended, output)
    elif output.json_:
        put_json(ended[0][2].headline())
    return 3 if any(summary.count.errors for _, _, summary in ended) else 0


@dataclass(frozen=True, slots=True)
class _Run:
    """One set and one model."""

    problem_set: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class _Choices:
    """What all runs of one command have in common."""

    retry: str | None
    part: Shard | None
    templates: Path | None
    preset: str | None
    budget: Budget
    prices: Prices
    settings: Settings
    data: DataOptions
    sandbox: SandboxChoice
    output: OutputOptions
    watch: Watch


def _read_models(models: list[str] | None) -> list[str | None]:
    """The models named. A variable names one, though typer takes its words for several."""
    variable = os.environ.get("SSTAR_MODEL", "")
    if models and models == variable.split():
        return [variable.strip()]
    return list(dict.fromkeys(models or [])) or [None]


def _load(run: _Run, choices: _Choices) -> tuple[ProblemSet, list[Problem], list[Problem]]:
    """The set, the problems of it that were asked for, and those of this part."""
    part = choices.part
    whole, asked_for = load_problems(run.problem_set, choices.data)
    problems = asked_for if part is None else part.take(asked_for)
    if not problems:
        raise UserError(f"--shard {part}: there are only {len(asked_for)} problems")
    return whole, asked_for, problems


def _estimate(run: _Run, choices: _Choices) -> None:
    """Print what one set with one model would cost."""
    label, settings = run.endpoint.require_model(), choices.settings
    show_estimate(
        _load(run, choices)[2],
        settings,
        choose_prompts(choices.templates, choices.preset, run.endpoint.model),
        model=label,
        prices=choices.prices,
        methods=dict.fromkeys(("majority", settings.select)),
        as_json=choices.output.json_,
    )


@dataclass(frozen=True, slots=True)
class _Begun:
    """A run whose folder is open."""

    folder: Path
    problems: list[Problem]
    work: Callable[[], Coroutine[Any, Any, Summary]]


def _begin(run: _Run, choices: _Choices, *, several: bool) -> _Begun:
    """Load the set and open the run folder; one of several runs has a folder of its own in `--out`."""
    from sstar_code.agent.jobs.evaluate import evaluate_run
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.run.folder import default_folder
    from sstar_code.agent.run.prices import choose_prices

    endpoint, settings, output, part = run.endpoint, choices.settings, choices.output, choices.part
    label = endpoint.require_model()
    prompts = choose_prompts(choices.templates, choices.preset, endpoint.model)
    whole, asked_for, problems = _load(run, choices)
    _say_untested(problems)
    prices = choose_prices(choices.prices, label)
    config = make_config(
        f"{whole.name}-{label}",
        endpoint,
        prompts,
        set=whole.revision,
        problems=[problem.id for problem in asked_for],
        **settings.as_json(),
        **({} if part is None else {"shard": str(part)}),
        **({} if choices.preset is None else {"preset": choices.preset}),
    )
    about = {
        **note_set(whole, asked_for, choices.data),
        "base_url": list(endpoint.base_urls),
        **note_preset(choices.preset, settings, endpoint, prompts, whole.name),
    }
    out = output.out / default_folder("eval", config).name if several and output.out else output.out
    folder = open_run("eval", config, out, fresh=output.fresh, say=say, **about)
    opening = open_session(
        folder,
        choices.sandbox,
        say,
        endpoint=endpoint,
        budget=choices.budget,
        watch=choices.watch,
        quiet=output.json_,
    )
    work = partial(
        evaluate_run,
        opening,
        problems,
        settings,
        prompts,
        prices=prices,
        judged_on=asked_for,
        retry_errors=choices.retry == "errors",
    )
    return _Begun(folder, problems, work)


def _show(begun: _Begun, summary: Summary, choices: _Choices) -> None:
    """Show the table of a run and write its page."""
    from sstar_code.agent.report.render.page import write_page

    settings, problems = choices.settings, begun.problems
    if summary.failed_calls:
        drawn = settings.n * len(problems)
        if settings.least is not None:
            first = summary.stages.get("generate")
            drawn = max(len(summary.failed_calls), first.calls if first else 0)
        say_failed(summary.failed_calls, drawn)
    if not choices.output.json_:
        print_table(summary)
    say(f"sstar: page {write_page(begun.folder, {problem.id: problem for problem in problems})}")


def _report_all(ended: list[tuple[_Run, Path, Summary]], output: OutputOptions) -> None:
    """One table of all runs, and what the later ones changed against the first."""
    from sstar_code.agent.report.data.run import open_run
    from sstar_code.agent.report.data.scores import count_scores
    from sstar_code.agent.report.render.many import many_as_markdown
    from sstar_code.agent.run.files import write_text

    with ExitStack() as stack:
        opened = [stack.enter_context(open_run(folder)) for _, folder, _ in ended]
        text = many_as_markdown([(run, count_scores(run)) for run in opened])
    if output.json_:
        rows = [
            {"run": str(folder), "set": run.problem_set, "model": run.endpoint.model, **summary.headline()}
            for run, folder, summary in ended
        ]
        put_json({"runs": rows})
    else:
        put(text.removesuffix("\n"))
    if output.out is not None:
        write_text(output.out / "report.md", text)
        say(f"sstar: report {output.out / 'report.md'}")
    else:
        say(f"sstar: the same again: sstar report {' '.join(str(folder) for _, folder, _ in ended)}")


def _say_untested(problems: list[Problem]) -> None:
    for kind, tested, so in (
        ("public", [bool(problem.public_tests) for problem in problems], "nothing is debugged there"),
        ("hidden", [bool(problem.hidden_tests) for problem in problems], "they are in no rate"),
    ):
        if not all(tested):
            say(f"sstar: {tested.count(False)} of {len(problems)} problems have no {kind} tests; {so}")


def print_table(summary: Summary) -> None:
    """Every method on the same candidates, with 95% intervals and denominators."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sstar_code.agent.run.history.which_set import tell_preset
    from sstar_code.agent.run.summary import LABELS
    from sstar_code.problems.plain_text import escape_line

    table = Table(title="pass rate on the hidden tests, same candidates", title_justify="left")
    table.add_column("choice")
    table.add_column("rate", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("problems", justify="right")
    for name, rate in summary.rates.items():
        label = escape(escape_line(LABELS.get(name, name)))
        if not rate.problems:
            table.add_row(label, "-", "-", "0")
            continue
        is_choice = name == summary.select
        table.add_row(
            f"{label} (selected@1)" if is_choice else label,
            f"{100 * rate.value:.1f}%",
            f"{100 * rate.low:.1f} - {100 * rate.high:.1f}",
            str(rate.problems),
            style="bold" if is_choice else None,
        )
    console = Console()
    if any(rate.problems for rate in summary.rates.values()):
        console.print(table)
    told = [] if summary.which_set is None else [f"set: {summary.which_set}"]
    told += [f"preset: {tell_preset(summary.preset)}"] if summary.preset else []
    if summary.choice_cost is not None:
        told.append(f"pass@1: the model's first answers alone, no test used; {summary.choice_cost}")
    for line in told:
        console.print(escape_line(line), markup=False, highlight=False, soft_wrap=True)
    count, tokens = summary.count, summary.headline()["tokens"]
    unknown = (
        f" ({tokens['unknown_calls']} calls without token counts: estimated)"
        if tokens["unknown_calls"]
        else ""
    )
    console.print(
        f"{len(count.problem_ids)} problems: {summary.public_solved} with a sample that passes the public "
        f"tests, {len(count.errors)} errors, {count.ungraded} without hidden tests, "
        f"{len(count.unfinished)} unfinished",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{tokens['calls']} model calls, {tokens['prompt']:,} prompt and {tokens['output']:,} output tokens"
        f"{unknown}, {summary.cost}, {summary.seconds:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    cut = sum(stage.cut_thinking for stage in summary.stages.values())
    if cut:
        console.print(
            f"{cut} answers were cut while thinking: raise --max-tokens, or give --max-thinking",
            highlight=False,
            soft_wrap=True,
        )
    thought = sum(stage.only_thinking for stage in summary.stages.values())
    if thought:
        console.print(
            f"{thought} answers were thinking alone, in which the last program counts: the server may not "
            "know where this model's thinking ends",
            highlight=False,
            soft_wrap=True,
        )
    for line in summary.adjustments:
        console.print(f"not as asked: {line}", markup=False, highlight=False, soft_wrap=True)
    for problem_id, line in count.errors.items():
        console.print(
            escape_line(f"error: {problem_id}: {line}"), markup=False, highlight=False, soft_wrap=True
        )
