"""`sstar harden`: more hidden tests for a set, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.cli.build import equip, load_problems, note_set, put, put_json, run_async, say
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions, OutputOptions
from sstar_code.agent.cli.options.arguments import SetArg
from sstar_code.agent.cli.samples import Survey, digest, match_samples
from sstar_code.agent.jobs.choices import SandboxChoice, Watch
from sstar_code.agent.solving.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.hardening.harden_set import HardenedProblem


@grouped
def command(
    problem_set: SetArg,
    *,
    programs: Annotated[
        list[Path],
        typer.Option(
            "--programs",
            metavar="FILE",
            help="Samples of any tool: the tests are to tell right from wrong ones. Repeat it for several.",
        ),
    ],
    references: Annotated[
        Path | None,
        typer.Option(
            "--references",
            metavar="FILE",
            help="Samples that are right, in place of the set's own reference solutions.",
        ),
    ] = None,
    tests: Annotated[
        int, typer.Option("--tests", metavar="N", min=1, max=1000, help="The most new tests of a problem.")
    ] = 20,
    settings: Annotated[Settings, "seed"],
    data: DataOptions,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Find more hidden tests for a set: inputs on which programs that pass its tests do not agree.

    Example: sstar harden humaneval --programs samples.jsonl --out runs/hard
    """
    from sstar_code.agent.hardening.harden_set import harden_run, summarise
    from sstar_code.agent.jobs.session import open_run, open_session
    from sstar_code.agent.run.files import write_json, write_lines
    from sstar_code.problems.formats.jsonl import to_json

    whole, chosen = load_problems(problem_set, data)
    survey = Survey()
    codes: dict[str, list[str]] = {problem.id: [] for problem in chosen}
    for item in survey.watch(match_samples(programs, whole, chosen)):
        codes[item.problem.id].append(item.code)
    survey.tell(chosen, say, verb="have only their reference")
    trusted: dict[str, list[str]] = {problem.id: [] for problem in chosen}
    given = match_samples([references], whole, chosen) if references else ()
    for item in survey.watch(given):
        trusted[item.problem.id].append(item.code)
    config = {
        "label": f"{whole.name}-hardened",
        "set": whole.revision,
        "samples": digest(*programs),
        "problems": [problem.id for problem in chosen],
        "seed": settings.seed,
        "tests": tests,
        **({"references": digest(references)} if references else {}),
    }
    about = {**note_set(whole, chosen, data), "sources": list(map(str, programs))}
    folder = open_run("harden", config, output.out, fresh=output.fresh, say=say, **about)
    place = equip(survey.choose_languages(sandbox), chosen)
    opening = open_session(folder, place, say, watch=watch, quiet=output.json_)
    work = [(problem, codes[problem.id], trusted[problem.id]) for problem in chosen]
    made = run_async(lambda: harden_run(opening, work, seed=settings.seed, most_tests=tests))
    write_lines(folder / "problems.jsonl", [to_json(one.hardened.problem) for one in made])
    write_lines(folder / "failing.jsonl", [row for one in made for row in one.rows])
    summary = summarise(made)
    write_json(folder / "summary.json", summary)
    _print(made, summary, folder, as_json=output.json_)
    return 3 if any(one.error for one in made) else 0


def _print(made: Sequence[HardenedProblem], summary: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    from sstar_code.agent.prompts.shown import show_call
    from sstar_code.problems.errors import shorten

    if as_json:
        put_json(summary)
        return
    for one in made:
        problem = one.hardened.problem
        for row in one.rows:
            shown = (
                show_call(problem.entry_point, row["input"]) if problem.entry_point else repr(row["input"])
            )
            put(f"{problem.id}, sample {row['sample']}: {row['verdict']} on {shorten(shown, 200)}")
    put(
        f"{summary['tests_added']} tests for {summary['hardened']} of {summary['problems']} problems; of "
        f"{summary['passed_before']} programs that passed {summary['fail_now']} fail now"
    )
    for problem_id, why in summary["left"].items():
        say(f"sstar: {problem_id}: no test: {why}")
    say(f"the set: jsonl:{folder / 'problems.jsonl'}; who fails: {folder / 'failing.jsonl'}")
