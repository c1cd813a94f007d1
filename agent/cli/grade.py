"""`sstar grade`: existing samples against the tests, no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import groups
from agent.cli import options as opt
from agent.cli.common import load_problems, read_sandbox, run_async, say
from agent.cli.samples import digest, match_samples

if TYPE_CHECKING:
    from pathlib import Path

    from agent.gradeset import Graded
    from agent.session import SandboxChoice
    from problems import Problem

NAME = "grade"


@groups.grouped
def command(
    problem_set: opt.SetArg,
    samples: opt.SamplesArg,
    *,
    all_tests: Annotated[
        bool, typer.Option("--all-tests", help="Run every test, also after the first failure.")
    ] = False,
    data: groups.DataOptions,
    programs: groups.SandboxOptions,
    output: groups.OutputOptions,
) -> int:
    """Run existing samples against the tests; no model is asked.

    Example: sstar grade humaneval:HumanEval.jsonl.gz samples.jsonl --out runs/graded
    """
    from agent.runfolder import default_folder, open_folder, versions

    choice = read_sandbox(programs)
    whole, chosen = load_problems(problem_set, data)
    matched = match_samples([samples], whole, chosen)
    work = [(item.problem, item.number, item.code) for item in matched]
    untested = sum(not (problem.public_tests or problem.hidden_tests) for problem in chosen)
    if untested:
        say(f"sstar: {untested} of {len(chosen)} problems have no tests; their samples run in no rate")
    config = {
        "label": whole.name,
        "set": whole.revision,
        "samples": digest(samples),
        "problems": [problem.id for problem in chosen],
        "all_tests": all_tests,
    }
    folder = output.out or default_folder("grade", config)
    open_folder(folder, {"config": config, "versions": versions()}, fresh=output.fresh)
    scores = run_async(lambda: _grade(work, folder, choice, all_tests=all_tests, quiet=output.json_))
    return _print(scores, folder, as_json=output.json_)


async def _grade(
    work: list[tuple[Problem, int, str]],
    folder: Path,
    choice: SandboxChoice,
    *,
    all_tests: bool,
    quiet: bool,
) -> dict[str, Any]:
    from contextlib import closing

    from agent.gradeset import flatten, grade_samples, score
    from agent.progress import Progress
    from agent.runfolder import write_json, write_lines
    from agent.session import open_sandbox
    from agent.store import Store

    with (
        closing(Store(folder / "run.db")) as store,
        Progress("grade", len(work), quiet=quiet) as progress,
    ):

        def count(graded: Graded) -> None:
            progress.advance(graded.verdict.value)

        async with open_sandbox(choice, store, say) as sandbox:
            graded = await grade_samples(
                work, sandbox, all_tests=all_tests, on_graded=count, at_once=4 * sandbox.workers
            )
    write_lines(folder / "verdicts.jsonl", [item.row for item in graded])
    tests = {problem.id: len(problem.public_tests) + len(problem.hidden_tests) for problem, _, _ in work}
    scores = score(graded, tests)
    write_json(folder / "summary.json", flatten(scores))
    return scores


def _print(scores: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    import json

    from agent.gradeset import flatten

    if as_json:
        typer.echo(json.dumps(flatten(scores)))
    else:
        verdicts = "  ".join(f"{name} {count}" for name, count in scores["verdicts"].items())
        typer.echo(f"{scores['samples']} samples of {scores['problems']} problems: {verdicts}")
        for name, rate in scores["rates"].items():
            typer.echo(f"{name}  {rate}")
        if scores["errors"]:
            typer.echo(f"{scores['errors']} samples were lost by the sandbox (IE) and are in no rate")
        say(f"verdicts: {folder / 'verdicts.jsonl'}")
    return 3 if scores["errors"] else 0
