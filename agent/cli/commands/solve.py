"""`sstar solve`: one problem; the program on stdout, why on stderr."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import equip, put_exact, put_json, run_async, say, say_failed, show_estimate
from sstar_code.agent.cli.emit_tests import plan_emission
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import OutputOptions
from sstar_code.agent.cli.options.arguments import (
    DryRunOpt,
    EmitTestsOpt,
    OverwriteOpt,
    PresetOpt,
    PromptsOpt,
    TestlibOpt,
)
from sstar_code.agent.cli.samples import refuse_functions
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch, serve_for
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError
from sstar_code.problems.bounds import MAX_TEXT, has_surrogate, parse_json, read_text
from sstar_code.sandbox.languages.marks import read_mark
from sstar_code.sandbox.languages.table import PYTHON

if TYPE_CHECKING:
    from sstar_code.agent.solving.solve import Solution
    from sstar_code.problems import Problem
    from sstar_code.problems.statements.parse import Reading

_SHOWN_TESTS = 5
_SHOWN_CHARS = 60
_CUT = "cut while thinking"


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
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Also print the evidence for the choice on stderr, as `select --explain` does."
        ),
    ] = False,
    emit_tests: EmitTestsOpt = None,
    overwrite: OverwriteOpt = False,
    dry_run: DryRunOpt = False,
    testlib: TestlibOpt = None,
    templates: PromptsOpt = None,
    preset: PresetOpt = None,
    endpoint: Endpoint,
    budget: Budget,
    prices: Prices,
    settings: Settings,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Solve one problem: the program on stdout, why it was chosen on stderr.

    Example: sstar solve task.md -m Qwen/Qwen2.5-Coder-7B-Instruct --n 8 > solution.py
    """
    from sstar_code.agent.run.files import write_json
    from sstar_code.agent.run.history.which_set import tell_preset
    from sstar_code.agent.solving.presets import choose_prompts, note_preset
    from sstar_code.problems.formats.frames import refuse_framed
    from sstar_code.problems.formats.jsonl import to_json
    from sstar_code.problems.formats.judges import attach_testlib

    label = endpoint.require_model()
    prompts = choose_prompts(templates, preset, endpoint.model, settings.language)
    if settings.language != PYTHON:
        sandbox = replace(sandbox, languages=(settings.language,))
    reading = read_problem(problem)
    (task,) = attach_testlib([reading.problem], testlib)
    show_problem(reading)
    refuse_framed([task])
    refuse_functions([task], settings.language, f"--language {settings.language}")
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.jobs.solve_problem import solve_problem

    if dry_run:
        return show_estimate(
            [task],
            settings,
            prompts,
            model=label,
            prices=prices,
            methods=[settings.select],
            as_json=output.json_,
        )
    endpoint = serve_for(endpoint, settings)
    emission = plan_emission(emit_tests, [task], overwrite=overwrite)
    own = {**settings.as_json(), **({} if preset is None else {"preset": preset})}
    config = make_config(task.id, endpoint, prompts, problem=to_json(task), **own)
    about = note_preset(preset, settings, endpoint, prompts)
    folder = open_run("solve", config, output.out, fresh=output.fresh, say=say, **about)
    if about:
        say(f"sstar: preset {tell_preset(about['preset'])}")
    opening = open_session(
        folder, equip(sandbox, [task]), say, endpoint=endpoint, budget=budget, watch=watch, quiet=output.json_
    )
    solution = run_async(lambda: solve_problem(opening, task, settings, prompts))
    row = _as_row(solution)
    write_json(folder / "summary.json", {name: row[name] for name in row if name != "program"})
    if emission is not None:
        emission.write([(task, solution.selection)])
    if output.json_:
        put_json(row)
    else:
        _explain(solution, row, notes=not explain)
        if explain:
            from sstar_code.agent.cli.commands.select import print_explanation
            from sstar_code.agent.report.explain import explain_selection

            told = explain_selection(task, solution.candidates, solution.selection)
            print_explanation(told, to_stderr=True)
        put_exact(row["program"].rstrip("\n") + "\n" if row["program"] else "")
    if solution.failure is not None:
        sys.stdout.flush()
        raise solution.failure
    return 1 if row["solved"] is False else 0


def read_problem(name: str) -> Reading:
    """The problem that PROBLEM names, and how a bare statement was understood.

    Raises:
        UserError: no such file, set or id.
    """
    from sstar_code.problems.sets.load import is_set, load_set
    from sstar_code.problems.statements.parse import Reading, read_statement

    spec, mark, wanted = name.rpartition("#")
    if mark and is_set(spec):
        whole = load_set(spec)
        for problem in whole.problems:
            if problem.id == wanted:
                return Reading(problem)
        raise UserError(f"{spec}: no problem {wanted!r}; the first ids are {_first_ids(whole.problems)}")
    if name == "-":
        text, label = _read_stdin(), "stdin"
    else:
        path = Path(name)
        if not name:
            raise UserError("no problem is named; give a file, - for stdin, or SET#ID")
        if not path.exists():
            if is_set(name):
                raise UserError(
                    f"{name} is a set: solve one problem of it as {name}#ID, or all with `sstar eval {name}`"
                )
            raise UserError(f"{path}: No such file or directory; give a file, - for stdin, or SET#ID")
        text, label = read_text(path), path.stem
    if not text.strip():
        raise UserError(f"{name}: empty; a problem statement is needed")
    if text.lstrip().startswith("{"):
        return Reading(_read_json(text, Path(name)))
    return read_statement(text, id=label)


_NOT_UTF8 = "-: standard input is not UTF-8 text; send it as UTF-8"


def _read_stdin() -> str:
    try:
        text = sys.stdin.read(MAX_TEXT + 1)
    except UnicodeDecodeError as error:
        raise UserError(_NOT_UTF8) from error
    if len(text) > MAX_TEXT:
        raise UserError(f"-: standard input holds more than {MAX_TEXT} characters, the most that are read")
    if has_surrogate(text):
        raise UserError(_NOT_UTF8)
    return text


def _read_json(text: str, path: Path) -> Problem:
    from sstar_code.problems.formats import jsonl
    from sstar_code.problems.formats.rows import Row, refuse_halves

    try:
        row = Row(path, 1, parse_json(text, unique=True))
        refuse_halves(row)
        return jsonl.read_problem(row)
    except ValueError as error:
        many = "; for one problem of several give jsonl:FILE#ID" if "Extra data" in str(error) else ""
        raise UserError(f"{path}: not a problem as JSON: {error}{many}") from error


def _first_ids(problems: tuple[Problem, ...]) -> str:
    return ", ".join(problem.id for problem in problems[:5])


def show_problem(reading: Reading) -> None:
    """What was understood, on stderr, so that a wrong reading is seen before it costs anything."""
    from sstar_code.agent.prompts.shown import show_call, show_value
    from sstar_code.problems.statements.doctests import show_program

    problem = reading.problem
    entry = f" {problem.entry_point}" if problem.entry_point else ""
    tests = len(problem.public_tests)
    form = f", read from {reading.form}" if reading.form else ""
    say(f"sstar: {problem.id}: {problem.kind.value}{entry}, {tests} public test{'s' * (tests != 1)}{form}")
    for test in problem.public_tests[:_SHOWN_TESTS]:
        if test.program is not None:
            say(f"  {_short(show_program(test.program))}")
        elif problem.entry_point:
            say(
                f"  {_short(show_call(problem.entry_point, test))} -> {_short(show_value(test.output or ''))}"
            )
        else:
            say(f"  {_short(test.input)!r} -> {_short(test.output or '')!r}")
    for note in reading.notes:
        say(f"  {note}")
    if not tests:
        say("  no example found: nothing is debugged, and choosing rests on behaviour alone")


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def is_solved(solution: Solution) -> bool | None:
    """Whether the chosen program passes the public tests; None where that cannot be known.

    It cannot where the problem has several right answers and the program ran to its end on every test, with
    another output than the expected one.
    """
    from sstar_code.sandbox import Verdict

    if solution.solved or not solution.problem.several_answers or not solution.program:
        return solution.solved
    chosen = solution.selection.chosen
    failures = solution.lineages[chosen].best.failures if chosen is not None else ()
    differs = bool(failures) and all(note.verdict is Verdict.WA and not note.assertion for note in failures)
    return None if differs else False


def _as_row(solution: Solution) -> dict[str, Any]:
    """What `--json` prints."""
    selection = solution.selection
    best = None if selection.chosen is None else solution.lineages[selection.chosen]
    return {
        "problem_id": solution.problem.id,
        "solved": is_solved(solution),
        "program": read_mark(solution.program or "")[1],
        "chosen": selection.chosen,
        "method": selection.method,
        "confidence": selection.confidence,
        "public_passed": best.best.passed if best else 0,
        "public_total": len(solution.problem.public_tests),
        "survivors": sum(lineage.survives for lineage in solution.lineages if not lineage.is_draft),
        "samples": sum(not lineage.is_draft for lineage in solution.lineages),
        "clusters": [list(cluster) for cluster in selection.clusters],
        "calls": solution.usage.calls,
        "tokens": solution.usage.tokens,
        "seconds": round(solution.seconds, 3),
    }


def _explain(solution: Solution, row: dict[str, Any], *, notes: bool) -> None:
    """Why this program, in a few lines on stderr."""
    from sstar_code.agent.generation.lineage import explain_lack
    from sstar_code.agent.report.reason import give_reason

    selection = solution.selection
    so = f"pass the {row['public_total']} public tests" if row["public_total"] else "hold a program"
    say(f"sstar: {row['survivors']} of {row['samples']} samples {so}")
    if drafts := len(solution.lineages) - row["samples"]:
        say(f"sstar: {drafts} drafts in their thinking pass them too, and are candidates")
    failed = [lineage.rounds[-1].error for lineage in solution.lineages if lineage.rounds[-1].error]
    if failed:
        say_failed(failed, len(solution.lineages))
    if row["chosen"] is None or not row["program"]:
        why = explain_lack(solution.lineages)
        advice = "; raise --max-tokens, or give --max-thinking" if _CUT in why else ""
        say(f"sstar: no answer held a program{f': {why}' if why else ''}{advice}")
        return
    sizes = ", ".join(str(len(cluster)) for cluster in selection.clusters)
    if len(selection.clusters) > 1:
        say(f"sstar: their behaviour forms {len(selection.clusters)} clusters (sizes {sizes})")
    for note in selection.notes if notes else ():  # the tables of --explain have them, too
        say(f"  {note}")
    why = give_reason(selection, problem=solution.problem, candidates=solution.candidates)
    sure = f"confidence {selection.confidence_in_words}"
    say(f"sstar: chose sample {row['chosen']} by {row['method']}, {sure}: {why}")
    failing = f"{row['public_passed']} of {row['public_total']} public tests"
    if row["solved"] is None:
        say(f"sstar: not known: the best program matches {failing}; other outputs may be right")
    elif not row["solved"]:
        say(f"sstar: not solved: the best program passes {failing}; it is printed all the same")
        for failure in solution.lineages[row["chosen"]].best.failures[:1]:
            say(f"  first failure: {failure.brief}")
