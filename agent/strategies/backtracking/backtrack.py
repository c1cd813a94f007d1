"""Self-backtracking without training: a wrong program is cut where it went wrong, and continued from there.

Source: Self-Backtracking (arXiv 2502.04404; LAMDASZ-ML/Self-Backtracking): a model trained to write
`<backtrack>` behind a wrong line; the line is dropped and the search goes on from the state before it, at
most b = 2 times, from 8 sampled beams, with a set of visited states.

Departures: no model is trained, execution plays the token. A public test that fails is run line by line, and
the program is cut before the statement that the first wrong value came from: what was printed, returned, or
raised (`trace`, `rollback`). The rest is written anew as the continuation of an answer that begins with what
is kept, so nothing before the cut can change; of what stood before the program nothing is kept. A program
that was continued without success is cut one statement of the same slice earlier each time; samples begin at
`spread` different statements, since b steps of one line seldom reach the fault. b is `--rounds`, the beams
are `--n`; the best program of a sample is rolled back, which need not be the last. For a model that has the
token, `token` is the published form (`trained`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import Target, next_round, seed_for
from sstar_code.agent.generation.prefix import Prefix, check_continues
from sstar_code.agent.models.request import Message, Purpose, Request, Stage
from sstar_code.agent.strategies.backtracking.rollback import list_cuts
from sstar_code.agent.strategies.backtracking.trace import trace_failure
from sstar_code.agent.strategies.backtracking.trained import TrainedBacktracking
from sstar_code.agent.strategies.sample import grow_by

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem


@dataclass(frozen=True, slots=True)
class Backtrack:
    """`n` samples, each rolled back and continued up to `rounds` times."""

    spread: int = 4
    """Statements that the first rollbacks of the samples are spread over; 1 is the published form."""
    token: str = ""
    """What a model was trained to write behind a wrong line; empty: execution plays the token."""
    kept: int = 0
    """With `token`, states that are gone on with after each rollback; 0: the root of `n`, as published."""

    def __post_init__(self) -> None:
        if self.spread < 1 or self.kept < 0:
            raise ValueError("spread must be at least 1, and kept at least 0")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """All samples at once, each on its own; with `token` they share the states that are kept."""
        if self.token:
            made = await TrainedBacktracking(problem, context, self.token, self.kept).search()
            for lineage in made:
                on_sample(lineage)
            return tuple(made)
        return await grow_by(self._roll_back, problem, context, on_sample)

    def most_calls(self, settings: Settings) -> int:
        """A first answer and every continuation of each sample, and the look at what the server can."""
        return settings.n * (settings.rounds + 1) + 1

    async def _roll_back(self, lineage: Lineage, problem: Problem, context: SolveContext) -> Lineage:
        """The sample with its best program cut and continued; without a program it is asked for again."""
        target, index, settings = Target.of(lineage), len(lineage.rounds), context.settings
        code = target.best.code
        if code is None:
            return await next_round(lineage, problem, context)
        await check_continues(problem.id, context)
        cuts = list_cuts(code, await trace_failure(problem, code, context.sandbox))
        tried = sum(made.base == target.best.index for made in lineage.rounds)
        place = lineage.sample % self.spread + tried
        prefix = Prefix.of(code, cuts[min(place, len(cuts) - 1)])
        request = Request(
            messages=(
                *context.prompts.render(
                    "generate",
                    problem,
                    environment=context.environment,
                    style="direct",
                    lessons=context.shown,
                ),
                Message("assistant", prefix.text),
            ),
            purpose=Purpose(problem.id, Stage.DEBUG, lineage.sample, index, ordinal="continue"),
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=seed_for(settings.seed, lineage.sample, index),
            extra={"continue_final_message": True, "add_generation_prompt": False},
        )
        return await next_round(lineage, problem, context, target=target, requests=[request], prefix=prefix)
