"""The request of a debugging round: the best program so far, and what it did on the public tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sstar_code.agent.models.request import Purpose, Request, Stage

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage, Round
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.problems import Problem

__all__ = ["Context", "debug_round", "seed_for"]

Context = Literal["all", "last"]
"""What a debugging prompt shows: every round, or only the program to mend."""

_ROUND_STEP = 1_000_003
"""Between the seeds of two rounds: more than any number of samples, so that no two calls share a seed."""

_MAX_EARLIER = 3
"""Earlier rounds shown; each is capped by the template too."""


def seed_for(seed: int | None, sample: int, index: int) -> int | None:
    """`seed` + sample + 1,000,003 * round; None (the server chooses) stays None."""
    return None if seed is None else seed + sample + _ROUND_STEP * index


def debug_round(
    problem: Problem,
    prompts: Prompts,
    lineage: Lineage,
    *,
    temperature: float | None = 0.7,
    seed: int | None = 0,
    max_tokens: int | None = None,
    context: Context = "all",
) -> Request:
    """The request for the round after those of `lineage`.

    It mends the best round, not the last. With context "all" (the method's default, arXiv 2502.14382) it
    also shows the latest of the other rounds that held a program; with "last" only the program to mend.
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
            earlier=others[-_MAX_EARLIER:] if context == "all" else [],
            reason=_say_why_no_code(lineage.rounds[-1]),
        ),
        purpose=Purpose(
            problem.id,
            Stage.DEBUG,
            lineage.sample,
            len(lineage.rounds),
            ordinal="" if context == "all" else "last",
        ),
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed_for(seed, lineage.sample, len(lineage.rounds)),
    )


def _say_why_no_code(last: Round) -> str:
    if last.truncated:
        return "it was cut before the program was complete; keep the reasoning short"
    return "no code found"
