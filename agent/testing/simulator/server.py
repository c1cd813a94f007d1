"""The simulated engine behind HTTP, as vLLM would be.

    with Simulator(EngineSpec(...), lambda body: Planned("hello", 20)) as server:
        model = OpenAIModel("tiny", base_url=server.base_url)

The engine lives in a thread of its own with its own event loop, so it writes whatever the client's loop does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from anyio.from_thread import start_blocking_portal

from sstar_code.agent.testing.server import Reply, ServerDouble, failure, make_completion
from sstar_code.agent.testing.simulator.engine import Engine, Job, QueueFullError
from sstar_code.agent.testing.simulator.model import LiveEngine, plan_by_dice
from sstar_code.agent.testing.simulator.prefix import count_tokens, cut_blocks

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from sstar_code.agent.testing.server import Fault
    from sstar_code.agent.testing.simulator.engine import EngineSpec
    from sstar_code.agent.testing.simulator.model import Planned

_TICK_S = 0.01
"""Seconds between two looks at what a stream can send."""
_LOOK_S = 0.1
"""Seconds between two looks at whether the client of a whole answer is still there."""


@dataclass(slots=True)
class _Sample:
    """One answer as it is written."""

    job: Job
    text: str
    finish_reason: str
    sent: int = 0
    """Characters that are out."""
    ended: bool = False

    def text_by(self, written: int) -> str:
        """The text of the first tokens; what one token is depends on the length of both."""
        return self.text[: len(self.text) * written // self.job.output_tokens]

    def write_new(self, index: int, written: int) -> bytes:
        """The event for what is new of the first tokens; empty where nothing is."""
        new, ended = self.text_by(written)[self.sent :], written >= self.job.output_tokens
        if self.ended or not (new or ended):
            return b""
        self.sent, self.ended = self.sent + len(new), ended
        return _write_delta(index, new, self.finish_reason if ended else None)


class Simulator(ServerDouble):
    """Serves a simulated engine on the loopback address while its `with` block lasts.

    Args:
        spec: the engine's limits and speeds.
        plan: the answer to a request's body; None: words without sense, lengths by dice.
        speed: simulated seconds in a second of the clock.
        models: names that it serves.
        priorities: whether it was started with `--scheduling-policy priority`.
        faults: what goes wrong; more can be put into `faults.coming` or sent to `POST /faults`.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        spec: EngineSpec,
        plan: Callable[[dict[str, Any]], Planned] = plan_by_dice,
        *,
        speed: float = 1.0,
        models: tuple[str, ...] = ("tiny",),
        priorities: bool = False,
        faults: Iterable[Fault] = (),
        port: int = 0,
    ) -> None:
        super().__init__(
            lambda body: self.answer_chat(body, cut_after=None),
            models=models,
            max_model_len=spec.max_model_len,
            version="simulated",
            pages={"/health": ""},
            faults=faults,
            port=port,
        )
        self.engine = Engine(spec, priorities=priorities)
        self.last_tokens: list[tuple[dict[str, Any], float]] = []
        """Body of each request that was answered, and `time.monotonic()` at its last token."""
        self._plan = plan
        self._live = LiveEngine(self.engine, speed=speed)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._live))
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._stack.close()

    def find_page(self, path: str) -> str | None:
        """The text at a fixed address; `/metrics` shows the engine as it is now."""
        if path != "/metrics":
            return super().find_page(path)
        self._portal.call(self._live.catch_up)
        return _show_metrics(self.engine, self.models[0])

    def answer_chat(self, body: dict[str, Any], cut_after: int | None) -> Reply:
        """The reply to a chat request, whole or streamed, one sample or several, as the engine writes it."""
        spec = self.engine.spec
        prompt = "\n".join(str(message.get("content", "")) for message in body["messages"])
        tokens = count_tokens(prompt)
        if tokens >= spec.max_model_len:
            text = f"the maximum context length is {spec.max_model_len} tokens, the prompt has {tokens}"
            return failure(400, text, param="input_tokens")
        samples = self._make_samples(body, prompt, tokens)
        try:
            ended, _ = self._portal.start_task(self._live.run, *(sample.job for sample in samples))
        except QueueFullError:
            return failure(503, "engine is currently busy")
        headers = {"content-type": "text/event-stream"} if body.get("stream") else {}
        pieces = self._write(body, samples, ended, cut_after)
        return Reply(pieces, headers=headers, cut=cut_after is not None)

    def _make_samples(self, body: dict[str, Any], prompt: str, tokens: int) -> list[_Sample]:
        spec = self.engine.spec
        blocks = cut_blocks(prompt, spec.block_tokens)
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or spec.max_model_len
        limit = min(limit, spec.max_model_len - tokens)
        samples = []
        for number in range(body.get("n") or 1):
            seed = body.get("seed")
            planned = self._plan(body if seed is None else body | {"seed": seed + number})
            written = max(1, min(planned.output_tokens, limit))
            kept = planned.text[: len(planned.text) * written // planned.output_tokens]
            job = Job(tokens, written, blocks, priority=body.get("priority") or 0)
            samples.append(_Sample(job, kept, "stop" if written == planned.output_tokens else "length"))
        return samples

    def _write(
        self, body: dict[str, Any], samples: list[_Sample], ended: Future[None], cut_after: int | None
    ) -> Generator[bytes, None, None]:
        """The pieces of the answer as the engine writes them; closed, it lets the engine forget the rest."""
        streamed, jobs = bool(body.get("stream")), [sample.job for sample in samples]
        tick_s = _TICK_S if streamed or cut_after is not None else _LOOK_S
        try:
            while True:
                done = bool(wait([ended], tick_s).done)
                written = self._portal.call(lambda: [self._live.written(job) for job in jobs])
                if cut_after is not None:
                    if written[0] >= min(cut_after, jobs[0].output_tokens):
                        yield _write_delta(0, samples[0].text_by(cut_after), None) if streamed else b""
                        return
                elif streamed:
                    for index, (sample, count) in enumerate(zip(samples, written, strict=True)):
                        yield sample.write_new(index, count)
                if done:
                    break
                yield b""
            yield _finish_stream(body, samples) if streamed else _make_whole(samples)
        finally:
            ended.cancel()
            ends = [job.ended_s for job in jobs if job.ended_s is not None]
            if len(ends) == len(jobs):
                self.last_tokens.append((body, self._live.moment(max(ends))))


def _count(samples: list[_Sample]) -> dict[str, Any]:
    first, output = samples[0].job, sum(sample.job.output_tokens for sample in samples)
    return {
        "prompt_tokens": first.prompt_tokens,
        "completion_tokens": output,
        "total_tokens": first.prompt_tokens + output,
        "prompt_tokens_details": {"cached_tokens": first.cached},
    }


def _make_whole(samples: list[_Sample]) -> bytes:
    choices = [({"content": sample.text}, sample.finish_reason) for sample in samples]
    return json.dumps(make_completion(choices, _count(samples))).encode()


def _write_event(choices: list[dict[str, Any]], **fields: Any) -> bytes:
    """One event of a streamed completion."""
    chunk = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "choices": choices}
    return f"data: {json.dumps(chunk | fields)}\n\n".encode()


def _write_delta(index: int, text: str, finish_reason: str | None) -> bytes:
    delta = {"content": text} if text else {}
    return _write_event([{"index": index, "delta": delta, "finish_reason": finish_reason}])


def _finish_stream(body: dict[str, Any], samples: list[_Sample]) -> bytes:
    counted = (body.get("stream_options") or {}).get("include_usage")
    usage = _write_event([], usage=_count(samples)) if counted else b""
    return usage + b"data: [DONE]\n\n"


def _show_metrics(engine: Engine, model: str) -> str:
    """A page with vLLM's names and labels, as far as the engine knows the numbers."""
    cache = engine.cache
    values: dict[str, float] = {
        "num_requests_running": len(engine.running),
        "num_requests_waiting": len(engine.waiting),
        "kv_cache_usage_perc": cache.used / cache.kv_tokens,
        "prefix_cache_queries_total": cache.queries,
        "prefix_cache_hits_total": cache.hits,
        "prompt_tokens_total": engine.prompt_tokens,
        "generation_tokens_total": engine.written_tokens,
        "num_preemptions_total": engine.preemptions,
        "request_success_total": engine.finished,
    }
    label = f'{{engine="0",model_name="{model}"}}'
    return "".join(f"vllm:{name}{label} {float(value)}\n" for name, value in values.items())
