"""`sstar validate`: is a set fit to be solved and graded?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli.build import equip, load_problems, put, put_json, run_async, say
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions
from sstar_code.agent.cli.options.arguments import JsonOpt, SetArg
from sstar_code.agent.cli.samples import iterate_matches
from sstar_code.agent.jobs.choices import SandboxChoice
from sstar_code.problems.plain_text import escape_line

if TYPE_CHECKING:
    from sstar_code.agent.validation.check_set import Checked
    from sstar_code.problems import Problem
    from sstar_code.problems.sets.faults import Fault


@grouped
def command(
    problem_set: SetArg,
    *,
    references: Annotated[
        Path | None,
        typer.Option(
            "--references",
            metavar="FILE",
            help="Samples that are right, beside those that the set itself has.",
        ),
    ] = None,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Run no reference solution; only look at the problems.")
    ] = False,
    data: DataOptions,
    sandbox: SandboxChoice,
    json_: JsonOpt = False,
) -> int:
    """Look for what is wrong with a set: tests that do not parse, duplicates, references that fail.

    Example: sstar validate jsonl:my-problems
    """
    from sstar_code.agent.jobs.session import open_session
    from sstar_code.agent.validation.check_set import check_run
    from sstar_code.problems.sets.faults import find_faults, list_references
    from sstar_code.sandbox.languages.marks import mark
    from sstar_code.sandbox.languages.table import PYTHON

    unread: list[Fault] = []
    whole, chosen = load_problems(problem_set, data, on_fault=unread.append, runs=not no_run, judges=True)
    work = [
        (problem, number, mark(code, PYTHON if problem.frame is None else "cpp"))
        for problem in chosen
        for number, code in enumerate(list_references(problem))
    ]
    if references is not None:
        matched = iterate_matches([references], whole, chosen)
        work += [(item.problem, item.number, item.code) for item in matched]
    faults = [*unread, *find_faults(chosen)]
    checked = None
    judged = [problem for problem in chosen if problem.validator or problem.generator]
    if (work or judged) and not no_run:
        place = equip(sandbox, chosen)
        checked = run_async(lambda: check_run(open_session(None, place, say, quiet=json_), work, judged))
        faults += checked.faults
    found = [fault for fault in faults if not fault.is_note]
    _print(faults, chosen, checked, as_json=json_)
    if checked is not None and checked.lost:
        say(f"sstar: {checked.lost} references were lost by the sandbox (IE); run the same command again")
        return 3
    return 1 if found else 0


def _print(faults: list[Fault], chosen: list[Problem], checked: Checked | None, *, as_json: bool) -> None:
    notes = [fault for fault in faults if fault.is_note]
    found = [fault for fault in faults if not fault.is_note]
    if as_json:
        counts = {"references": checked.references, "passed": checked.passed} if checked else {}
        if checked and checked.generated:
            counts["generated_inputs"] = checked.generated
        put_json(
            {
                "problems": len(chosen),
                "faults": [{"problem_id": fault.problem_id, "what": fault.what} for fault in found],
                "notes": [{"problem_id": fault.problem_id, "what": fault.what} for fault in notes],
                "references": 0,
                "passed": 0,
                **counts,
            }
        )
        return
    for fault in faults:
        name = f"{fault.problem_id}: " if fault.problem_id else ""
        put(escape_line(f"{'note: ' if fault.is_note else ''}{name}{fault.what}"))
    ran = f"{checked.passed} of {checked.references} references passed" if checked else "no reference was run"
    if checked and checked.generated:
        ran += f"; {checked.generated} inputs generated"
    put(f"{len(chosen)} problems, {len(found)} faults, {len(notes)} notes; {ran}")
