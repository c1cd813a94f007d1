"""`sstar select`: choose among existing samples, with or without a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import load_problems, run_async, say
from sstar_code.agent.cli.emit_tests import plan_emission
from sstar_code.agent.cli.options import (
    DataOptions,
    EmitTestsOpt,
    ManySamplesArg,
    OutputOptions,
    OverwriteOpt,
    PromptsOpt,
    SetArg,
    grouped,
)
from sstar_code.agent.cli.samples import Matched, digest, match_samples
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest

if TYPE_CHECKING:
    from rich.console import RenderableType


@grouped
def command(
    problem_set: SetArg,
    samples: ManySamplesArg,
    *,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Choose on free evidence only; nothing is asked.")
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain", metavar="ID", help="Print the evidence for this problem instead of a list."
        ),
    ] = None,
    emit_tests: EmitTestsOpt = None,
    overwrite: OverwriteOpt = False,
    templates: PromptsOpt = None,
    endpoint: Endpoint,
    budget: Budget,
    settings: Annotated[Settings, "select", "seed", "max_tokens"],
    data: DataOptions,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Choose one program a problem among existing samples of any tool.

    Example: sstar select humaneval:HumanEval.jsonl.gz samples.jsonl --no-model
    """
    from sstar_code.agent.jobs.select_samples import Work, choose_run
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.report.explain import derived_tests, explain_selection
    from sstar_code.agent.run.files import write_lines

    prompts = Prompts(templates)
    asked = None if no_model or endpoint.model is None else endpoint
    if asked is None and not no_model:
        say("sstar: no model given (-m), so choosing on free evidence only")
    whole, problems = load_problems(problem_set, data)
    matched: dict[str, list[Matched]] = {}
    for item in match_samples(samples, whole, problems):
        matched.setdefault(item.problem.id, []).append(item)
    explained = None if explain is None else _find(explain, list(matched), as_json=output.json_)
    tasks = [items[0].problem for items in matched.values()]
    emission = plan_emission(emit_tests, tasks, overwrite=overwrite)
    config = make_config(
        f"{whole.name}-{settings.select}",
        asked,
        prompts,
        set=whole.revision,
        samples=digest(*samples),
        problems=list(matched),
        select=settings.select,
        seed=settings.seed,
    )
    folder = open_run("select", config, output.out, fresh=output.fresh, say=say)
    work = [
        Work(
            items[0].problem,
            tuple(item.code for item in items),
            tuple(item.sources for item in items),
            tuple(item.file for item in items),
        )
        for items in matched.values()
    ]
    opening = open_session(
        folder, sandbox, say, endpoint=asked, budget=budget, watch=watch, quiet=output.json_
    )
    chosen = run_async(lambda: choose_run(opening, work, settings, prompts))
    rows = [made.row for made in chosen]
    write_lines(folder / "selections.jsonl", rows)
    derived = [
        {"problem_id": made.problem.id, **test} for made in chosen for test in derived_tests(made.selection)
    ]
    write_lines(folder / "derived.jsonl", derived)
    if emission is not None:
        emission.write([(made.problem, made.selection) for made in chosen])
    count = sum(row["chosen"] is not None for row in rows)
    if output.json_:
        totals = {name: sum(row[name] for row in rows) for name in ("calls", "tokens", "executions")}
        typer.echo(json.dumps({"problems": len(rows), "chosen": count, "method": settings.select, **totals}))
        return 0 if count == len(rows) else 1
    for made in chosen:
        if made.problem.id == explained:
            _print(explain_selection(made.problem, made.candidates, made.selection))
        elif explained is None:
            typer.echo(f"{made.problem.id}\t{made.selection.chosen}\t{made.selection.confidence:.2f}")
    say(f"{settings.select}: chose for {count} of {len(rows)} problems; why: {folder / 'selections.jsonl'}")
    return 0 if count == len(rows) else 1


def _find(name: str, ids: list[str], *, as_json: bool) -> str:
    """The id that `--explain` means."""
    if as_json:
        raise UserError("--explain prints tables; leave out --json (selections.jsonl has the same as JSON)")
    found = [one for one in ids if name in (one, one.rpartition("/")[2])]
    if len(found) != 1:
        hint = suggest(name, ids)
        raise UserError(f"--explain {name!r}: no such problem among those with samples{hint}")
    return found[0]


def _print(explanation: RenderableType) -> None:
    from rich.console import Console

    Console(markup=False, highlight=False).print(explanation)
