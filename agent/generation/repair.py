"""What a sample asks the model: its first program, then repairs of the best so far by what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.agent.models.request import Purpose, Request, Stage
from sstar_code.agent.prompts.templates import render_macro

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem

_ROUND_STEP = 1_000_003
"""Between the seeds of two rounds: more than any number of samples, so that no two calls share a seed."""

_MAX_EARLIER = 3
"""Earlier rounds shown; each is capped by the template too."""


def seed_for(seed: int, sample: int, index: int) -> int:
    """`seed` + sample + 1,000,003 * round."""
    return seed + sample + _ROUND_STEP * index


def first_sample(problem: Problem, prompts: Prompts, sample: int, settings: Settings) -> Request:
    """The request for sample number `sample`; samples differ by their seed alone."""
    return Request(
        messages=prompts.render("generate", problem),
        purpose=Purpose(problem.id, Stage.GENERATE, sample),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, sample, 0),
    )


def repair_round(
    problem: Problem, prompts: Prompts, lineage: Lineage, settings: Settings, width: str
) -> Request:
    """The request for the round after those of `lineage`.

    It repairs the best round, not the last. With `width` "all" (the method's default, arXiv 2502.14382) it
    also shows the latest of the other rounds that held a program; with "last" only the program to repair.
    """
    best = lineage.best
    others = [item for item in lineage.rounds if item.code is not None and item.code != best.code]
    return Request(
        messages=prompts.render(
            "debug",
            problem,
            code=best.code,
            failures=best.failures,
            passed=best.passed,
            total=best.total,
            earlier=others[-_MAX_EARLIER:] if width == "all" else [],
            reason=render_macro("feedback.j2", "no_program", lineage.rounds[-1].truncated),
        ),
        purpose=Purpose(
            problem.id,
            Stage.DEBUG,
            lineage.sample,
            len(lineage.rounds),
            ordinal="" if width == "all" else "last",
        ),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, lineage.sample, len(lineage.rounds)),
    )
