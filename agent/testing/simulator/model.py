"""The simulated engine as a model that is asked in process."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sstar_code.agent.models.load import Load
from sstar_code.agent.models.request import Answer, Usage
from sstar_code.agent.testing.simulator.engine import Job
from sstar_code.agent.testing.simulator.live import LiveEngine
from sstar_code.agent.testing.simulator.prefix import CHARS_PER_TOKEN, count_tokens, cut_blocks

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Request
    from sstar_code.agent.testing.simulator.engine import Engine

_MEAN_TOKENS = 300
_SIGMA = 0.6


@dataclass(frozen=True, slots=True)
class Planned:
    """An answer to come, and how many tokens it takes, whatever the text is."""

    text: str
    output_tokens: int


class SimulatedModel:
    """Answers with `plan` of a request, when `engine` would have written it.

    An asynchronous context manager, for one event loop.

    Args:
        engine: what writes.
        plan: the answer to a request.
        says_limit: whether the server tells how many sequences it runs at once.
    """

    def __init__(
        self, engine: Engine, plan: Callable[[Request], Planned], *, says_limit: bool = False
    ) -> None:
        self.name = "simulated"
        self.engine = engine
        self.priorities = engine.priorities
        self.max_num_seqs = engine.spec.max_num_seqs if says_limit else None
        self._plan = plan
        self._live = LiveEngine(engine)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._live)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, request: Request) -> Answer:
        """The planned answer; cancelled, the engine stops writing it."""
        planned = self._plan(request)
        prompt = "\n".join(message.content for message in request.messages)
        limit = request.max_tokens or planned.output_tokens
        job = Job(
            prompt_tokens=count_tokens(prompt),
            output_tokens=min(planned.output_tokens, limit),
            blocks=cut_blocks(prompt, self.engine.spec.block_tokens),
            priority=request.priority or 0,
        )
        await self._live.run(job)
        return Answer(
            text=planned.text,
            finish_reason="length" if planned.output_tokens > limit else "stop",
            usage=Usage(prompt=job.prompt_tokens, cached=job.cached, output=job.output_tokens),
            model=self.name,
            seconds=(job.ended_s or 0.0) - job.arrived_s,
        )

    async def read_load(self) -> Load:
        """The engine's load."""
        return Load(len(self.engine.running), len(self.engine.waiting))


def plan_by_dice(body: dict[str, Any]) -> Planned:
    """The same text for the same messages and seed; lengths are lognormal with a mean of 300 tokens."""
    dice = random.Random(json.dumps([body["messages"], body.get("seed")], sort_keys=True))
    tokens = max(1, round(dice.lognormvariate(math.log(_MEAN_TOKENS) - _SIGMA**2 / 2, _SIGMA)))
    letters = "".join(dice.choices("abcdefgh ", k=CHARS_PER_TOKEN * tokens))
    return Planned(letters, tokens)
