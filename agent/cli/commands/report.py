"""`sstar report`: what runs came to, and how they differ."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import put, run_async, say
from sstar_code.agent.cli.commands.run_folders.compare import show_comparison
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options.arguments import ProblemSetOpt, PromptsOpt
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice
from sstar_code.problems import UserError
from sstar_code.problems.plain_text import dump_json

if TYPE_CHECKING:
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.report.data.run import Run
    from sstar_code.agent.report.data.scores import Scores
    from sstar_code.problems import Problem

FORMATS = ("md", "json", "csv", "latex", "junit")


@grouped
def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run folders of eval, solve, select and grade, also of one going on; or one of compare.",
        ),
    ],
    *,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=f"What is printed: {', '.join(FORMATS)}.")
    ] = "md",
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="Where the page goes.  (default: report.html in RUN)"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Also draw a figure: .png, .svg or .pdf (extra plot)."),
    ] = None,
    problem_set: ProblemSetOpt = None,
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
    """Tell what a run came to and write its page; of several, one table and what differs from the first.

    Example: sstar report runs/demo --format md
    """
    from sstar_code.agent.comparison.arms import is_comparison

    if format_ not in FORMATS:
        raise UserError(f"--format {format_!r}: it must be one of {', '.join(FORMATS)}")
    if any(map(is_comparison, runs)):
        if len(runs) > 1 or format_ not in ("md", "json") or page or plot or add_method:
            raise UserError(
                f"{next(filter(is_comparison, runs))}: a comparison is reported alone, with --format md or "
                "json; its figure is comparison.svg in its folder"
            )
        show_comparison(runs[0], format_)
        return 0
    several = len(runs) > 1
    if several and (format_ == "junit" or page or add_method):
        raise UserError("--format junit, --page and --add-method are for one run")
    if plot is not None:
        from sstar_code.agent.report.render.plot import check_plot

        check_plot(plot)
    if add_method:
        from sstar_code.agent.jobs.add_methods import add_methods, check_methods
        from sstar_code.agent.jobs.session import open_session
        from sstar_code.agent.models.recorded import find_prompts
        from sstar_code.agent.prompts.templates import Prompts
        from sstar_code.agent.run.folder import read_evaluation

        asked = None if endpoint.model is None else endpoint
        prompts = Prompts(templates or find_prompts(endpoint.model))
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
        _report(opened, format_, page, plot)
    return 0


def _find(folder: Path, spec: str | None) -> dict[str, Problem]:
    from sstar_code.agent.report.data.run import find_problems
    from sstar_code.agent.run.history.kinds import read_run

    return find_problems(read_run(folder)[1], spec, say)


def _report(opened: list[Run], format_: str, page: Path | None, plot: Path | None) -> None:
    from sstar_code.agent.report.data.scores import count_scores

    pairs = [(run, count_scores(run)) for run in opened]
    text = _write(pairs, format_)
    if format_ == "md" and sys.stdout.isatty():
        from sstar_code.agent.cli.display.markdown import put_markdown

        put_markdown(text)
    else:
        put(text.removesuffix("\n"))
    if plot is not None:
        from sstar_code.agent.report.render.plot import draw_plot

        draw_plot(pairs, plot)
        say(f"sstar: figure {plot}")
    if len(pairs) > 1:
        _say_apart(opened)
    elif opened[0].kind == "grade":
        say("sstar: no page: a run of grade has verdicts alone; verdicts.jsonl has each")
    else:
        from sstar_code.agent.report.render.page import build_page
        from sstar_code.agent.run.files import write_text

        place = page or opened[0].folder / "report.html"
        write_text(place, build_page(*pairs[0]))
        say(f"sstar: page {place}")


def _write(pairs: list[tuple[Run, Scores]], format_: str) -> str:
    """What is printed."""
    from sstar_code.agent.report.render import many, tables

    if format_ == "csv":
        return many.many_as_csv(pairs)
    if format_ == "latex":
        return many.many_as_latex(pairs)
    if len(pairs) > 1:
        data = many.many_as_json(pairs) if format_ == "json" else None
        return many.many_as_markdown(pairs) if data is None else dump_json(data) + "\n"
    run, scores = pairs[0]
    if format_ == "json":
        return dump_json(tables.run_as_json(run, scores)) + "\n"
    return tables.run_as_markdown(run, scores) if format_ == "md" else tables.run_as_junit(run)


def _say_apart(opened: list[Run]) -> None:
    """Say which of the later runs were not asked the same problems as the first."""
    first = opened[0]
    for other in opened[1:]:
        ours, theirs = set(first.problem_ids), set(other.problem_ids)
        if ours != theirs:
            common = len(ours & theirs)
            what = f"compared on {common} common problems" if common else "nothing is compared"
            say(
                f"sstar: {other.folder} and {first.folder} were not asked the same: {what}; "
                f"only in the first: {len(ours - theirs)}, only in the second: {len(theirs - ours)}"
            )


def _say_differences(endpoint: Endpoint | None, prompts: Prompts, config: dict[str, Any]) -> None:
    """Tell how what is asked now differs from the run."""
    if endpoint is None:
        say("sstar: no model given (-m), so choosing on free evidence only")
        return
    if endpoint.model != config.get("model"):
        say(f"sstar: the run's model was {config.get('model')}, asking {endpoint.model}")
    if prompts.digest != config.get("prompts"):
        say("sstar: the run had other prompts; name their folder with --prompts to ask as it did")
