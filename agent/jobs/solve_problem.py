"""Solves one problem: samples, repairs, choice; what was found is kept however it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.plan import plan_allocation
from sstar_code.agent.calls.budget import main_cause
from sstar_code.agent.jobs.evaluate import keep_solution
from sstar_code.agent.jobs.faults import LOST
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.solve import Solution, solve
from sstar_code.agent.strategies.table import choose_strategy, keep_ways
from sstar_code.problems import InfrastructureError, SstarError
from sstar_code.sandbox import SandboxError

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem


async def solve_problem(
    opening: AbstractAsyncContextManager[Session],
    problem: Problem,
    settings: Settings,
    prompts: Prompts,
    *,
    on_sample: Callable[[Lineage], None] = lambda _: None,
) -> Solution:
    """Sample, repair, select; the solution with what it cost, earlier starts in the same folder included.

    The store keeps candidates and selection as of a problem of `evaluate`, but nothing is graded.
    A program that passes is never lost: where the endpoint goes or the budget is spent, the choice is made
    among the samples that were answered, and the solution holds the `failure`. `on_sample` gets each sample
    when it has ended. Where the sandbox lost a run of a sample, the answers that are there are tried once
    more, as `evaluate` does; a run that is lost again is the `failure` of a solution that does not pass the
    public tests.

    Raises:
        As `open_session`; InfrastructureError: the endpoint or the sandbox is gone; BudgetSpentError.
    """
    started_s = time.monotonic()
    choose_strategy(settings)  # a wrong one is told before anything is opened
    async with opening as session:
        keep_ways(settings, session.store)
        allocation = plan_allocation(settings, session.budget, session.store, 1)
        failures: list[SstarError] = []
        context = SolveContext(
            session.model,
            session.sandbox,
            prompts,
            settings,
            judges=session.judges,
            adapters=session.model.adapters,
            allocation=allocation,
            failures=failures,
        )
        with session.progress("samples", settings.n) as progress:
            counted: set[int] = set()

            async def work(*, is_last: bool = True) -> Solution:
                def count(made: Lineage) -> None:
                    if made.sample not in counted and (is_last or not made.lost):
                        counted.add(made.sample)
                        progress.advance("passing" if made.survives else "lost" if made.lost else "failing")
                        on_sample(made)

                return await solve(problem, context, [settings.select], on_sample=count)

            try:
                solution = await work(is_last=False)
                if any(made.lost for made in solution.lineages):
                    solution = await work()
            except (SstarError, ExceptionGroup) as error:
                cause = main_cause(error)
                if not isinstance(cause, SstarError) or isinstance(cause, SandboxError):
                    raise
                failures.append(cause)
                session.model.stop_asking(str(cause))
                solution = await work()  # with the answers that are there
                if not solution.solved:
                    raise
        outcome = keep_solution(solution, {}, session.store, graded=False)
        if outcome.error == LOST and not solution.solved:
            failures.append(InfrastructureError(LOST))
        if failures:
            solution = replace(solution, failure=failures[0])
        return replace(solution, usage=session.model.tally, seconds=time.monotonic() - started_s)
