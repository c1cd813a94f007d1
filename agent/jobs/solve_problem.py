"""Solves one problem in a session of its own."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.plan import plan_allocation
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.solve import Solution, solve

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem


async def solve_problem(
    opening: AbstractAsyncContextManager[Session], problem: Problem, settings: Settings, prompts: Prompts
) -> Solution:
    """Sample, repair, select; the solution with what it cost, earlier starts in the same folder included.

    Raises:
        As `open_session`; InfrastructureError: the endpoint or the sandbox is gone; BudgetSpentError.
    """
    started_s = time.monotonic()
    async with opening as session:
        allocation = plan_allocation(settings, session.budget, session.store, 1)
        context = SolveContext(session.model, session.sandbox, prompts, settings, allocation=allocation)
        with session.progress("samples", settings.n) as progress:
            solution = await solve(
                problem,
                context,
                [settings.select],
                on_sample=lambda made: progress.advance("passing" if made.survives else "failing"),
            )
        return replace(solution, usage=session.model.tally, seconds=time.monotonic() - started_s)
