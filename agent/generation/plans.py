"""The style `plan`: ideas first, then a program for each, so that samples differ in what they try.

Source: PlanSearch (arXiv 2409.03733), which searches over ideas in words because samples of one prompt are
alike. It derives ideas from pairs of observations and writes pseudocode between idea and program; here one
call lists `IDEAS_A_CALL` ideas, and sample k gets idea k.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import CallError, Purpose, Request, Stage

if TYPE_CHECKING:
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem

IDEAS_A_CALL = 8
"""Ideas that are asked for at once; 16 samples need two calls."""
_STEP = 500_009
"""Between the seeds of two calls for ideas: no sample or repair has one of these."""
_ITEM = re.compile(r"^\s{0,3}(?:\*\*)?\d{1,2}[.)](?:\*\*)?\s+", re.MULTILINE)
_MOST_CHARS = 2_000


async def plan_for(sample: int, problem: Problem, context: SolveContext) -> str | None:
    """The idea that a sample follows; None in other styles, and where no answer listed one.

    Samples that share a call ask the same request, which a model with a store answers once.

    Raises:
        ModelError: the endpoint is down.
        UserError: the template fails.
    """
    settings = context.settings
    if settings.style != "plan":
        return None
    number, place = divmod(sample, IDEAS_A_CALL)
    count = min(IDEAS_A_CALL, settings.n - number * IDEAS_A_CALL) if sample < settings.n else IDEAS_A_CALL
    request = Request(
        messages=context.prompts.render("ideas", problem, environment=context.environment, count=count),
        purpose=Purpose(problem.id, Stage.GENERATE, number * IDEAS_A_CALL, ordinal="ideas"),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed + _STEP + number,
    )
    try:
        ideas = read_ideas((await context.model.ask(request)).text)
    except CallError:
        return None
    return ideas[place % len(ideas)] if ideas else None


def count_calls(samples: int, settings: Settings) -> int:
    """Calls for ideas that so many samples of a problem take; 0 in other styles."""
    return -(-samples // IDEAS_A_CALL) if settings.style == "plan" else 0


def read_ideas(text: str) -> list[str]:
    """The items of a numbered list, in order; none where there is no such list."""
    starts = [found.span() for found in _ITEM.finditer(text)]
    ends = [*(start for start, _ in starts), len(text)][1:]
    items = [text[after:end].strip() for (_, after), end in zip(starts, ends, strict=True)]
    return [item[:_MOST_CHARS] for item in items if item]
