"""Learning from feedback at test time: a failed trial changes the model's weights before the next one.

Source: FTTT (arXiv 2502.15771; LaVi-Lab/FTTT): up to 32 trials, one after the other. After one that fails the
model takes a step on the text "Your answer is incorrect.", as the next turn of the conversation that the
trial was: LoRA of rank 4 (alpha 16, dropout 0.05) on the queries and values, AdamW at 1e-5, loss on that text
alone. The next trial is sampled from the changed model; each problem begins with the model as it was.

Departures: the text is what the program did on the public tests it fails (`plain` is the published one). The
answer in the conversation is the program alone, without what stood around it. Trials are `--n` at a time: the
first wave is the model's own, and each step takes the mean loss over its different failed programs, then
every sample that has not passed is tried once more; `--n 1` is the published form. There are `--rounds` steps
and `steps` at most: others saw such models get worse after one or two. A changed model's program stands for a
sample only where it passes more public tests than the model's own. When the failed programs of a step are
fewer different ones than `keep` of those before any step, the model has sharpened on its mistakes, and no
further step is taken. The published second loss, on a reflection of the model, is left out.

With `optimizer` the step is one that an optimiser makes of that gradient which was trained towards right
solutions of other problems: OpTune, of the same paper (`models/adapters/learned_step.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import first_sample, has_ended, next_round, seed_for
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.agent.generation.plans import plan_for
from sstar_code.agent.models.adapters.training import Training, Trial
from sstar_code.agent.models.request import Purpose, Request, Stage
from sstar_code.agent.prompts.shown import fence
from sstar_code.agent.prompts.templates import render_macro
from sstar_code.agent.strategies.sample import grow_together
from sstar_code.agent.telemetry.events import log_event
from sstar_code.problems import UserError
from sstar_code.selection.evidence.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sstar_code.agent.generation.lineage import Round
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem

_PLAIN = "Your answer is incorrect."
_RATE = 1e-5


@dataclass(frozen=True, slots=True)
class Learn:
    """`n` samples of the model; then, up to `rounds` times, a step on how they fail and those anew."""

    steps: int = 4
    """Steps at most, whatever `rounds` says."""
    rate: float = _RATE
    """The learning rate."""
    keep: float = 0.5
    """The share of different failed programs, of those of the first wave, below which no step follows."""
    plain: bool = False
    """Learn the published sentence, not what the program did."""
    device: str = ""
    """Where the steps are taken, like `cpu` or `cuda:1`; empty: on a GPU where there is one."""
    optimizer: str = ""
    """The file of a learned optimiser, which makes the steps in place of AdamW."""

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 4 or not 0 < self.rate <= 1 or not 0 <= self.keep <= 1:
            raise ValueError("steps must be from 1 to 4, rate above 0 and at most 1, keep from 0 to 1")
        if self.optimizer and self.rate != _RATE:
            raise ValueError("optimizer must be given without rate: a learned optimiser has its own")
        if self.optimizer and not (Path(self.optimizer).is_file() and os.access(self.optimizer, os.R_OK)):
            raise ValueError(f"optimizer={self.optimizer} must be a file that can be read")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """The first wave; then, step by step, an adapter for this problem and the samples that still fail."""
        adapters, settings = context.adapters, context.settings
        if adapters is None:
            raise UserError(
                "--strategy learn: it needs a model that is served and trained here: -m vllm:MODEL with "
                "sstar solve, eval or compare"
            )
        begin = partial(_begin, problem, context)
        made = dict(enumerate(await grow_together(range(settings.n), begin)))
        taken: list[tuple[Trial, ...]] = []
        for step in range(1, min(settings.rounds, self.steps) + 1):
            going = [number for number, lineage in made.items() if not has_ended(lineage, problem)]
            trials = await self._list_trials([made[number] for number in going], problem, context)
            if not trials:
                break
            taken.append(trials)
            training = Training(tuple(taken), self.rate, settings.seed, self.device, self.optimizer)
            async with adapters.hold(training) as name:
                try_again = partial(_try_again, made, name, problem, context)
                made |= zip(going, await grow_together(going, try_again), strict=True)
            if self._is_sharpened([made[number] for number in going], problem, step):
                break
        for lineage in made.values():
            on_sample(lineage)
        return tuple(made.values())

    def most_calls(self, settings: Settings) -> int:
        """The first wave, and one more program of each sample a step."""
        return settings.n * (1 + min(settings.rounds, self.steps))

    async def _list_trials(
        self, lineages: Sequence[Lineage], problem: Problem, context: SolveContext
    ) -> tuple[Trial, ...]:
        """The last programs of samples that fail, each once, with what it is told."""
        trials: dict[str, Trial] = {}
        for lineage in lineages:
            last = lineage.rounds[-1]
            if last.code is not None:
                asked = await _ask_first(lineage.sample, problem, context)
                answer = fence(last.code, "python")
                told = tell_failure(last, is_plain=self.plain)
                trials.setdefault(last.code, Trial(asked.messages, answer, told))
        return tuple(trials.values())

    def _is_sharpened(self, lineages: Sequence[Lineage], problem: Problem, step: int) -> bool:
        """Whether the samples that fail are fewer different programs than `keep` of their first ones."""
        failing = [item for item in lineages if not has_ended(item, problem) and item.rounds[-1].code]
        now, before = ({_name(item.rounds[place]) for item in failing} for place in (-1, 0))
        is_sharpened = len(now) < self.keep * len(before)
        log_event("step.learnt", step=step, failing=len(failing), different=len(now), stops=is_sharpened)
        return is_sharpened


def tell_failure(failed: Round, *, is_plain: bool = False) -> str:
    """What a failed program's trial is told, and the model learns."""
    if is_plain or not failed.failures:
        return _PLAIN
    return render_macro("feedback.j2", "incorrect", _PLAIN, failed.summary, failed.failures)


def _name(one: Round) -> str:
    return fingerprint(one.code or "")


async def _ask_first(sample: int, problem: Problem, context: SolveContext) -> Request:
    """What the sample's first answer was asked with."""
    return first_sample(problem, context, sample, await plan_for(sample, problem, context))


async def _begin(problem: Problem, context: SolveContext, number: int) -> Lineage:
    return await next_round(Lineage(number, ()), problem, context)


async def _try_again(
    made: Mapping[int, Lineage], name: str, problem: Problem, context: SolveContext, number: int
) -> Lineage:
    """The sample with what the adapter `name` answers to its first question."""
    lineage, settings = made[number], context.settings
    index = len(lineage.rounds)
    asked = await _ask_first(number, problem, context)
    request = Request(
        messages=asked.messages,
        purpose=Purpose(problem.id, Stage.DEBUG, number, index, ordinal="learnt"),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, number, index),
        extra={"model": name},
    )
    return await next_round(lineage, problem, context, requests=[request])
