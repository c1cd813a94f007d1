"""Evaluates a set: solves every problem, grades on the hidden tests, keeps everything, resumes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Protocol

import anyio

from sstar_code.agent.run.outcomes import ProblemOutcome, SampleOutcome
from sstar_code.agent.solving.shared_judge import SharedJudge
from sstar_code.agent.solving.solve import Solution, solve
from sstar_code.agent.telemetry.events import about, log_event
from sstar_code.agent.telemetry.spans import problem_span
from sstar_code.agent.telemetry.work import working_on
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.selection.pool import tier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sstar_code.agent.run.store import Store
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem

__all__ = ["BASELINES", "evaluate", "read_outcomes"]


class OnProblem(Protocol):
    """Hears of every finished problem."""

    def __call__(self, outcome: ProblemOutcome, *, kept: bool) -> None:
        """`kept`: an earlier start finished it."""
        ...


BASELINES = ("random", "first", "majority")
"""Reported beside the chosen method on the same candidates; the oracle is read off the grades."""


_SETTLE_S = 0.002
"""After a problem is begun: its first calls are in line before it is seen whether another is needed."""


def read_outcomes(store: Store) -> dict[str, ProblemOutcome]:
    """What `store` holds of finished problems, by id."""
    return {problem_id: ProblemOutcome.from_json(text) for problem_id, text in store.outcomes().items()}


async def evaluate(
    problems: Sequence[Problem],
    context: SolveContext,
    store: Store,
    *,
    most_open: Callable[[], int],
    wait_for_room: Callable[[int], Awaitable[None]],
    on_problem: OnProblem,
    judged_on: Sequence[Problem] = (),
) -> list[ProblemOutcome]:
    """Solve and grade `problems`; those that `store` holds as finished are taken from there.

    Problems are begun in their order, `most_open()` at once at most, each when `wait_for_room` returns: it is
    called with the number of first samples that are still to be asked for. A problem that the sandbox
    lost is kept out of the store, so that the same command tries it again. `judged_on` are the problems on
    which the judge is measured, where they are not just these.

    Raises:
        InfrastructureError: the endpoint, the sandbox or the store is gone; what was finished is kept.
        BudgetSpentError: likewise.
    """
    outcomes = read_outcomes(store)
    for problem in problems:
        if problem.id in outcomes:
            on_problem(outcomes[problem.id], kept=True)
    context = replace(context, judge=SharedJudge(judged_on or problems, context.ask))
    open_ids: set[str] = set()
    closed = anyio.Event()

    async def work(problem: Problem) -> None:
        nonlocal closed
        with about(problem=problem.id), problem_span(problem.id):
            log_event("problem.begun")
            outcomes[problem.id] = outcome = await _finish(problem, context, store)
            log_event(
                "problem.finished", solved=outcome.solved, chosen=dict(outcome.chosen), error=outcome.error
            )
        if context.waves is not None:
            context.waves.spread.close(problem.id)
        on_problem(outcomes[problem.id], kept=False)
        open_ids.discard(problem.id)
        closed.set()
        closed = anyio.Event()

    async with anyio.create_task_group() as group:
        left = [problem for problem in problems if problem.id not in outcomes]
        # a budget that is spread is shared out when every problem has begun
        is_spread = context.waves is not None and context.waves.spread.is_limited
        for place, problem in enumerate(left):
            await wait_for_room((len(left) - place) * context.settings.first_wave)
            while len(open_ids) >= (len(left) if is_spread else most_open()):
                await closed.wait()
            open_ids.add(problem.id)
            group.start_soon(work, problem)
            await anyio.sleep(_SETTLE_S)
    return [outcomes[problem.id] for problem in problems]


async def _finish(problem: Problem, context: SolveContext, store: Store) -> ProblemOutcome:
    methods = list(dict.fromkeys((*BASELINES, context.settings.select)))
    solution = await solve(problem, context, [name for name in methods if name != "oracle"])
    for name, made in solution.selections.items():
        log_event(
            "selection.made",
            method=name,
            candidate=made.chosen,
            confidence=round(made.confidence, 4),
            calls=made.calls,
            tokens=made.tokens,
            executions=made.executions,
        )
    with working_on(problem.id, "grade"):
        verdicts = await _grade(solution, context)
    if Verdict.IE in verdicts.values() or any(lineage.lost for lineage in solution.lineages):
        return _outcome(solution, verdicts, error="the sandbox lost a run (IE); run the same command again")
    outcome = _outcome(solution, verdicts)
    store.put_problem(
        problem.id,
        outcome.to_json(),
        [
            (
                lineage.sample,
                a_round.index,
                a_round.code,
                a_round.passed,
                len(problem.public_tests),
                a_round is lineage.best,
                verdicts.get(a_round.code or ""),
            )
            for lineage in solution.lineages
            for a_round in lineage.rounds
        ],
        [(name, json.dumps(asdict(selection))) for name, selection in solution.selections.items()],
    )
    return outcome


async def _grade(solution: Solution, context: SolveContext) -> dict[str, Verdict]:
    """Verdict on the hidden tests by program: every sample's first answer and the round that stands for it.

    Public tests come first, as a judge would: a program that fails one is not right.
    """
    problem = solution.problem
    if not problem.hidden_tests:
        return {}
    programs = {
        a_round.code
        for lineage in solution.lineages
        for a_round in (lineage.rounds[0], lineage.best)
        if a_round.code
    }
    verdicts: dict[str, Verdict] = {}
    tests = [*problem.public_tests, *problem.hidden_tests]

    async def grade(code: str) -> None:
        verdicts[code] = (
            await run_tests(context.sandbox, problem, code, tests, stop_on_failure=True)
        ).verdict

    async with anyio.create_task_group() as group:
        for code in sorted(programs):
            group.start_soon(grade, code)
    return verdicts


def _outcome(solution: Solution, verdicts: dict[str, Verdict], error: str | None = None) -> ProblemOutcome:
    graded = bool(solution.problem.hidden_tests)

    def verdict_of(code: str | None) -> str | None:
        if not graded:
            return None
        return verdicts[code].value if code else Verdict.CE.value

    samples = tuple(
        SampleOutcome(
            sample=lineage.sample,
            rounds=len(lineage.rounds),
            public_passed=lineage.best.passed,
            survives=lineage.survives,
            first_hidden=verdict_of(lineage.rounds[0].code),
            hidden=verdict_of(lineage.best.code),
            failed=lineage.rounds[-1].error or None,
        )
        for lineage in solution.lineages
    )
    chosen = {name: selection.chosen for name, selection in solution.selections.items()}
    right = [place for place, sample in enumerate(samples) if sample.hidden == Verdict.AC.value]
    return ProblemOutcome(
        problem_id=solution.problem.id,
        samples=samples,
        chosen={**chosen, "oracle": right[0] if right else chosen.get("first")},
        tier=tuple(tier(solution.candidates)),
        error=error,
    )
