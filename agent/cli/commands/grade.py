"""`sstar grade`: existing samples against the tests, no model."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.cli import groups
from sstar_code.agent.cli import options as opt
from sstar_code.agent.cli.build import load_problems, read_sandbox, run_async, say, watching
from sstar_code.agent.cli.samples import digest, iterate_matches

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sstar_code.agent.jobs.session import SandboxChoice
    from sstar_code.problems import Problem

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
    watch: groups.WatchOptions,
) -> int:
    """Run existing samples against the tests; no model is asked.

    Example: sstar grade humaneval:HumanEval.jsonl.gz samples.jsonl --out runs/graded
    """
    from sstar_code.agent.run.folder import default_folder, open_folder, versions

    choice = read_sandbox(programs)
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
    folder = output.out or default_folder("grade", config)
    open_folder(folder, {"config": config, "versions": versions()}, fresh=output.fresh)
    grading = _Grading(work, count, folder, choice, all_tests=all_tests, quiet=output.json_)
    with watching(watch, folder):
        scores = run_async(grading.run)
    return _print(scores, folder, as_json=output.json_)


@dataclass(frozen=True, slots=True)
class _Grading:
    work: Iterable[tuple[Problem, int, str]]
    count: int
    folder: Path
    choice: SandboxChoice
    all_tests: bool
    quiet: bool

    async def run(self) -> dict[str, Any]:
        """The scores; every verdict is written as soon as those before it are, so none is held."""
        from sstar_code.agent.jobs.grade_samples import Graded, Tally, flatten, grade_samples
        from sstar_code.agent.jobs.session import open_sandbox
        from sstar_code.agent.run.files import replace_file, write_json
        from sstar_code.agent.run.store import Store
        from sstar_code.agent.telemetry.progress import Progress

        tally = Tally()
        with (
            closing(Store(self.folder / "run.db")) as store,
            Progress("grade", self.count, quiet=self.quiet) as progress,
            replace_file(self.folder / "verdicts.jsonl") as write,
        ):

            def note(graded: Graded) -> None:
                tally.add(graded)
                write(json.dumps(graded.row) + "\n")
                progress.advance(graded.verdict.value)

            async with open_sandbox(self.choice, store, say) as sandbox:
                await grade_samples(
                    self.work, sandbox, all_tests=self.all_tests, on_graded=note, at_once=4 * sandbox.workers
                )
        scores = tally.score()
        write_json(self.folder / "summary.json", flatten(scores))
        return scores


def _print(scores: dict[str, Any], folder: Path, *, as_json: bool) -> int:
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
