"""The flags of the model: where it is, how it is asked, what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.cli.options.flag import flag
from sstar_code.agent.jobs.choices import Endpoint
from sstar_code.agent.run.outcomes import Prices

_model = partial(flag, panel="Model")

MODEL_FLAGS: Mapping[type, Mapping[str, Any]] = {
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
            help="Another model for drafter, feedback, editor (repairs) or selector. Repeat it for several; "
            "selector given again is a further judge.",
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
}
"""Record -> field -> its flag."""
