"""What the simulated server shows beside completions: its load in vLLM's words, errors, models."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sstar_code.agent.testing.simulator.http import Page, make_json

if TYPE_CHECKING:
    from sstar_code.agent.testing.simulator.engine import Engine

__all__ = ["make_chunk", "make_completion", "make_error", "make_metrics", "make_models"]


def make_metrics(engine: Engine, model: str) -> Page:
    """VLLM's names and labels, as far as the engine knows the numbers."""
    cache = engine.cache
    gauges = {
        "num_requests_running": len(engine.running),
        "num_requests_waiting": len(engine.waiting),
        "kv_cache_usage_perc": cache.used / cache.kv_tokens,
    }
    counters = {
        "prefix_cache_queries": cache.queries,
        "prefix_cache_hits": cache.hits,
        "prompt_tokens": engine.prompt_tokens,
        "generation_tokens": engine.written_tokens,
        "num_preemptions": engine.preemptions,
    }
    label = f'{{engine="0",model_name="{model}"}}'
    lines: list[str] = []
    for name, value in gauges.items():
        lines += [f"# TYPE vllm:{name} gauge", f"vllm:{name}{label} {float(value)}"]
    for name, count in counters.items():
        lines += [f"# TYPE vllm:{name} counter", f"vllm:{name}_total{label} {float(count)}"]
    lines.append(f'vllm:request_success_total{{engine="0",finished_reason="stop",model_name="{model}"}} ')
    lines[-1] += str(float(engine.finished))
    return Page(("\n".join(lines) + "\n").encode(), kind="text/plain; version=0.0.4")


def make_models(names: tuple[str, ...], max_model_len: int) -> Page:
    """The list of models."""
    entries = [
        {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": max_model_len} for name in names
    ]
    return make_json({"object": "list", "data": entries})


def make_error(status: int, message: str, *, retry_after_s: float | None = None, param: str = "") -> Page:
    """An error as vLLM writes it."""
    error = {"message": message, "type": "error", "param": param or None, "code": status}
    headers = () if retry_after_s is None else (("retry-after", f"{retry_after_s:g}"),)
    return make_json({"error": error}, status, headers)


def make_completion(model: str, choices: list[tuple[str, str]], usage: dict[str, Any]) -> dict[str, Any]:
    """A chat completion; `choices` are (text, finish_reason)."""
    return {
        "id": "chatcmpl-simulated",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
            for index, (text, reason) in enumerate(choices)
        ],
        "usage": usage,
    }


def make_chunk(
    model: str,
    *,
    index: int | None = None,
    text: str = "",
    finish_reason: str | None = None,
    usage: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One event of a streamed completion; without `index` it has no choice, as the one with the usage."""
    delta = {"content": text} if text else {}
    choices = [] if index is None else [{"index": index, "delta": delta, "finish_reason": finish_reason}]
    chunk: dict[str, Any] = {
        "id": "chatcmpl-simulated",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": choices,
    }
    return chunk | ({"usage": usage} if usage is not None else {})
