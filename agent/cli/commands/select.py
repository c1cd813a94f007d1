"""`sstar select`: choose among existing samples, with or without a model."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.cli import groups
from sstar_code.agent.cli import options as opt
from sstar_code.agent.cli.build import (
    load_problems,
    read_budget,
    read_endpoint,
    read_prompts,
    read_sandbox,
    read_settings,
    run_async,
    say,
    watching,
)
from sstar_code.agent.cli.emit_tests import plan_emission
from sstar_code.agent.cli.samples import Matched, digest, match_samples
from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.cli.emit_tests import Emission
    from sstar_code.agent.jobs.select_samples import Work
    from sstar_code.agent.jobs.session import Endpoint, SandboxChoice
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings

NAME = "select"


@groups.grouped
def command(
    problem_set: opt.SetArg,
    samples: opt.ManySamplesArg,
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
    emit_tests: opt.EmitTestsOpt = None,
    overwrite: opt.OverwriteOpt = False,
    model: groups.ModelOptions,
    choice: groups.ChoiceOptions,
    data: groups.DataOptions,
    programs: groups.SandboxOptions,
    output: groups.OutputOptions,
    watch: groups.WatchOptions,
) -> int:
    """Choose one program a problem among existing samples of any tool.

    Example: sstar select humaneval:HumanEval.jsonl.gz samples.jsonl --no-model
    """
    from sstar_code.agent.run.folder import default_folder, open_folder, versions

    settings, prompts = read_settings(model, choice), read_prompts(choice.prompts)
    sandbox = read_sandbox(programs)
    endpoint = None if no_model or model.model is None else read_endpoint(model)
    if endpoint is None and not no_model:
        say("sstar: no model given (-m), so choosing on free evidence only")
    whole, problems = load_problems(problem_set, data)
    matched: dict[str, list[Matched]] = {}
    for item in match_samples(samples, whole, problems):
        matched.setdefault(item.problem.id, []).append(item)
    explained = None if explain is None else _find(explain, list(matched), as_json=output.json_)
    emission = plan_emission(
        emit_tests, [items[0].problem for items in matched.values()], overwrite=overwrite
    )
    config = {
        "label": f"{whole.name}-{choice.select}",
        "set": whole.revision,
        "samples": digest(*samples),
        "problems": list(matched),
        "model": endpoint.model if endpoint else None,
        "prompts": prompts.digest,
        "select": choice.select,
        "seed": choice.seed,
    }
    folder = output.out or default_folder("select", config)
    open_folder(folder, {"config": config, "versions": versions()}, fresh=output.fresh)
    work = list(matched.values())
    selecting = _Selecting(folder, work, settings, prompts, endpoint, read_budget(model), sandbox, emission)
    with watching(watch, folder):
        rows, explanation = run_async(lambda: selecting.run(explained, quiet=output.json_))
    chosen = sum(row["chosen"] is not None for row in rows)
    if output.json_:
        totals = {name: sum(row[name] for row in rows) for name in ("calls", "tokens", "executions")}
        typer.echo(json.dumps({"problems": len(rows), "chosen": chosen, "method": choice.select, **totals}))
    elif explanation is not None:
        _print(explanation)
    else:
        for row in rows:
            typer.echo(f"{row['problem_id']}\t{row['chosen']}\t{row['confidence']:.2f}")
    if not output.json_:
        say(
            f"{choice.select}: chose for {chosen} of {len(rows)} problems; why: {folder / 'selections.jsonl'}"
        )
    return 0 if chosen == len(rows) else 1


def _find(name: str, ids: list[str], *, as_json: bool) -> str:
    """The id that `--explain` means."""
    if as_json:
        raise UserError("--explain prints tables; leave out --json (selections.jsonl has the same as JSON)")
    found = [one for one in ids if name in (one, one.rpartition("/")[2])]
    if len(found) != 1:
        hint = suggest(name, ids)
        raise UserError(
            f"--explain {name!r}: no such problem among those with samples" + (f"; {hint}" if hint else "")
        )
    return found[0]


def _print(explanation: RenderableType) -> None:
    from rich.console import Console

    Console(markup=False, highlight=False).print(explanation)


@dataclass(frozen=True, slots=True)
class _Selecting:
    folder: Path
    work: list[list[Matched]]
    settings: Settings
    prompts: Prompts
    endpoint: Endpoint | None
    budget: Budget
    choice: SandboxChoice
    emission: Emission | None

    async def run(
        self, explained: str | None, *, quiet: bool
    ) -> tuple[list[dict[str, Any]], RenderableType | None]:
        """The rows of `selections.jsonl`, written when all are there, and the evidence for one problem."""
        from sstar_code.agent.jobs.select_samples import select_samples, selection_row, try_samples
        from sstar_code.agent.jobs.session import open_model, open_sandbox
        from sstar_code.agent.report.explain import derived_tests, explain_selection
        from sstar_code.agent.run.files import write_lines
        from sstar_code.agent.run.store import Store
        from sstar_code.agent.solving.ask_model import Asking
        from sstar_code.agent.telemetry.progress import Progress

        async with AsyncExitStack() as stack:
            store = stack.enter_context(closing(Store(self.folder / "run.db")))
            ask: Asking | None = None
            if self.endpoint is not None:
                model = await stack.enter_async_context(open_model(self.endpoint, store, self.budget, say))
                ask = Asking(model, self.prompts, self.settings.seed, self.settings.max_tokens)
            sandbox = await stack.enter_async_context(open_sandbox(self.choice, store, say))
            work = [_gather(items) for items in self.work]
            common: dict[str, Any] = {"sandbox": sandbox, "at_once": 4 * sandbox.workers}
            with Progress("public tests", len(work), quiet=quiet) as progress:
                candidates = await try_samples(
                    work,
                    grade=self.settings.select == "oracle",
                    on_tried=lambda _: progress.advance("tried"),
                    **common,
                )
            with Progress("select", len(work), quiet=quiet) as progress:
                chosen = await select_samples(
                    work,
                    candidates,
                    self.settings.select,
                    ask=ask,
                    seed=self.settings.seed,
                    on_selected=lambda _, selection: progress.advance(
                        "none" if selection.chosen is None else "chosen"
                    ),
                    **common,
                )
        files = [[item.file for item in items] for items in self.work]
        rows, derived, explanation = [], [], None
        for (problem, selection), names, tried in zip(chosen, files, candidates, strict=True):
            rows.append(selection_row(problem.id, selection, names))
            derived += [{"problem_id": problem.id, **test} for test in derived_tests(selection)]
            if problem.id == explained:
                explanation = explain_selection(problem, tried, selection)
        write_lines(self.folder / "selections.jsonl", rows)
        write_lines(self.folder / "derived.jsonl", derived)
        if self.emission is not None:
            self.emission.write(chosen)
        return rows, explanation


def _gather(items: list[Matched]) -> Work:
    from sstar_code.agent.jobs.select_samples import Work

    codes, sources = tuple(item.code for item in items), tuple(item.sources for item in items)
    return Work(items[0].problem, codes, sources)
