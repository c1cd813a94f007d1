"""`sstar report`: what runs came to, and how two differ."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import run_async, say
from sstar_code.agent.cli.options import PromptsOpt, grouped
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.report.data.run import Run
    from sstar_code.problems import Problem

FORMATS = ("md", "json", "junit")


@grouped
def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders of `sstar eval`, also of one going on."),
    ],
    *,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="What is printed: md, json or junit.")
    ] = "md",
    page: Annotated[
        Path | None, typer.Option("--page", help="Where the page goes.  (default: report.html in RUN)")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Also draw a figure: .png, .svg or .pdf (extra plot)."),
    ] = None,
    problem_set: Annotated[
        str | None,
        typer.Option(
            "--set", metavar="SET", help="The problems, where the run's own file is not there any more."
        ),
    ] = None,
    add_method: Annotated[
        list[str] | None,
        typer.Option(
            "--add-method",
            metavar="METHOD",
            help="First let this method choose too, on the run's candidates, or `all`; repeat it for more.",
        ),
    ] = None,
    templates: PromptsOpt = None,
    endpoint: Endpoint,
    budget: Budget,
    sandbox: SandboxChoice,
) -> int:
    """Tell what a run came to and write its page; of several runs, what the others changed against the first.

    Example: sstar report runs/demo --format md
    """
    if format_ not in FORMATS:
        raise UserError(f"--format {format_!r}: it must be one of {', '.join(FORMATS)}")
    several = len(runs) > 1
    if several and (format_ == "junit" or page or plot or add_method):
        raise UserError("--format junit, --page, --plot and --add-method are for one run")
    if add_method:
        from sstar_code.agent.jobs.add_methods import add_methods, check_methods
        from sstar_code.agent.jobs.session import open_session
        from sstar_code.agent.prompts.templates import Prompts
        from sstar_code.agent.run.folder import read_evaluation

        asked, prompts = (None if endpoint.model is None else endpoint), Prompts(templates)
        methods, problems = check_methods(add_method), _find(runs[0], problem_set)
        if not problems:
            raise UserError(f"{runs[0]}: --add-method needs the problems; name their set with --set")
        config = read_evaluation(runs[0])["config"]
        _say_differences(asked, prompts, config)
        opening = open_session(runs[0], sandbox, say, endpoint=asked, budget=budget)
        count = run_async(lambda: add_methods(opening, methods, problems, config, prompts))
        say(f"sstar: {', '.join(methods)}: new choices for {count} problems")
    with ExitStack() as stack:
        from sstar_code.agent.report.data.run import open_run

        opened = [stack.enter_context(open_run(folder, _find(folder, problem_set))) for folder in runs]
        if several:
            _compare(opened, as_json=format_ == "json")
        else:
            _report(opened[0], format_, page, plot)
    return 0


def _find(folder: Path, spec: str | None) -> dict[str, Problem]:
    from sstar_code.agent.report.data.run import find_problems
    from sstar_code.agent.run.folder import read_evaluation

    return find_problems(read_evaluation(folder), spec, say)


def _report(run: Run, format_: str, page: Path | None, plot: Path | None) -> None:
    from sstar_code.agent.report.data.scores import count_scores
    from sstar_code.agent.report.render.page import build_page
    from sstar_code.agent.report.render.tables import run_as_json, run_as_junit, run_as_markdown
    from sstar_code.agent.run.files import write_text

    scores = count_scores(run)
    if format_ == "json":
        typer.echo(json.dumps(run_as_json(run, scores)))
    else:
        typer.echo(run_as_markdown(run, scores) if format_ == "md" else run_as_junit(run), nl=False)
    if plot is not None:
        from sstar_code.agent.report.render.figures import draw_figure

        draw_figure(run, scores, plot)
    place = page or run.folder / "report.html"
    write_text(place, build_page(run, scores))
    say(f"sstar: page {place}")


def _compare(opened: list[Run], *, as_json: bool) -> None:
    from sstar_code.agent.report.data.scores import compare_runs
    from sstar_code.agent.report.render.tables import compare_as_markdown

    found = [compare_runs(opened[0], other) for other in opened[1:]]
    for one in found:
        if one.only_first or one.only_second:
            say(
                f"sstar: {one.second} and {one.first} were not asked the same: compared on {one.common} "
                f"common problems; only in the first: {one.only_first}, only in the second: {one.only_second}"
            )
    if as_json:
        rows: list[dict[str, Any]] = [one.as_json() for one in found]
        typer.echo(json.dumps(rows[0] if len(rows) == 1 else rows))
    else:
        typer.echo("\n".join(compare_as_markdown(one) for one in found), nl=False)


def _say_differences(endpoint: Endpoint | None, prompts: Prompts, config: dict[str, Any]) -> None:
    """Tell how what is asked now differs from the run."""
    if endpoint is None:
        say("sstar: no model given (-m), so choosing on free evidence only")
        return
    if endpoint.model != config.get("model"):
        say(f"sstar: the run's model was {config.get('model')}, asking {endpoint.model}")
    if prompts.digest != config.get("prompts"):
        say("sstar: the run had other prompts; name their folder with --prompts to ask as it did")
