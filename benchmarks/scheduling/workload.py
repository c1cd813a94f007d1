"""What the schedule benchmark asks: problems whose answers are dice, and a sandbox of a fixed cost."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.models import Stage
from sstar_code.agent.testing.simulator import Planned
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.fake import FakeSandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.models import Request
    from sstar_code.sandbox import Execution, Limits, Program

__all__ = ["Dice", "TimedSandbox", "make_problems"]

_RIGHT = "42"


def make_problems(count: int) -> list[Problem]:
    """Problems with a statement of about 500 tokens and three public tests."""
    return [
        Problem(
            id=f"p{number:04d}",
            statement=f"Problem {number}. " + f"Read an integer and print what task {number} says. " * 40,
            kind=Kind.STDIN,
            public_tests=tuple(Test(input=f"{place}\n", output=_RIGHT) for place in range(3)),
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Dice:
    """The answer to a request, from its purpose alone: the same whatever the schedule.

    Args:
        mean_tokens: of a program's answer; lengths are lognormal.
        sigma: of their logarithm.
        selection_tokens: the same mean for questions of selection.
        first_rate: share of first samples that pass the public tests.
        repair_rate: share of repairs that do.
        behaviours: different things that passing programs do on other inputs.
    """

    mean_tokens: float = 600
    sigma: float = 0.6
    selection_tokens: float = 300
    first_rate: float = 0.35
    repair_rate: float = 0.25
    behaviours: int = 3

    def __call__(self, request: Request) -> Planned:
        purpose = request.purpose
        dice = random.Random(
            f"{purpose.problem_id} {purpose.stage} {purpose.sample} {purpose.round} {purpose.ordinal}"
        )
        writes = purpose.stage in (Stage.GENERATE, Stage.DEBUG)
        mean = self.mean_tokens if writes else self.selection_tokens
        length = dice.lognormvariate(math.log(mean) - self.sigma**2 / 2, self.sigma)
        tokens = max(16, min(round(length), request.max_tokens or 4096))
        if not writes:
            return Planned("```json\n[3, 4, 5]\n```\nANSWER: 2", tokens)
        rate = self.first_rate if purpose.stage is Stage.GENERATE else self.repair_rate
        kind = "right" if dice.random() < rate else "wrong"
        marks = f"{kind} {dice.randrange(self.behaviours)} {dice.randrange(10**9)}"
        return Planned(f"```python\nNAME = {marks!r}\nprint(input())\n```", tokens)


def _happen(program: Program, text: str) -> str:
    kind, behaviour, _ = program.code.split("'")[1].split()
    if text.strip() in ("0", "1", "2"):
        return _RIGHT if kind == "right" else "41"
    return behaviour


class TimedSandbox(FakeSandbox):
    """The scripted sandbox, with `run_s` seconds for each run of a program on an input, `workers` at once."""

    def __init__(self, *, run_s: float, workers: int) -> None:
        super().__init__(_happen, workers=workers)
        self._run_s = run_s
        self._places = anyio.CapacityLimiter(workers)

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        async with self._places:
            done = await super().run(program, inputs, limits, stop_on_failure=stop_on_failure)
            await anyio.sleep(self._run_s * len(done))
        return done
