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
    equip,
    load_problems,
    note_set,
    put,
    put_json,
    run_async,
    say,
    say_failed,
    show_estimate,
)
from sstar_code.agent.cli.display.summary import print_summary
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions, OutputOptions
from sstar_code.agent.cli.options.arguments import DryRunOpt, ModelsOpt, PresetOpt, PromptsOpt, SetsArg
from sstar_code.agent.cli.samples import refuse_functions
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch, serve_for
from sstar_code.agent.robustness.attacks import read_attacks
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError
from sstar_code.sandbox.languages.table import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from sstar_code.agent.jobs.merge_runs import Shard
    from sstar_code.agent.robustness.attacks import Attack
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
    methods_with_model: Annotated[
        bool,
        typer.Option(
            "--methods-with-model",
            help="Methods reported beside --select may ask the model too, not use free evidence alone.",
        ),
    ] = False,
    attack: Annotated[
        str | None,
        typer.Option(
            "--attack",
            metavar="NAME,...",
            help="Run it under harmless attacks too, or `all`, and tell how many chosen programs obey.",
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

    settings = replace(settings, methods_with_model=methods_with_model)
    if settings.language != PYTHON:
        sandbox = replace(sandbox, languages=(settings.language,))
    if retry not in (None, "errors"):
        raise UserError(f"--retry {retry!r}: the only value is `errors`")
    runs = [
        _Run(spec, replace(endpoint, model=model))
        for spec in dict.fromkeys(problem_sets)
        for model in _read_models(models)
    ]
    if attack is not None:
        if len(runs) > 1 or retry or shard or endpoint.record:
            raise UserError("--attack is for one set and one model, without --retry, --shard and --record")
        runs = [replace(runs[0], attack=one) for one in read_attacks(attack)]
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
            say(f"sstar: {number} of {len(runs)}: {run}")
        begun = _begin(run, choices, several=several)
        summary = run_async(begun.work)
        _show(begun, summary, choices, table=attack is None)
        ended.append((run, begun.folder, summary))
    _report_all(ended, choices, several=several)
    return 3 if any(summary.count.errors for _, _, summary in ended) else 0


@dataclass(frozen=True, slots=True)
class _Run:
    """One set and one model."""

    problem_set: str
    endpoint: Endpoint
    attack: Attack | None = None

    def __str__(self) -> str:
        under = "" if self.attack is None else f", attack {self.attack.name}"
        return f"{self.problem_set}, {self.endpoint.require_model()}{under}"


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
    refuse_functions(problems, choices.settings.language, f"--language {choices.settings.language}")
    if run.attack is not None:
        asked_for = problems = [run.attack.apply(problem) for problem in problems]
    return whole, asked_for, problems


def _estimate(run: _Run, choices: _Choices) -> None:
    """Print what one set with one model would cost."""
    from sstar_code.agent.solving.presets import choose_prompts

    label, settings = run.endpoint.require_model(), choices.settings
    show_estimate(
        _load(run, choices)[2],
        settings,
        choose_prompts(choices.templates, choices.preset, run.endpoint.model, settings.language),
        model=label,
        prices=choices.prices,
        methods=dict.fromkeys(
            ("majority", settings.select) if settings.methods_with_model else (settings.select,)
        ),
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
    from sstar_code.agent.jobs.session import check_endpoint, make_config, open_run, open_session
    from sstar_code.agent.run.folder import default_folder
    from sstar_code.agent.run.prices import choose_prices
    from sstar_code.agent.solving.presets import choose_prompts, note_preset
    from sstar_code.problems.sets.load import name_set
    from sstar_code.problems.sets.releases import find_missing

    settings, output, part = choices.settings, choices.output, choices.part
    endpoint = serve_for(run.endpoint, settings)
    label = endpoint.require_model()
    prompts = choose_prompts(choices.templates, choices.preset, endpoint.model, settings.language)
    if find_missing(name_set(run.problem_set)) is not None:  # gigabytes, which a wrong name would waste
        run_async(lambda: check_endpoint(endpoint))
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
        **({} if run.attack is None else {"attack": run.attack.name}),
    )
    about = {
        **note_set(whole, asked_for, choices.data),
        "base_url": list(endpoint.base_urls),
        **note_preset(choices.preset, settings, endpoint, prompts, whole.name),
    }
    name = default_folder("eval", config).name if run.attack is None else run.attack.name
    out = output.out / name if several and output.out else output.out
    folder = open_run("eval", config, out, fresh=output.fresh, say=say, **about)
    opening = open_session(
        folder,
        equip(choices.sandbox, problems),
        say,
        endpoint=endpoint,
        budget=choices.budget,
        watch=choices.watch,
        quiet=output.json_,
        **({} if run.attack is None else {"wrap": partial(run.attack.wrap, problems=problems)}),
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


def _show(begun: _Begun, summary: Summary, choices: _Choices, *, table: bool) -> None:
    """Show the table of a run and write its page."""
    from sstar_code.agent.report.render.page import write_page

    settings, problems = choices.settings, begun.problems
    if summary.failed_calls:
        drawn = settings.n * len(problems)
        if settings.least is not None:
            first = summary.stages.get("generate")
            drawn = max(len(summary.failed_calls), first.calls if first else 0)
        say_failed(summary.failed_calls, drawn)
    if table and not choices.output.json_:
        print_summary(summary)
    say(f"sstar: page {write_page(begun.folder, {problem.id: problem for problem in problems})}")


def _report_all(ended: list[tuple[_Run, Path, Summary]], choices: _Choices, *, several: bool) -> None:
    """What stands below the tables of the runs: of attacks their matrix, of several runs one table."""
    if ended[0][0].attack is not None:
        _report_attacks(ended, choices)
    elif several:
        _report_several(ended, choices.output)
    elif choices.output.json_:
        put_json(ended[0][2].headline())


def _report_several(ended: list[tuple[_Run, Path, Summary]], output: OutputOptions) -> None:
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


def _report_attacks(ended: list[tuple[_Run, Path, Summary]], choices: _Choices) -> None:
    """The matrix of all attacks."""
    from sstar_code.agent.cli.display.table import put_table
    from sstar_code.agent.robustness import matrix
    from sstar_code.agent.run.files import write_text

    settings, output = choices.settings, choices.output
    folders = [(run.attack, folder) for run, folder, _ in ended if run.attack is not None]
    rows = matrix.read_matrix(folders, settings.n)
    if output.json_:
        put_json(matrix.matrix_as_json(rows))
    else:
        heads, cells = matrix.matrix_as_cells(rows, settings.select)
        put_table(heads, cells, right=heads[1:])
        put("\n".join(matrix.list_notes(rows)))
    if output.out is not None:
        run = ended[0][0]
        title = f"{run.problem_set}, {run.endpoint.require_model()}"
        write_text(output.out / "attacks.md", matrix.matrix_as_markdown(rows, settings.select, title))
        say(f"sstar: matrix {output.out / 'attacks.md'}")


def _say_untested(problems: list[Problem]) -> None:
    for kind, tested, so in (
        ("public", [bool(problem.public_tests) for problem in problems], "nothing is debugged there"),
        ("hidden", [bool(problem.hidden_tests) for problem in problems], "they are in no rate"),
    ):
        if not all(tested):
            say(f"sstar: {tested.count(False)} of {len(problems)} problems have no {kind} tests; {so}")
