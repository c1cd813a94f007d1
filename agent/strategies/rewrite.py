"""A new program from an earlier one and a text that says what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import next_round, seed_for
from sstar_code.agent.models.request import Purpose, Request, Stage

if TYPE_CHECKING:
    from sstar_code.agent.generation.develop import Target
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem


async def rewrite_program(
    lineage: Lineage, target: Target, advice: str, problem: Problem, context: SolveContext
) -> Lineage:
    """`lineage` with a round more: the program of `target`, changed by `advice` (`rewrite.j2`).

    Raises:
        As `Strategy`.
    """
    settings, index, best = context.settings, len(lineage.rounds), target.best
    request = Request(
        messages=context.prompts.render(
            "rewrite",
            problem,
            environment=context.environment,
            style=settings.style,
            code=best.code,
            summary=best.summary,
            advice=advice,
        ),
        purpose=Purpose(problem.id, Stage.DEBUG, lineage.sample, index),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, lineage.sample, index),
    )
    return await next_round(lineage, problem, context, target=target, requests=[request])
