"""Arguments and flags that commands name one by one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sstar_code.agent.cli.display import complete
from sstar_code.agent.cli.options.flag import check_language, flag

_model, _method = (partial(flag, panel=panel) for panel in ("Model", "Method"))

FRESH = typer.Option(
    "--fresh/--resume",
    rich_help_panel="Output",
    help="Start anew (the old folder is kept beside it), or go on where the same command stopped.",
)
JSON = typer.Option("--json", rich_help_panel="Output", help="Print one JSON object on stdout.")

ModelsOpt = Annotated[
    list[str] | None,
    _model(
        "-m",
        "--model",
        metavar="NAME",
        help="A name at the endpoint, vllm:NAME_OR_FOLDER to have it served, or replay:FILE for recorded "
        "calls. Repeat it to evaluate several.",
    ),
]
FreshOpt = Annotated[bool, FRESH]
JsonOpt = Annotated[bool, JSON]
ProblemSetOpt = Annotated[
    str | None,
    typer.Option(
        "--set", metavar="SET", help="The problems, where the run's own file is not there any more."
    ),
]
PromptsOpt = Annotated[
    Path | None,
    _method("--prompts", metavar="DIR", help="Folder whose *.j2 files replace prompt templates by name."),
]
PresetOpt = Annotated[
    str | None,
    _method(
        "--preset",
        metavar="NAME",
        autocompletion=complete.list_presets,
        help="Ask as a leaderboard does: lcb, humaneval or evalplus, prompt and sampling, without repair or "
        "choice. What you set yourself wins over it.",
    ),
]
EmitTestsOpt = Annotated[
    Path | None,
    typer.Option(
        "--emit-tests",
        metavar="FILE",
        help="Write inputs whose right output was confirmed as pytest tests; for several problems a folder.",
    ),
]
DryRunOpt = Annotated[
    bool, typer.Option("--dry-run", help="Print an estimate of calls, tokens and cost; nothing is asked.")
]
OverwriteOpt = Annotated[
    bool, typer.Option("--overwrite", help="Let --emit-tests replace files that are there.")
]
SetArg = Annotated[
    str,
    typer.Argument(
        metavar="SET",
        autocompletion=complete.list_sets,
        help="NAME:PATH with NAME like lcb, humaneval+, mbpp, apps, codecontests, cruxeval-o, jsonl; NAME or "
        "NAME@RELEASE alone is fetched; `examples` and `lists` are bundled. `sstar ls` lists all names.",
    ),
]
_SAMPLES_HELP = (
    'JSON Lines {"task_id", "solution"} or {"task_id", "completion"}, or a LiveCodeBench JSON list; '
    "plain or gzip; or a folder of programs."
)
SetsArg = Annotated[
    list[str],
    typer.Argument(
        metavar="SET...",
        autocompletion=complete.list_sets,
        help="NAME:PATH with NAME like lcb, humaneval+, mbpp, apps, codecontests, cruxeval-o, jsonl; NAME or "
        "NAME@RELEASE alone is fetched; `examples` and `lists` are bundled. `sstar ls` lists all names. "
        "Several are evaluated one after the other.",
    ),
]
SamplesArg = Annotated[Path, typer.Argument(metavar="SAMPLES", help=_SAMPLES_HELP)]
ExtractOpt = Annotated[
    bool,
    typer.Option(
        "--extract", help="Samples are a model's answers: take the program out of each, as eval does."
    ),
]
TESTLIB = flag(
    "--testlib",
    metavar="PATH",
    panel="Problems",
    help="testlib.h, or the folder that it is in, for checkers, interactors and validators in C++ that "
    "include it; it does not come with sstar.",
)
TestlibOpt = Annotated[Path | None, TESTLIB]
LanguageOpt = Annotated[
    str,
    flag(
        "--language",
        metavar="NAME",
        panel="Problems",
        callback=check_language,
        help="Language of samples that name none: python, cpp (C++17), cpp17 or cpp20.",
    ),
]
ManySamplesArg = Annotated[
    list[Path],
    typer.Argument(metavar="SAMPLES...", help=f"{_SAMPLES_HELP} The names of several say who wrote them."),
]


def note_language(language: str) -> dict[str, str]:
    """What a manifest keeps of `LanguageOpt`: nothing for Python, as it was before there were others."""
    return {} if language == "python" else {"language": language}
