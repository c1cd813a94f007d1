"""Drafts, feedback on each, and edits by that feedback, each by a model of its own; selection as usual.

Source: feedback and edit models at inference time (arXiv 2503.04378, HelpSteer3): a drafter, a feedback model
(50 to 250 words that begin with "The response is {not, slightly, partially, mostly, perfectly} helpful", up
to three a draft, of which constructive ones are kept), an editor that follows it, and a selector. There the
gain comes from models trained for their roles: feedback and edits by the drafter itself did not help.

Departures: the feedback is given what the program does on the public tests it fails, and says how right the
program is. Feedback that calls such a program perfectly right, or says next to nothing, is asked for again,
up to `tries` times; without any the editor repairs by what happened alone (`debug.j2`). A step edits the best
program of a sample, so an edit that breaks it is rolled back and the draft stays in the pool. A program that
passes the public tests gets no feedback. The selector is the method of `--select`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import Target, next_round, seed_for
from sstar_code.agent.models.request import CallError, Purpose, Request, Stage
from sstar_code.agent.strategies.rewrite import rewrite_program
from sstar_code.agent.strategies.sample import grow_by

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem

_STEP = 625_003
"""Added, once for each try, to the seed of an edit for that of its feedback."""
_FEWEST_WORDS = 15
_PRAISE = re.compile(r"\bprogram is perfectly right\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FeedbackEdit:
    """`n` drafts, each edited up to `rounds` times by feedback on what it does."""

    tries: int = 3
    """Feedback that is asked for before an edit at most, until one is constructive."""

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError("tries must be at least 1")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """All drafts at once; each is told of and edited while others are still written."""
        return await grow_by(self._edit, problem, context, on_sample)

    def most_calls(self, settings: Settings) -> int:
        """The drafts; for each edit `tries` times feedback and the edit."""
        return settings.n * (1 + settings.rounds * (self.tries + 1))

    async def _edit(self, lineage: Lineage, problem: Problem, context: SolveContext) -> Lineage:
        """The sample with its best program edited by the first feedback that is constructive."""
        target = Target.of(lineage)
        for number in range(self.tries if target.best.code is not None else 0):
            told = await _ask_feedback(target, number, lineage, problem, context)
            if _is_constructive(told):
                return await rewrite_program(lineage, target, told, problem, context)
        return await next_round(lineage, problem, context, target=target)


async def _ask_feedback(
    target: Target, number: int, lineage: Lineage, problem: Problem, context: SolveContext
) -> str:
    """What the feedback model says of the program; empty where the call failed."""
    settings, index, best = context.settings, len(lineage.rounds), target.best
    request = Request(
        messages=context.prompts.render(
            "review",
            problem,
            environment=context.environment,
            code=best.code,
            failures=best.failures,
            summary=best.summary,
        ),
        purpose=Purpose(problem.id, Stage.DEBUG, lineage.sample, index, ordinal=f"feedback-{number}"),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, lineage.sample, index) + _STEP * (number + 1),
    )
    try:
        return (await context.model.ask(request)).text.strip()
    except CallError:
        return ""


def _is_constructive(told: str) -> bool:
    """Whether feedback on a program that fails says something to change."""
    return len(told.split()) >= _FEWEST_WORDS and not _PRAISE.search(told)
