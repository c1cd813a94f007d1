"""Options that several commands share, each with its flag, its environment variable and its help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sstar_code.agent.cli.counts import check_n

_MODEL, _METHOD, _RUN, _DATA = "Model", "Method", "Running programs", "Problems"

SetArg = Annotated[
    str,
    typer.Argument(
        metavar="SET",
        help="NAME:PATH with NAME one of lcb, humaneval, humaneval+, mbpp, mbpp+, apps, codecontests, jsonl; "
        "NAME or NAME@RELEASE alone is fetched; `examples` and `lists` are bundled. `sstar ls` lists them.",
    ),
]
SamplesArg = Annotated[
    Path,
    typer.Argument(
        metavar="SAMPLES",
        help='JSON Lines {"task_id", "solution"} or {"task_id", "completion"}, or a LiveCodeBench JSON list; '
        "plain or gzip; or a folder of programs.",
    ),
]
ManySamplesArg = Annotated[
    list[Path],
    typer.Argument(
        metavar="SAMPLES...",
        help='JSON Lines {"task_id", "solution"} or {"task_id", "completion"}, or a LiveCodeBench JSON list; '
        "plain or gzip; or a folder of programs. The names of several say who wrote them.",
    ),
]
ModelOpt = Annotated[
    str | None,
    typer.Option(
        "-m", "--model", envvar="SSTAR_MODEL", rich_help_panel=_MODEL,
        help="A name at the endpoint, vllm:NAME_OR_FOLDER to have it served, or replay:FILE for recorded "
        "calls.",
    ),
]  # fmt: skip
BaseUrlOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--base-url", envvar=["SSTAR_BASE_URL", "OPENAI_BASE_URL"], rich_help_panel=_MODEL,
        help="An OpenAI-compatible endpoint; its key is in OPENAI_API_KEY. Repeat it for several that serve "
        "the same model.  (default: http://localhost:8000/v1)",
    ),
]  # fmt: skip
VllmCommandOpt = Annotated[
    str | None,
    typer.Option(
        "--vllm-command", envvar="SSTAR_VLLM_COMMAND", rich_help_panel=_MODEL,
        help="For -m vllm: the vllm to start, like ../serving/bin/vllm.  (default: beside this Python, or on "
        "PATH)",
    ),
]  # fmt: skip
VllmArgsOpt = Annotated[
    str,
    typer.Option(
        "--vllm-args", envvar="SSTAR_VLLM_ARGS", rich_help_panel=_MODEL,
        help="For -m vllm: further words for `vllm serve`; they win over ours.",
    ),
]  # fmt: skip
PricePromptOpt = Annotated[
    float | None,
    typer.Option(
        "--price-prompt", envvar="SSTAR_PRICE_PROMPT", min=0.0, rich_help_panel=_MODEL,
        help="Of a million prompt tokens, for the report.",
    ),
]  # fmt: skip
PriceOutputOpt = Annotated[
    float | None,
    typer.Option(
        "--price-output", envvar="SSTAR_PRICE_OUTPUT", min=0.0, rich_help_panel=_MODEL,
        help="Of a million output tokens, for the report.",
    ),
]  # fmt: skip
MaxThinkingOpt = Annotated[
    int | None,
    typer.Option(
        "--max-thinking", envvar="SSTAR_MAX_THINKING", min=1, rich_help_panel=_MODEL,
        help="Tokens that a thinking model may think before it has to answer.",
    ),
]  # fmt: skip
NOpt = Annotated[
    str,
    typer.Option(
        "--n", envvar="SSTAR_N", metavar="N", callback=check_n, rich_help_panel=_METHOD,
        help="First samples a problem. 2..32: as many as are worth it, from 2 to 32; auto is that.",
    ),
]  # fmt: skip
RoundsOpt = Annotated[
    int,
    typer.Option(
        "--rounds", envvar="SSTAR_ROUNDS", min=0, rich_help_panel=_METHOD,
        help="Debugging rounds a sample at most.",
    ),
]  # fmt: skip
TemperatureOpt = Annotated[
    float,
    typer.Option(
        "--temperature", envvar="SSTAR_TEMPERATURE", min=0.0, max=2.0, rich_help_panel=_METHOD,
        help="Of samples and repairs.",
    ),
]  # fmt: skip
SeedOpt = Annotated[
    int,
    typer.Option(
        "--seed", envvar="SSTAR_SEED", rich_help_panel=_METHOD, help="Sample k is asked for with seed + k."
    ),
]
SelectOpt = Annotated[
    str,
    typer.Option(
        "--select", "--method", envvar="SSTAR_SELECT", rich_help_panel=_METHOD,
        help="Method whose choice is the answer; an unknown name lists all.",
    ),
]  # fmt: skip
MaxTokensOpt = Annotated[
    int,
    typer.Option(
        "--max-tokens", envvar="SSTAR_MAX_TOKENS", min=1, rich_help_panel=_MODEL,
        help="Of one answer, thinking included.",
    ),
]  # fmt: skip
ContextOpt = Annotated[
    str,
    typer.Option(
        "--context", envvar="SSTAR_CONTEXT", rich_help_panel=_METHOD,
        help="What a debugging round sees: all rounds of its sample, or the last.",
    ),
]  # fmt: skip
SystemRoleOpt = Annotated[
    str,
    typer.Option(
        "--system-role", envvar="SSTAR_SYSTEM_ROLE", rich_help_panel=_MODEL,
        help="system, developer, or user for models that refuse a system message.",
    ),
]  # fmt: skip
PromptsOpt = Annotated[
    Path | None,
    typer.Option(
        "--prompts", envvar="SSTAR_PROMPTS", rich_help_panel=_METHOD,
        help="Folder whose *.j2 files replace prompt templates by name.",
    ),
]  # fmt: skip
InFlightOpt = Annotated[
    int | None,
    typer.Option(
        "--max-in-flight", envvar="SSTAR_MAX_IN_FLIGHT", min=1, rich_help_panel=_MODEL,
        help="Model calls under way at once. (default: as many as the server runs, learnt from its load)",
    ),
]  # fmt: skip
TimeoutOpt = Annotated[
    float,
    typer.Option(
        "--call-timeout", envvar="SSTAR_CALL_TIMEOUT", min=1.0, rich_help_panel=_MODEL,
        help="Seconds one model call may take.",
    ),
]  # fmt: skip
RecordOpt = Annotated[
    Path | None,
    typer.Option(
        "--record", envvar="SSTAR_RECORD", rich_help_panel=_MODEL,
        help="Write every model call to this file; play it back with -m replay:FILE.",
    ),
]  # fmt: skip
MaxTokensTotalOpt = Annotated[
    int | None,
    typer.Option(
        "--max-tokens-total", envvar="SSTAR_MAX_TOKENS_TOTAL", min=1, rich_help_panel=_MODEL,
        help="Tokens (prompt and output) the run may spend.",
    ),
]  # fmt: skip
MaxTokensProblemOpt = Annotated[
    int | None,
    typer.Option(
        "--max-tokens-problem", envvar="SSTAR_MAX_TOKENS_PROBLEM", min=1, rich_help_panel=_MODEL,
        help="Tokens that one problem may spend; it is finished with what it has.",
    ),
]  # fmt: skip
MaxSecondsOpt = Annotated[
    float | None,
    typer.Option(
        "--max-seconds", envvar="SSTAR_MAX_SECONDS", min=0.0, rich_help_panel=_MODEL,
        help="Seconds after which no new call is made.",
    ),
]  # fmt: skip
SandboxOpt = Annotated[
    str,
    typer.Option(
        "--sandbox", envvar="SSTAR_SANDBOX", rich_help_panel=_RUN,
        help="auto, docker, local, or unsafe (no isolation; only for programs you trust).",
    ),
]  # fmt: skip
RuntimeOpt = Annotated[
    str | None,
    typer.Option(
        "--runtime", envvar="SSTAR_RUNTIME", rich_help_panel=_RUN,
        help="Container runtime for docker, like runsc.",
    ),
]  # fmt: skip
WorkersOpt = Annotated[
    int | None,
    typer.Option(
        "--workers", envvar="SSTAR_WORKERS", min=1, rich_help_panel=_RUN,
        help="Programs run at once. (default: the usable cores)",
    ),
]  # fmt: skip
RayOpt = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", envvar="SSTAR_RAY", rich_help_panel=_RUN,
        help="Run programs on every node of this Ray cluster (`auto`, or HOST:PORT), --workers on each; "
        "needs sstar\\[ray].",
    ),
]  # fmt: skip
LimitOpt = Annotated[
    int | None,
    typer.Option(
        "--limit", envvar="SSTAR_LIMIT", min=1, rich_help_panel=_DATA, help="Only the first problems."
    ),
]
FilterOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--filter", envvar="SSTAR_FILTER", rich_help_panel=_DATA,
        help="Only problems whose id matches this regular expression, or that say so of themselves: "
        "difficulty=hard, platform!=leetcode, difficulty=easy,medium, date=2024-08. Repeat it for both.",
    ),
]  # fmt: skip
StartDateOpt = Annotated[
    str | None,
    typer.Option(
        "--start-date", envvar="SSTAR_START_DATE", rich_help_panel=_DATA,
        help="Only problems published on this day or later (YYYY-MM-DD).",
    ),
]  # fmt: skip
EndDateOpt = Annotated[
    str | None,
    typer.Option(
        "--end-date", envvar="SSTAR_END_DATE", rich_help_panel=_DATA,
        help="Only problems published on this day or earlier.",
    ),
]  # fmt: skip
OutOpt = Annotated[
    Path | None,
    typer.Option(
        "--out", envvar="SSTAR_OUT",
        help="Run folder. (default: runs/ and a name made from the command)",
    ),
]  # fmt: skip
FreshOpt = Annotated[
    bool,
    typer.Option(
        "--fresh/--resume",
        help="Start anew (the old folder is kept beside it), or go on where the same command stopped.",
    ),
]
LogFileOpt = Annotated[
    Path | None,
    typer.Option(
        "--log-file", metavar="FILE", envvar="SSTAR_LOG_FILE",
        help="Append events (calls, programs, choices) to this file as JSON lines.",
    ),
]  # fmt: skip
OtelOpt = Annotated[
    bool,
    typer.Option(
        "--otel", envvar="SSTAR_OTEL",
        help="Send OpenTelemetry spans of model calls, to where OTEL_EXPORTER_OTLP_ENDPOINT says; needs "
        "sstar\\[otel].",
    ),
]  # fmt: skip
JsonOpt = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
EmitTestsOpt = Annotated[
    Path | None,
    typer.Option(
        "--emit-tests", metavar="FILE",
        help="Write inputs whose right output was confirmed as pytest tests; for several problems a folder.",
    ),
]  # fmt: skip
OverwriteOpt = Annotated[
    bool, typer.Option("--overwrite", help="Let --emit-tests replace files that are there.")
]
