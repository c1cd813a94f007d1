"""`sstar eval`: generate, debug, select and grade a set; the same command again resumes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import load_problems, run_async, say, say_failed
from sstar_code.agent.cli.options import DataOptions, OutputOptions, PromptsOpt, SetArg, grouped
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.run.summary import Summary
    from sstar_code.problems import Problem


@grouped
def command(
    problem_set: SetArg,
    *,
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
    templates: PromptsOpt = None,
    endpoint: Endpoint,
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
    from sstar_code.agent.jobs.evaluate import evaluate_run
    from sstar_code.agent.jobs.merge_runs import Shard
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.report.render.page import write_page

    if retry not in (None, "errors"):
        raise UserError(f"--retry {retry!r}: the only value is `errors`")
    label, prompts = endpoint.require_model(), Prompts(templates)
    part = None if shard is None else Shard.parse(shard)
    whole, asked_for = load_problems(problem_set, data)
    problems = asked_for if part is None else part.take(asked_for)
    if not problems:
        raise UserError(f"--shard {shard}: there are only {len(asked_for)} problems")
    _say_untested(problems)
    config = make_config(
        f"{whole.name}-{label}",
        endpoint,
        prompts,
        set=whole.revision,
        problems=[problem.id for problem in asked_for],
        **settings.as_json(),
        **({} if part is None else {"shard": str(part)}),
    )
    data_path, urls = str(whole.path), list(endpoint.base_urls)
    folder = open_run("eval", config, output.out, fresh=output.fresh, say=say, data=data_path, base_url=urls)
    opening = open_session(
        folder, sandbox, say, endpoint=endpoint, budget=budget, watch=watch, quiet=output.json_
    )
    summary = run_async(
        lambda: evaluate_run(
            opening,
            problems,
            settings,
            prompts,
            prices=prices,
            judged_on=asked_for,
            retry_errors=retry == "errors",
        )
    )
    if summary.failed_calls:
        drawn = settings.n * len(problems)
        if settings.least is not None:
            first = summary.stages.get("generate")
            drawn = max(len(summary.failed_calls), first.calls if first else 0)
        say_failed(summary.failed_calls, drawn)
    if output.json_:
        typer.echo(json.dumps(summary.headline()))
    else:
        print_table(summary)
    say(f"sstar: page {write_page(folder, {problem.id: problem for problem in problems})}")
    return 3 if summary.count.errors else 0


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
    from rich.table import Table

    from sstar_code.agent.run.summary import LABELS

    table = Table(title="pass rate on the hidden tests, same candidates", title_justify="left")
    table.add_column("choice")
    table.add_column("rate", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("problems", justify="right")
    for name, rate in summary.rates.items():
        label = LABELS.get(name, name)
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
    console.print(table)
    count, tokens = summary.count, summary.headline()["tokens"]
    unknown = f" ({tokens['unknown_calls']} calls without token counts)" if tokens["unknown_calls"] else ""
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
    for problem_id, line in count.errors.items():
        console.print(f"error: {problem_id}: {line}", markup=False, highlight=False, soft_wrap=True)
