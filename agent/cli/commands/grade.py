"""`sstar grade`: existing samples against the tests, no model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sstar_code.agent.cli.build import load_problems, run_async, say
from sstar_code.agent.cli.options import DataOptions, OutputOptions, SamplesArg, SetArg, grouped
from sstar_code.agent.cli.samples import digest, iterate_matches
from sstar_code.agent.jobs.choices import SandboxChoice, Watch


@grouped
def command(
    problem_set: SetArg,
    samples: SamplesArg,
    *,
    all_tests: Annotated[
        bool, typer.Option("--all-tests", help="Run every test, also after the first failure.")
    ] = False,
    data: DataOptions,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Run existing samples against the tests; no model is asked.

    Example: sstar grade humaneval:HumanEval.jsonl.gz samples.jsonl --out runs/graded
    """
    from sstar_code.agent.jobs.grade_samples import grade_run
    from sstar_code.agent.jobs.session import open_run, open_session

    whole, chosen = load_problems(problem_set, data)
    count = sum(1 for _ in iterate_matches([samples], whole, chosen))  # a wrong id is told before any run
    work = ((item.problem, item.number, item.code) for item in iterate_matches([samples], whole, chosen))
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
    folder = open_run("grade", config, output.out, fresh=output.fresh, say=say)
    opening = open_session(folder, sandbox, say, watch=watch, quiet=output.json_)
    scores = run_async(lambda: grade_run(opening, work, count, all_tests=all_tests))
    return _print(scores, folder, as_json=output.json_)


def _print(scores: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    import json

    from sstar_code.agent.jobs.grade_samples import flatten

    if as_json:
        typer.echo(json.dumps(flatten(scores)))
    else:
        verdicts = "  ".join(f"{name} {count}" for name, count in scores["verdicts"].items())
        typer.echo(f"{scores['samples']} samples of {scores['problems']} problems: {verdicts}")
        for name, rate in scores["rates"].items():
            typer.echo(f"{name}  {rate}")
        if scores["errors"]:
            typer.echo(
                f"{scores['errors']} samples were lost by the sandbox (IE) and count as wrong; grade again"
            )
        say(f"verdicts: {folder / 'verdicts.jsonl'}")
    return 3 if scores["errors"] else 0
