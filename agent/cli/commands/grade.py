"""`sstar grade`: existing samples against the tests, no model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.cli.build import equip, load_problems, note_set, put, put_json, run_async, say
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions, OutputOptions
from sstar_code.agent.cli.options.arguments import ExtractOpt, LanguageOpt, SamplesArg, SetArg, note_language
from sstar_code.agent.cli.samples import Survey, digest, find_answered, iterate_matches
from sstar_code.agent.jobs.choices import SandboxChoice, Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.agent.run.history.which_set import WhichSet
    from sstar_code.problems import Problem


@grouped
def command(
    problem_set: SetArg,
    samples: SamplesArg,
    *,
    all_tests: Annotated[
        bool, typer.Option("--all-tests", help="Run every test, also after the first failure.")
    ] = False,
    extract: ExtractOpt = False,
    language: LanguageOpt = "python",
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="ID",
            help="Print why the samples of this problem fail: the first failed test.",
        ),
    ] = None,
    data: DataOptions,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Run existing samples against the tests; no model is asked.

    Example: sstar grade humaneval:HumanEval.jsonl.gz samples.jsonl --out runs/graded
    """
    from sstar_code.agent.jobs.grade_samples import grade_run, is_tested
    from sstar_code.agent.jobs.session import open_run, open_session
    from sstar_code.agent.run.folder import read_manifest
    from sstar_code.agent.run.history.kinds import name_rate
    from sstar_code.agent.run.history.which_set import read_which_set

    whole, chosen = load_problems(problem_set, data, judges=True)
    read = partial(iterate_matches, [samples], whole, chosen, extract=extract, language=language)
    survey = Survey()
    count = sum(1 for _ in survey.watch(read()))
    survey.tell(chosen, say, verb="count as not solved")
    explained = find_answered(explain, list(survey.counts), as_json=output.json_)
    work = ((item.problem, item.number, None if item.fault else item.code) for item in read())
    untested = sum(not is_tested(problem) for problem in chosen)
    if untested:
        say(f"sstar: {untested} of {len(chosen)} problems have no tests; their samples run in no rate")
    config = {
        "label": whole.name,
        "set": whole.revision,
        "samples": digest(samples),
        "problems": [problem.id for problem in chosen],
        "all_tests": all_tests,
        **({"extract": True} if extract else {}),
        **note_language(language),
        **name_rate(samples),
    }
    about = {**note_set(whole, chosen, data), "sources": [str(samples)]}
    folder = open_run("grade", config, output.out, fresh=output.fresh, say=say, **about)
    opening = open_session(
        folder, equip(survey.choose_languages(sandbox), chosen), say, watch=watch, quiet=output.json_
    )
    rows: list[Mapping[str, Any]] = []
    scores = run_async(
        lambda: grade_run(
            opening,
            work,
            count,
            problems=chosen,
            all_tests=all_tests,
            rate=str(config.get("rate", "pass")),
            on_graded=lambda graded: rows.append(graded.row) if graded.problem_id == explained else None,
        )
    )
    code = _print(scores, folder, read_which_set(read_manifest(folder)), as_json=output.json_)
    for problem in chosen:
        if problem.id == explained:
            put("\n" + "\n".join(line for row in rows for line in _explain(problem, row)))
    return code


def _print(scores: dict[str, Any], folder: Path, which_set: WhichSet, *, as_json: bool) -> int:
    from sstar_code.agent.jobs.grade_samples import flatten

    unjudged, raised = scores["unjudged"], scores["raised"]
    lost = scores["errors"] - unjudged - raised
    if as_json:
        put_json(flatten(scores))
    else:
        verdicts = "  ".join(f"{name} {count}" for name, count in scores["verdicts"].items())
        answered = scores["problems"] - len(scores["unanswered"])
        of = f"{answered} of {scores['problems']}" if scores["unanswered"] else f"{answered}"
        put(f"{scores['samples']} samples of {of} problems: {verdicts}")
        for name, rate in scores["rates"].items():
            put(f"{name}  {rate}")
        if "score" in scores:
            of = f"{scores['scored_problems']} problems that have scores"
            put(f"score  {scores['score']:.3f}, the mean of {of}")
        put(f"set: {which_set}")
        if lost:
            put(f"{lost} samples were lost by the sandbox (IE) and count as wrong; grade again")
        say(f"verdicts: {folder / 'verdicts.jsonl'}")
    if unjudged:
        names = ", ".join(scores["checkers_at_fault"])
        say(
            f"sstar: {unjudged} samples were not judged (IE), which counts as wrong: the checker program of "
            f"{names} is at fault; verdicts.jsonl says how it ended"
        )
    for problem_id, line in scores["problem_errors"].items():
        say(f"sstar: error: {problem_id}: {line}; its samples of that kind count as wrong (IE)")
    return 3 if lost or raised else 1 if unjudged else 0


def _explain(problem: Problem, row: Mapping[str, Any]) -> list[str]:
    """A sample's first failure in lines that can be read."""
    from sstar_code.agent.prompts.shown import show_call, show_value

    passed = f"{row['passed_tests']} of {row['total_tests']} tests passed"
    if "score" in row:
        passed += f", score {row['score']:.3f}"
    lines = [f"{problem.id}, sample {row['sample']}: {row['verdict']}, {passed}"]
    failure = row["first_failure"] or {}
    given, values = failure.get("input"), problem.entry_point and failure.get("expected") is not None
    shown = {
        "error": row["error"],
        "input": show_call(problem.entry_point, given) if given and values else given,
        "expected": show_value(failure["expected"]) if values else failure.get("expected"),
        "got": show_value(failure["got"]) if values and failure["got"] else failure.get("got"),
    }
    for name, text in shown.items():
        for place, line in enumerate("" if text is None else text.rstrip("\n").split("\n")):
            lines.append(f"  {name if place == 0 else '':<9} {line}".rstrip())
    return [*lines, ""]
