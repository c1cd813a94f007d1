"""A chat request on the simulated engine: whole or streamed, one sample or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.testing.simulator.engine import Job
from sstar_code.agent.testing.simulator.http import make_json
from sstar_code.agent.testing.simulator.pages import make_chunk, make_completion, make_error
from sstar_code.agent.testing.simulator.prefix import count_tokens, cut_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sstar_code.agent.testing.simulator.http import Connection
    from sstar_code.agent.testing.simulator.live import LiveEngine
    from sstar_code.agent.testing.simulator.model import Planned

__all__ = ["Chat"]

_TICK_S = 0.01
"""Between two looks at what a stream can send."""


@dataclass(slots=True)
class _Sample:
    """One answer as it is written."""

    job: Job
    text: str
    finish_reason: str
    sent: int = 0

    def text_by(self, written: int) -> str:
        """The text of the first tokens; what one token is depends on the length of both."""
        return self.text[: len(self.text) * written // self.job.output_tokens]


class Chat:
    """Answers chat requests with `plan`, when `live` has written them."""

    def __init__(self, live: LiveEngine, plan: Callable[[dict[str, Any]], Planned]) -> None:
        self._live = live
        self._plan = plan
        self.last_tokens: list[tuple[dict[str, Any], float]] = []
        """Body of each request that was answered, and the loop's time of its last token."""

    async def answer(self, body: dict[str, Any], connection: Connection, *, ends_at: int | None) -> bool:
        """Answer `body`; False where the client went, or the answer was cut after `ends_at` tokens.

        Raises:
            QueueFullError: the engine's line is full; nothing was sent.
        """
        spec = self._live.engine.spec
        prompt = "\n".join(str(message.get("content", "")) for message in body["messages"])
        tokens = count_tokens(prompt)
        if tokens >= spec.max_model_len:
            text = f"the maximum context length is {spec.max_model_len} tokens, the prompt has {tokens}"
            await connection.send(make_error(400, text, param="input_tokens"))
            return True
        samples = self._make_samples(body, prompt, tokens)
        events: list[anyio.Event] = []
        try:
            for sample in samples:
                events.append(self._live.start(sample.job))  # noqa: PERF401 - those begun are stopped on error
            whole = False
            async with anyio.create_task_group() as group:

                async def watch() -> None:
                    await connection.wait_until_gone()
                    group.cancel_scope.cancel()

                group.start_soon(watch)
                if ends_at is not None:
                    await self._cut(body, samples, connection, ends_at)
                elif body.get("stream"):
                    await self._stream(body, samples, connection)
                    whole = True
                else:
                    for event in events:
                        await event.wait()
                    await connection.send(make_json(self._make_whole(body, samples)))
                    whole = True
                group.cancel_scope.cancel()
            return whole
        finally:
            ends = [sample.job.ended_s for sample in samples if sample.job.ended_s is not None]
            if len(ends) == len(samples):
                self.last_tokens.append((body, self._live.moment(max(ends))))
            for sample in samples:
                self._live.stop(sample.job)

    def _make_samples(self, body: dict[str, Any], prompt: str, tokens: int) -> list[_Sample]:
        spec = self._live.engine.spec
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

    def _count(self, samples: Sequence[_Sample]) -> dict[str, Any]:
        first, output = samples[0].job, sum(sample.job.output_tokens for sample in samples)
        return {
            "prompt_tokens": first.prompt_tokens,
            "completion_tokens": output,
            "total_tokens": first.prompt_tokens + output,
            "prompt_tokens_details": {"cached_tokens": first.cached},
        }

    def _make_whole(self, body: dict[str, Any], samples: Sequence[_Sample]) -> dict[str, Any]:
        texts = [(sample.text, sample.finish_reason) for sample in samples]
        return make_completion(body["model"], texts, self._count(samples))

    async def _stream(self, body: dict[str, Any], samples: Sequence[_Sample], connection: Connection) -> None:
        model, left = body["model"], list(enumerate(samples))
        await connection.begin_events()
        while left:
            await anyio.sleep(_TICK_S)
            for index, sample in list(left):
                written = self._live.written(sample.job)
                new = sample.text_by(written)[sample.sent :]
                ended = written >= sample.job.output_tokens
                if new or ended:
                    reason = sample.finish_reason if ended else None
                    await connection.send_event(
                        make_chunk(model, index=index, text=new, finish_reason=reason)
                    )
                    sample.sent += len(new)
                if ended:
                    left.remove((index, sample))
        if (body.get("stream_options") or {}).get("include_usage"):
            await connection.send_event(make_chunk(model, usage=self._count(samples)))
        await connection.send_event("[DONE]")
        await connection.end_events()

    async def _cut(
        self, body: dict[str, Any], samples: Sequence[_Sample], connection: Connection, tokens: int
    ) -> None:
        """Send what a connection that breaks after so many tokens has sent."""
        job = samples[0].job
        if body.get("stream"):
            await connection.begin_events()
        while self._live.written(job) < min(tokens, job.output_tokens):  # noqa: ASYNC110 - a clock, no event
            await anyio.sleep(_TICK_S)
        if body.get("stream"):
            text = samples[0].text_by(tokens)
            await connection.send_event(make_chunk(body["model"], index=0, text=text))
