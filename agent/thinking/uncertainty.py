"""MUR: an answer is written step by step, and only steps that the model is unsure of are written again.

Source: momentum uncertainty guided reasoning (arXiv 2507.14958; yayayacc/MUR). A step ends at a stop word; u
is the mean log probability of its tokens, and m the moving mean of u, 0.9 m + 0.1 u after each step, from 0.
A step but the first is scaled where exp(u) < gamma exp(m): four are sampled and the best is kept. At most 20
steps; what follows is written in one piece.

Departures: a step ends at a blank line. Where there a critic says which step is best, here it is the one that
the model is surest of, and the step that was unsure is one of the four. Nothing is scaled at temperature 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.generation.written import Written, write_on

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Model, Request
    from sstar_code.agent.thinking.options import Mur

_STOPS = ("\n\n",)
_STEPS = 20
_RATE = 0.9
"""What the moving mean keeps of itself at each step."""
_SEED_STEP = 375_017
"""Between the seeds of the candidates for a step: no sample or repair has one of these."""


@dataclass(frozen=True, slots=True)
class ScaledSteps:
    """Answers `request` by `model`, as `plan` says."""

    model: Model
    request: Request
    plan: Mur

    async def ask(self) -> Answer:
        """The answer; its tokens are its own, and those of steps that were not kept count as calls only.

        Raises:
            ModelUserError: the server gives no token ids or no log probabilities.
            As `Model.ask`.
        """
        written, mean, step = Written(), 0.0, 0
        while written.goes_on:
            made = await self._write(written, step, 0)
            is_unsure = math.exp(made.logprob) < self.plan.gamma * math.exp(mean)
            if 0 < step < _STEPS and is_unsure and self.request.temperature != 0.0:
                made = await self._scale(made, written, step)
            written, step = made, step + 1
            mean = _RATE * mean + (1.0 - _RATE) * made.logprob
        return written.as_answer()

    async def _scale(self, made: Written, written: Written, step: int) -> Written:
        """The surest of the step that was `made` behind `written` and others in its place."""
        others: dict[int, Written] = {0: made}

        async def add(number: int) -> None:
            others[number] = await self._write(written, step, number)

        async with anyio.create_task_group() as group:
            for number in range(1, self.plan.candidates):
                group.start_soon(add, number)
        return max((others[number] for number in sorted(others)), key=lambda other: other.logprob)

    async def _write(self, written: Written, step: int, number: int) -> Written:
        request, purpose = self.request, self.request.purpose
        name = f"step-{step}/{number}" if number else f"step-{step}"
        told = replace(purpose, ordinal=f"{purpose.ordinal}/{name}" if purpose.ordinal else name)
        if request.seed is not None:
            request = replace(request, seed=request.seed + _SEED_STEP * number)
        stops = _STOPS if step < _STEPS else ()
        return await write_on(self.model, request, written, told, stops=stops, flag="--mur")
