"""`sstar select`: choose among existing samples, with or without a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.build import equip, load_problems, note_set, put, put_json, run_async, say
from sstar_code.agent.cli.display.lines import fold
from sstar_code.agent.cli.display.table import put_table
from sstar_code.agent.cli.display.terminal import is_terminal, open_console
from sstar_code.agent.cli.emit_tests import plan_emission
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions, OutputOptions
from sstar_code.agent.cli.options.arguments import (
    EmitTestsOpt,
    ExtractOpt,
    LanguageOpt,
    ManySamplesArg,
    OverwriteOpt,
    PromptsOpt,
    SetArg,
    note_language,
)
from sstar_code.agent.cli.samples import Matched, Survey, digest, find_answered, match_samples
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError
from sstar_code.problems.plain_text import escape_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rich.console import Group

    from sstar_code.agent.jobs.select_samples import Chosen, Work
    from sstar_code.agent.run.summary import Rate
    from sstar_code.problems import SstarError


@grouped
def command(
    problem_set: SetArg,
    samples: ManySamplesArg,
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
    grade: Annotated[
        str,
        typer.Option(
            "--grade",
            metavar="WHAT",
            help="What runs on the hidden tests at the end: chosen, all (for pass@1 and oracle), or none.",
        ),
    ] = "chosen",
    abstain: Annotated[
        float | None,
        typer.Option(
            "--abstain",
            metavar="P",
            min=0.0,
            max=1.0,
            help="Choose nothing where the confidence is below P, or not known.",
        ),
    ] = None,
    extract: ExtractOpt = False,
    language: LanguageOpt = "python",
    emit_tests: EmitTestsOpt = None,
    overwrite: OverwriteOpt = False,
    templates: PromptsOpt = None,
    endpoint: Endpoint,
    budget: Budget,
    settings: Annotated[Settings, "select", "seed", "max_tokens"],
    data: DataOptions,
    sandbox: SandboxChoice,
    output: OutputOptions,
    watch: Watch,
) -> int:
    """Choose one program a problem among existing samples of any tool.

    Example: sstar select humaneval:HumanEval.jsonl.gz samples.jsonl --no-model
    """
    from sstar_code.agent.jobs.select_samples import GRADED, choose_run, summarise
    from sstar_code.agent.jobs.session import make_config, open_run, open_session
    from sstar_code.agent.models.recorded import find_prompts
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.files import write_json
    from sstar_code.agent.run.folder import read_manifest
    from sstar_code.agent.run.history.starts import Starts
    from sstar_code.agent.run.history.which_set import read_which_set

    if grade not in GRADED:
        raise UserError(f"--grade {grade!r}: it must be one of {', '.join(GRADED)}")
    prompts = Prompts(templates or find_prompts(endpoint.model))
    asked = None if no_model or endpoint.model is None else endpoint
    if asked is None and not no_model:
        say("sstar: no model given (-m), so choosing on free evidence only")
    whole, problems = load_problems(problem_set, data)
    survey = Survey()
    found = survey.watch(match_samples(samples, whole, problems, extract=extract, language=language))
    matched = _group(found)
    survey.tell(problems, say, verb="are left out")
    explained = find_answered(explain, list(matched), as_json=output.json_)
    tasks = [items[0].problem for items in matched.values()]
    emission = plan_emission(emit_tests, tasks, overwrite=overwrite)
    config = make_config(
        f"{whole.name}-{settings.select}",
        asked,
        prompts,
        set=whole.revision,
        samples=digest(*samples),
        problems=list(matched),
        select=settings.select,
        seed=settings.seed,
        **({"extract": True} if extract else {}),
        **note_language(language),
        **({"grade": grade} if grade != "chosen" else {}),
        **({} if abstain is None else {"abstain": abstain}),
    )
    work = _make_work(matched.values())
    about = {**note_set(whole, tasks, data), "sources": _name_sources(work, samples)}
    folder = open_run("select", config, output.out, fresh=output.fresh, say=say, **about)
    starts = Starts(folder)
    opening = open_session(
        folder,
        equip(survey.choose_languages(sandbox), tasks),
        say,
        endpoint=asked,
        budget=budget,
        watch=watch,
        quiet=output.json_,
    )
    failures: list[SstarError] = []
    try:
        chosen = run_async(
            lambda: choose_run(opening, work, settings, prompts, failures, grade=grade, abstain=abstain)
        )
    finally:
        starts.note(now=True)
    which_set = read_which_set(read_manifest(folder))
    summary = summarise(chosen, settings.select, starts.seconds) | {"which_set": which_set.as_json()}
    _write(folder, chosen, work)
    write_json(folder / "summary.json", summary)
    if emission is not None:
        emission.write([(made.problem, made.selection) for made in chosen])
    if output.json_:
        left_out = ("methods", "failed", "graded")
        put_json({name: value for name, value in summary.items() if name not in left_out})
    else:
        _print(chosen, work, explained)
        say(f"sstar: set: {which_set}")
        _say_outcome(folder, summary, settings.select)
    if failures:  # of the endpoint, told now that what was chosen is written
        raise failures[0]
    return 3 if summary["failed"] else 0 if summary["chosen"] == len(chosen) else 1


def _make_work(matched: Iterable[Sequence[Matched]]) -> list[Work]:
    """What there is to choose among, by problem."""
    from sstar_code.agent.jobs.select_samples import Work

    return [
        Work(
            items[0].problem,
            tuple(item.code for item in items),
            tuple(item.sources for item in items),
            tuple(item.file for item in items),
        )
        for items in matched
    ]


def _name_sources(work: Sequence[Work], samples: Sequence[Path]) -> list[str]:
    """Who wrote the samples, or the file they are in where nobody says it."""
    known = dict.fromkeys(name for item in work for names in item.sources for name in names)
    return list(known) or [str(samples[0])]


def _write(folder: Path, chosen: Sequence[Chosen], work: Sequence[Work]) -> None:
    """Write `selections.jsonl`, `derived.jsonl` and `samples.jsonl`."""
    from sstar_code.agent.jobs.select_samples import sample_row
    from sstar_code.agent.report.explain import derived_tests
    from sstar_code.agent.report.reason import explain_choice
    from sstar_code.agent.run.files import write_lines
    from sstar_code.sandbox.languages.marks import name_language

    rows = []
    for made in chosen:
        problem, candidates = made.problem, made.candidates
        why = explain_choice(problem.id, made.selection, problem=problem, candidates=candidates)
        rows.append({**made.row, "why": why})
    write_lines(folder / "selections.jsonl", rows)
    derived = [
        {"problem_id": made.problem.id, **test} for made in chosen for test in derived_tests(made.selection)
    ]
    write_lines(folder / "derived.jsonl", derived)
    programs = [name_language(sample_row(made, item)) for made, item in zip(chosen, work, strict=True)]
    write_lines(folder / "samples.jsonl", programs)


def _print(chosen: Sequence[Chosen], work: Sequence[Work], explained: str | None) -> None:
    """The list of choices, or the evidence for one."""
    from sstar_code.agent.report.explain import explain_selection

    rows: list[list[str]] = []
    for made, item in zip(chosen, work, strict=True):
        if made.problem.id == explained:
            for place in range(len(item.codes)):
                if name := item.name(place):
                    put(escape_line(f"sample {place}: {name}"))
            print_explanation(explain_selection(made.problem, made.candidates, made.selection))
        elif explained is None:
            picked = made.selection.chosen
            cells = [made.problem.id, str(picked), made.selection.confidence_in_words]
            cells += [name] if picked is not None and (name := item.name(picked)) else []
            rows.append(cells)
    if is_terminal(sys.stdout) and rows:
        names = ("problem", "sample", "confidence", "file or model")[: max(map(len, rows))]
        put_table(names, [row + [""] * (len(names) - len(row)) for row in rows], right=names[1:3])
    else:
        for row in rows:
            put("\t".join(map(escape_line, row)))


def _say_outcome(folder: Path, summary: dict[str, Any], select: str) -> None:
    for name, rate in _named_rates(summary, select).items():
        say(f"sstar: {name}  {rate}")
    for problem_id, line in summary["failed"].items():
        say(f"sstar: error: {problem_id}: {line}")
    say(
        f"{select}: chose for {summary['chosen']} of {summary['problems']} problems, among "
        f"{summary['samples']:,} samples with {summary['calls']:,} calls and {summary['tokens']:,} tokens; "
        f"programs: {folder / 'samples.jsonl'}; why: {folder / 'selections.jsonl'}"
    )


def _named_rates(summary: dict[str, Any], select: str) -> dict[str, Rate]:
    """The rates that can be told, with their intervals; none where nothing was graded."""
    from sstar_code.agent.run.summary import LABELS, Rate

    rates = {name: Rate(**rate) for name, rate in summary["methods"].items()}
    return {
        f"{name} (selected@1)" if name == select else LABELS.get(name, name): rate
        for name, rate in rates.items()
    }


def print_explanation(explanation: Group, *, to_stderr: bool = False) -> None:
    """Tables that explain a choice, on stdout or stderr."""
    from rich.text import Text

    stream = sys.stderr if to_stderr else sys.stdout
    console = open_console(to_stderr=to_stderr)
    for part in explanation.renderables:
        if isinstance(part, Text):  # on a terminal no word is torn, elsewhere no line is broken
            stream.write("".join(f"{fold(line, stream)}\n" for line in part.plain.split("\n")))
        else:
            console.print(part, crop=False)


def _group(found: Iterable[Matched]) -> dict[str, list[Matched]]:
    """Samples by the id of their problem, in the order of the first of each."""
    matched: dict[str, list[Matched]] = {}
    for item in found:
        matched.setdefault(item.problem.id, []).append(item)
    return matched
