"""`sstar solve`: one problem; the program on stdout, why on stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import run_async, say, say_failed
from sstar_code.agent.cli.emit_tests import plan_emission
from sstar_code.agent.cli.options import EmitTestsOpt, OutputOptions, OverwriteOpt, PromptsOpt, grouped
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.solving.solve import Solution
    from sstar_code.problems import Problem

_SHOWN_TESTS = 5
_SHOWN_CHARS = 60


@grouped
def command(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="PROBLEM",
            help="A statement (text or Markdown), a problem as JSON, - for stdin, or SET#ID.",
        ),
    ],
    *,
    emit_tests: EmitTestsOpt = None,
    overwrite: OverwriteOpt = False,
    templates: PromptsOpt = None,
    endpoint: Endpoint,
    budget: Budget,
    settings: Settings,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Solve one problem: the program on stdout, why it was chosen on stderr.

    Example: sstar solve task.md -m Qwen/Qwen2.5-Coder-7B-Instruct --n 8 > solution.py
    """
    from sstar_code.agent.jobs.evaluate import solve_problem
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.problems.formats.jsonl import to_json

    endpoint.require_model()
    prompts = Prompts(templates)
    task = read_problem(problem)
    show_problem(task)
    emission = plan_emission(emit_tests, [task], overwrite=overwrite)
    config = make_config(task.id, endpoint, prompts, problem=to_json(task), **settings.as_json())
    folder = open_run("solve", config, output.out, fresh=output.fresh, say=say)
    opening = open_session(
        folder, sandbox, say, endpoint=endpoint, budget=budget, watch=watch, quiet=output.json_
    )
    solution = run_async(lambda: solve_problem(opening, task, settings, prompts))
    row = _as_row(solution)
    if emission is not None:
        emission.write([(task, solution.selection)])
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
    from sstar_code.agent.prompts.templates import show_call, show_value

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


def _as_row(solution: Solution) -> dict[str, Any]:
    """What `--json` prints."""
    selection = solution.selection
    best = None if selection.chosen is None else solution.lineages[selection.chosen]
    return {
        "problem_id": solution.problem.id,
        "solved": solution.solved,
        "program": solution.program or "",
        "chosen": selection.chosen,
        "method": selection.method,
        "confidence": selection.confidence,
        "public_passed": best.best.passed if best else 0,
        "public_total": len(solution.problem.public_tests),
        "survivors": sum(lineage.survives for lineage in solution.lineages),
        "samples": len(solution.lineages),
        "clusters": [list(cluster) for cluster in selection.clusters],
        "calls": solution.usage.calls,
        "tokens": solution.usage.tokens,
        "seconds": round(solution.seconds, 3),
    }


def _explain(solution: Solution, row: dict[str, Any]) -> None:
    """Why this program, in a few lines on stderr."""
    selection = solution.selection
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
