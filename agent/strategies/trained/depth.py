"""Samples and repairs by one of several models that are the same one at several depths.

Source: latent recurrent depth (arXiv 2502.05171): a model whose middle block was trained to run any number
of times, r, is made to think longer by a larger r. To a server each r is a model: with weights of its own
where it is unrolled, else the same with another setting.

Departures: r is one for a whole answer here, since engines have no exit for each token. With `first` it is
execution that ends the loops: a program that fails the public tests is repaired at twice the depth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.strategies.sample import Sample

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.models.request import Answer, Model, Request
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem

_END = re.compile(r"-r\d+$")


@dataclass(frozen=True, slots=True)
class Depth:
    """As `sample`, with programs of the model NAME-rR at the endpoint of `-m`."""

    r: int = 4
    """Loops, those of the last repairs where `first` is given."""
    first: int = 0
    """Loops of first samples, doubled with each repair up to `r`; 0: `r` for all."""
    name: str = ""
    """NAME; empty: that of `-m` without an `-rR` of its own."""

    def __post_init__(self) -> None:
        if self.r < 1:
            raise ValueError("r must be at least 1")
        if not 0 <= self.first <= self.r:
            raise ValueError("first must be from 1 to r, or 0 for r")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """As `Sample`; what else is asked about the problem is put to the model of `-m`."""
        family = self.name or _END.sub("", context.model.name)
        deep = replace(context, model=_DepthModel(context.model, family, self))
        return await Sample()(problem, deep, on_sample)

    def most_calls(self, settings: Settings) -> int:
        """As `Sample`."""
        return Sample().most_calls(settings)

    def loops(self, round_index: int) -> int:
        """The loops of a round's call."""
        return min(self.r, self.first << round_index) if self.first else self.r


class _DepthModel:
    """Asks `model`'s endpoint for the member of `family` that a call's round wants."""

    def __init__(self, model: Model, family: str, depth: Depth) -> None:
        self.name = model.name
        self._model, self._family, self._depth = model, family, depth

    async def ask(self, request: Request) -> Answer:
        """As `Model.ask`; the name is a field of the body, so the store keeps the depths apart."""
        name = f"{self._family}-r{self._depth.loops(request.purpose.round)}"
        return await self._model.ask(replace(request, extra={**request.extra, "model": name}))
