"""The flags that commands share: each is spelled here, and has the default of the field that it fills.

`agent.cli.grouped` gives them to the commands that name the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.display import complete
from sstar_code.agent.cli.flags import THINKING, flag
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, Watch
from sstar_code.agent.run.outcomes import Prices
from sstar_code.agent.solving.settings import Settings, read_samples
from sstar_code.problems import UserError


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which problems of the set."""

    limit: int | None = None
    filter_: list[str] | None = None
    start_date: str | None = None
    end_date: str | None = None


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Where results go."""

    out: Path | None = None
    fresh: bool = False
    json_: bool = False


def check_n(value: str) -> str:
    """`value`, as it is: a number, a range or `auto`. Checked here so that a settings file is named.

    Raises:
        typer.BadParameter: it is none of these.
    """
    try:
        read_samples(value)
    except UserError as error:
        raise typer.BadParameter(str(error).removeprefix("--n ") + ".") from None
    return value


def check_strategy(value: str) -> str:
    """As `check_n`, for a strategy with its settings."""
    from sstar_code.agent.strategies.table import parse_strategy

    try:
        if value:
            parse_strategy(value)
    except UserError as error:
        raise typer.BadParameter(str(error).removeprefix("--strategy ") + ".") from None
    return value


_model, _method, _run, _data, _output = (
    partial(flag, panel=panel) for panel in ("Model", "Method", "Running programs", "Problems", "Output")
)
_FRESH = typer.Option(
    "--fresh/--resume",
    rich_help_panel="Output",
    help="Start anew (the old folder is kept beside it), or go on where the same command stopped.",
)
_JSON = typer.Option("--json", rich_help_panel="Output", help="Print one JSON object on stdout.")

FLAGS: Mapping[type, Mapping[str, Any]] = {
    Endpoint: {
        "model": _model(
            "-m",
            "--model",
            metavar="NAME",
            help="A name at the endpoint, vllm:NAME_OR_FOLDER to have it served, or replay:FILE for recorded "
            "calls.",
        ),
        "base_urls": _model(
            "--base-url",
            metavar="URL",
            env=("OPENAI_BASE_URL",),
            help="An OpenAI-compatible endpoint; its key is in OPENAI_API_KEY. Repeat it for several that "
            "serve the same model. (default: http://localhost:8000/v1)",
        ),
        "system_role": _model(
            "--system-role",
            metavar="ROLE",
            help="system, developer, or user for models that refuse a system message.",
        ),
        "max_in_flight": _model(
            "--max-in-flight",
            metavar="N",
            min=1,
            help="Model calls under way at once. (default: as many as the server runs, learnt from its load)",
        ),
        "call_timeout_s": _model(
            "--call-timeout", metavar="SECONDS", min=1.0, help="Seconds one model call may take."
        ),
        "record": _model(
            "--record",
            metavar="FILE",
            help="Write every model call to this file; play it back with -m replay:FILE.",
        ),
        "max_thinking": _model(
            "--max-thinking",
            metavar="N",
            min=1,
            help="Tokens that a thinking model may think before it has to answer.",
        ),
        "top_p": _model(
            "--top-p", metavar="P", min=0.0, max=1.0, help="Sample from the likeliest tokens of this share."
        ),
        "top_k": _model("--top-k", metavar="K", min=-1, help="Sample from so many of the likeliest tokens."),
        "min_p": _model(
            "--min-p",
            metavar="P",
            min=0.0,
            max=1.0,
            help="Sample from tokens at least so likely, beside the likeliest.",
        ),
        "reasoning_effort": _model(
            "--reasoning-effort",
            metavar="WORD",
            help="How much a reasoning model thinks, in its server's words: low, high ...",
        ),
        "extra_body": _model(
            "--extra-body",
            metavar="JSON",
            help="Further fields of every call, as a JSON object: '{\"enable_thinking\": false}'.",
        ),
        "role_models": _model(
            "--role-model",
            metavar="ROLE=NAME[@URL]",
            help="Another model for drafter, feedback, editor (repairs) or selector. Repeat it for several.",
        ),
        "no_model_check": _model(
            "--no-model-check", help="Ask -m also where the server's list of models lacks it, or is closed."
        ),
        "vllm_command": _model(
            "--vllm-command",
            metavar="COMMAND",
            help="For -m vllm: the vllm to start, like ../serving/bin/vllm. (default: beside this Python, "
            "or on PATH)",
        ),
        "vllm_args": _model(
            "--vllm-args",
            metavar="WORDS",
            help="For -m vllm: further words for `vllm serve`; they win over ours.",
        ),
    },
    Budget: {
        "max_tokens_total": _model(
            "--max-tokens-total", metavar="N", min=1, help="Tokens (prompt and output) the run may spend."
        ),
        "max_tokens_problem": _model(
            "--max-tokens-problem",
            metavar="N",
            min=1,
            help="Tokens that one problem may spend; it is finished with what it has.",
        ),
        "max_seconds": _model(
            "--max-seconds", metavar="SECONDS", min=0.0, help="Seconds after which no new call is made."
        ),
    },
    Prices: {
        "prompt": _model(
            "--price-prompt",
            metavar="PRICE",
            min=0.0,
            help="Price per million prompt tokens; used only in the report.",
        ),
        "output": _model(
            "--price-output",
            metavar="PRICE",
            min=0.0,
            help="Price per million output tokens; used only in the report.",
        ),
        "file": _model(
            "--prices",
            metavar="FILE",
            help="Prices by model, as JSON of ours or LiteLLM's; for the report and --dry-run.",
        ),
    },
    Settings: {
        "n": _method(
            "--n",
            metavar="N",
            callback=check_n,
            help="Samples per problem: a number (16), a range (2..32: stop when another sample is not worth "
            "it), or auto (2..32).",
        ),
        "rounds": _method("--rounds", metavar="N", min=0, help="Rounds of repair a sample at most."),
        "temperature": _method(
            "--temperature",
            metavar="T",
            min=0.0,
            max=2.0,
            help="Sampling temperature for samples and repairs.",
        ),
        "greedy": _method("--greedy", help="One sample at temperature 0, in place of --n and --temperature."),
        "seed": _method("--seed", metavar="N", help="Sample k is asked for with seed + k."),
        "select": _method(
            "--select",
            "--method",
            metavar="METHOD",
            autocompletion=complete.list_methods,
            help="Method whose choice is the answer; an unknown name lists all.",
        ),
        "max_tokens": _model(
            "--max-tokens", metavar="N", min=1, help="Token limit of one answer, thinking included."
        ),
        "context": _method(
            "--context", metavar="WHAT", help="What a repair sees: all rounds of its sample, or the last."
        ),
        "strategy": _method(
            "--strategy",
            metavar="NAME[:KEY=VALUE,...]",
            autocompletion=complete.list_strategies,
            callback=check_strategy,
            help="How candidates come to be; a wrong name or key lists all. (default: sample; with a range "
            "of samples waves)",
        ),
        "style": _method(
            "--style",
            metavar="NAME",
            autocompletion=complete.list_styles,
            help="What comes before an answer: cot (reasoning), direct (nothing), draft (a few words), plan "
            "(ideas).",
        ),
        "lessons": _method(
            "--lessons",
            metavar="WHOSE",
            help="Tell later prompts what repairs found wrong: off, problem, set (other problems' too).",
        ),
        **THINKING,
    },
    SandboxChoice: {
        "name": _run(
            "--sandbox",
            metavar="NAME",
            autocompletion=complete.list_sandboxes,
            help="auto, docker, local, or unsafe (no isolation; only for programs you trust).",
        ),
        "runtime": _run("--runtime", metavar="NAME", help="Container runtime for docker, like runsc."),
        "packages": _run(
            "--packages",
            metavar="NAME,...",
            help="Libraries that programs can import beside numpy and sortedcontainers, like scipy,networkx.",
        ),
        "workers": _run(
            "--workers", metavar="N", min=1, help="Programs run at once. (default: the usable cores)"
        ),
        "ray": _run(
            "--ray",
            metavar="ADDRESS",
            help="Run programs on every node of this Ray cluster (`auto`, or HOST:PORT), --workers on each; "
            "needs the extra `ray`.",
        ),
    },
    DataOptions: {
        "limit": _data("--limit", metavar="N", min=1, help="Only the first problems."),
        "filter_": _data(
            "--filter",
            metavar="TERM",
            help="Only problems whose id matches this regular expression, or that say so of themselves: "
            "difficulty=hard, platform!=leetcode, difficulty=easy,medium, date=2024-08. Repeat it for both.",
        ),
        "start_date": _data(
            "--start-date", metavar="DATE", help="Only problems published on this day or later (YYYY-MM-DD)."
        ),
        "end_date": _data(
            "--end-date", metavar="DATE", help="Only problems published on this day or earlier."
        ),
    },
    Watch: {
        "log_file": _output(
            "--log-file",
            metavar="FILE",
            help="Append events (calls, programs, choices) to this file as JSON lines.",
        ),
        "otel": _output(
            "--otel",
            help="Send OpenTelemetry spans of model calls, to where OTEL_EXPORTER_OTLP_ENDPOINT says; needs "
            "the extra `otel`.",
        ),
    },
    OutputOptions: {
        "out": _output(
            "--out", metavar="DIR", help="Run folder. (default: runs/ and a name made from the command)"
        ),
        "fresh": _FRESH,
        "json_": _JSON,
    },
}
"""Record -> field -> its flag. A field without a flag keeps its default."""

AS_TYPED = {
    (Endpoint, "base_urls"): list[str] | None,
    (Endpoint, "role_models"): list[str] | None,
    (Settings, "n"): str,
    (Settings, "context"): str,
    (SandboxChoice, "packages"): str | None,
}
"""What is typed on the command line where the field holds something else."""

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
FreshOpt = Annotated[bool, _FRESH]
JsonOpt = Annotated[bool, _JSON]
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
        help="NAME:PATH with NAME one of lcb, humaneval, humaneval+, mbpp, mbpp+, apps, codecontests, jsonl; "
        "NAME or NAME@RELEASE alone is fetched; `examples` and `lists` are bundled. `sstar ls` lists them.",
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
        help="NAME:PATH with NAME one of lcb, humaneval, humaneval+, mbpp, mbpp+, apps, codecontests, jsonl; "
        "NAME or NAME@RELEASE alone is fetched; `examples` and `lists` are bundled. `sstar ls` lists them. "
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
ManySamplesArg = Annotated[
    list[Path],
    typer.Argument(metavar="SAMPLES...", help=f"{_SAMPLES_HELP} The names of several say who wrote them."),
]
