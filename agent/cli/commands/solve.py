"""`sstar solve`: one problem; the program on stdout, why on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.cli import groups
from sstar_code.agent.cli import options as opt
from sstar_code.agent.cli.build import (
    read_budget,
    read_endpoint,
    read_prompts,
    read_sandbox,
    read_settings,
    run_async,
    say,
    say_failed,
    watching,
)
from sstar_code.agent.cli.emit_tests import plan_emission
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.jobs.session import Endpoint, SandboxChoice
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.solving.solve import Solution
    from sstar_code.problems import Problem

NAME = "solve"
_SHOWN_TESTS = 5
_SHOWN_CHARS = 60


@groups.grouped
def command(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="PROBLEM",
            help="A statement (text or Markdown), a problem as JSON, - for stdin, or SET#ID.",
        ),
    ],
    *,
    emit_tests: opt.EmitTestsOpt = None,
    overwrite: opt.OverwriteOpt = False,
    model: groups.ModelOptions,
    method: groups.MethodOptions,
    choice: groups.ChoiceOptions,
    programs: groups.SandboxOptions,
    output: groups.OutputOptions,
    watch: groups.WatchOptions,
) -> int:
    """Solve one problem: the program on stdout, why it was chosen on stderr.

    Example: sstar solve task.md -m Qwen/Qwen2.5-Coder-7B-Instruct --n 8 > solution.py
    """
    from sstar_code.agent.run.folder import default_folder, open_folder, versions
    from sstar_code.problems.formats.jsonl import to_json

    endpoint, settings = read_endpoint(model), read_settings(model, choice, method)
    prompts, sandbox = read_prompts(choice.prompts), read_sandbox(programs)
    task = read_problem(problem)
    show_problem(task)
    emission = plan_emission(emit_tests, [task], overwrite=overwrite)
    config = {
        "label": task.id,
        "problem": to_json(task),
        "model": endpoint.model,
        "prompts": prompts.digest,
        **settings.as_json(),
        **({} if endpoint.max_thinking is None else {"max_thinking": endpoint.max_thinking}),
    }
    folder = output.out or default_folder("solve", config)
    resumed = open_folder(folder, {"config": config, "versions": versions()}, fresh=output.fresh)
    say(f"sstar: {'going on in' if resumed else 'writing to'} {folder}")
    solving = _Solving(folder, task, settings, prompts, endpoint, read_budget(model), sandbox)
    with watching(watch, folder):
        row, solution = run_async(lambda: solving.run(quiet=output.json_))
    if emission is not None:
        emission.write([(task, solution.selections[row["method"]])])
    if output.json_:
        typer.echo(json.dumps(row))
    else:
        _explain(solution, row)
        sys.stdout.write(row["program"].rstrip("\n") + "\n" if row["program"] else "")
    return 0 if row["solved"] else 1


def read_problem(name: str) -> Problem:
    """The problem that PROBLEM names.

    Raises:
        UserError: no such file, set or id.
    """
    from sstar_code.problems.sets.load import is_set, load_set
    from sstar_code.problems.statements.parse import parse_statement

    spec, mark, wanted = name.rpartition("#")
    if mark and is_set(spec):
        whole = load_set(spec)
        for problem in whole.problems:
            if problem.id == wanted:
                return problem
        raise UserError(f"{spec}: no problem {wanted!r}; the first ids are {_first_ids(whole.problems)}")
    if name == "-":
        text, label = sys.stdin.read(), "stdin"
    else:
        path = Path(name)
        try:
            text, label = path.read_text(encoding="utf-8"), path.stem
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not a text file ({error.reason} at byte {error.start})") from error
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; give a file, - for stdin, or SET#ID") from error
    if not text.strip():
        raise UserError(f"{name}: empty; a problem statement is needed")
    if text.lstrip().startswith("{"):
        return _read_json(text, Path(name))
    return parse_statement(text, id=label)


def _read_json(text: str, path: Path) -> Problem:
    from sstar_code.problems.formats import jsonl
    from sstar_code.problems.formats.rows import Row

    try:
        return jsonl.read_problem(Row(path, 1, json.loads(text)))
    except ValueError as error:
        many = "; for one problem of several give jsonl:FILE#ID" if "Extra data" in str(error) else ""
        raise UserError(f"{path}: not a problem as JSON: {error}{many}") from error


def _first_ids(problems: tuple[Problem, ...]) -> str:
    return ", ".join(problem.id for problem in problems[:5])


def show_problem(problem: Problem) -> None:
    """What was understood, on stderr, so that a wrong reading is seen before it costs anything."""
    from sstar_code.agent.prompts.formatting import show_call, show_value

    entry = f" {problem.entry_point}" if problem.entry_point else ""
    tests = len(problem.public_tests)
    say(f"sstar: {problem.id}: {problem.kind.value}{entry}, {tests} public test{'s' * (tests != 1)}")
    for test in problem.public_tests[:_SHOWN_TESTS]:
        if test.program is not None:
            say(f"  {_short(test.program)}")
        elif problem.entry_point:
            say(
                f"  {_short(show_call(problem.entry_point, test))} -> {_short(show_value(test.output or ''))}"
            )
        else:
            say(f"  {_short(test.input)!r} -> {_short(test.output or '')!r}")
    if not tests:
        say("  no example found: nothing is debugged, and choosing rests on behaviour alone")


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


@dataclass(frozen=True, slots=True)
class _Solving:
    folder: Path
    problem: Problem
    settings: Settings
    prompts: Prompts
    endpoint: Endpoint
    budget: Budget
    choice: SandboxChoice

    async def run(self, *, quiet: bool) -> tuple[dict[str, Any], Solution]:
        """What `--json` prints, and the whole solution."""
        import time

        from sstar_code.agent.allocation.plan import plan_waves
        from sstar_code.agent.jobs.session import open_model, open_sandbox
        from sstar_code.agent.run.store import Store
        from sstar_code.agent.solving.context import SolveContext
        from sstar_code.agent.solving.solve import solve
        from sstar_code.agent.telemetry.progress import Progress

        started_s = time.monotonic()
        async with AsyncExitStack() as stack:
            store = stack.enter_context(closing(Store(self.folder / "run.db")))
            model = await stack.enter_async_context(open_model(self.endpoint, store, self.budget, say))
            sandbox = await stack.enter_async_context(open_sandbox(self.choice, store, say))
            progress = stack.enter_context(Progress("samples", self.settings.n, quiet=quiet))

            def count(lineage: Lineage) -> None:
                progress.advance("passing" if lineage.survives else "failing")

            waves = plan_waves(self.settings, self.budget, store, 1)
            context = SolveContext(model, sandbox, self.prompts, self.settings, waves=waves)
            solution = await solve(self.problem, context, [self.settings.select], on_sample=count)
        selection = solution.selections[self.settings.select]
        best = None if selection.chosen is None else solution.lineages[selection.chosen]
        row = {
            "problem_id": self.problem.id,
            "solved": best is not None and best.survives,
            "program": (best.code or "") if best else "",
            "chosen": selection.chosen,
            "method": selection.method,
            "confidence": selection.confidence,
            "public_passed": best.best.passed if best else 0,
            "public_total": len(self.problem.public_tests),
            "survivors": sum(lineage.survives for lineage in solution.lineages),
            "samples": len(solution.lineages),
            "clusters": [list(cluster) for cluster in selection.clusters],
            "calls": model.tally.calls,
            "tokens": model.tally.tokens,
            "seconds": round(time.monotonic() - started_s, 3),
        }
        return row, solution


def _explain(solution: Solution, row: dict[str, Any]) -> None:
    """Why this program, in a few lines on stderr."""
    selection = solution.selections[row["method"]]
    so = f"pass the {row['public_total']} public tests" if row["public_total"] else "hold a program"
    say(f"sstar: {row['survivors']} of {row['samples']} samples {so}")
    failed = [lineage.rounds[-1].error for lineage in solution.lineages if lineage.rounds[-1].error]
    if failed:
        say_failed(failed, len(solution.lineages))
    if row["chosen"] is None or not row["program"]:
        say("sstar: no answer held a program")
        return
    sizes = ", ".join(str(len(cluster)) for cluster in selection.clusters)
    if len(selection.clusters) > 1:
        say(f"sstar: they behave in {len(selection.clusters)} different ways (sizes {sizes})")
    for note in selection.notes:
        say(f"  {note}")
    say(f"sstar: chose sample {row['chosen']} by {row['method']}, confidence {row['confidence']:.2f}")
    if not row["solved"]:
        failing = f"{row['public_passed']} of {row['public_total']} public tests"
        say(f"sstar: not solved: the best program passes {failing}; it is printed all the same")
