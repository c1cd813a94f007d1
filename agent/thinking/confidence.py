"""DeepConf, online: samples that the model is less sure of than of its first ones are given up on the way.

Source: DeepConf (arXiv 2508.15260). The first samples of a problem are written to their end; the least group
confidence of each is kept, and the quantile 1 - `keep` of these is what every later sample has to hold. One
that falls below is given up, and has no vote. The others vote with their confidence as weight (the method
`majority`). Departures: the warm-up is at most half of the samples, a sample that was given up is not
repaired, and there is no early end by consensus: the strategy decides on how many samples there are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.models.request import UNSURE, Answer, ModelUserError, Stage, Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.models.request import Model, Request
    from sstar_code.agent.thinking.options import Confidence


def choose_least(seen: Sequence[float], keep: float) -> float | None:
    """The confidence that a share `keep` of `seen` has, linear between two; None of fewer than two."""
    if len(seen) < 2:
        return None
    ordered = sorted(seen)
    place = (1.0 - keep) * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


class WatchedSamples:
    """Asks for the first samples of one problem, watched; those after the warm-up wait for it.

    The least confidence is set when the whole warm-up is in, so it never hangs on which answer came first.
    """

    def __init__(self, model: Model, plan: Confidence, samples: int) -> None:
        self._model = model
        self._plan = plan
        self._warmup = min(plan.warmup, max(1, samples // 2))
        self._seen: dict[int, float | None] = {}
        self._ended = [anyio.Event() for _ in range(self._warmup)]

    @staticmethod
    def wants(request: Request) -> bool:
        """Whether `request` is for a first sample."""
        purpose = request.purpose
        return purpose.stage is Stage.GENERATE and purpose.round == 0 and not purpose.ordinal

    async def ask(self, request: Request) -> Answer:
        """The answer; one that was given up is all thinking, with the reason of its end.

        Raises:
            ModelUserError: the server gives no probabilities with its stream.
            ModelError: as `Model.ask`.
        """
        number, plan = request.purpose.sample, self._plan
        if number < self._warmup:
            try:
                answer = await self._ask(request, Watch(plan.window))
                self._seen[number] = answer.confidence
            finally:
                self._ended[number].set()
            return answer
        for ended in self._ended:
            await ended.wait()
        known = [value for value in self._seen.values() if value is not None]
        answer = await self._ask(request, Watch(plan.window, choose_least(known, plan.keep)))
        if answer.finish_reason != UNSURE:
            return answer
        return replace(answer, text="", reasoning=answer.reasoning + answer.text)

    async def _ask(self, request: Request, watch: Watch) -> Answer:
        answer = await self._model.ask(replace(request, watch=watch))
        if answer.confidence is None and (answer.text or answer.reasoning):
            raise ModelUserError(
                "--confidence: the server gives no log probabilities with a streamed answer; serve the model "
                "with vLLM, or leave it out"
            )
        return answer
