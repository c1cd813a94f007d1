"""Evaluates a set: solves every problem, grades on the hidden tests, keeps everything, resumes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Protocol

import anyio

from sstar_code.agent.allocation.plan import plan_allocation
from sstar_code.agent.jobs.faults import LOST, describe_fault
from sstar_code.agent.run.exports import write_results
from sstar_code.agent.run.history.starts import Starts
from sstar_code.agent.run.outcomes import ProblemOutcome, SampleOutcome, note_scores
from sstar_code.agent.solving.context import SharedJudge, SolveContext
from sstar_code.agent.solving.knowledge import Knowledge
from sstar_code.agent.solving.solve import Solution, solve
from sstar_code.agent.strategies.table import choose_strategy, keep_ways
from sstar_code.agent.telemetry.events import about, log_event, working_on
from sstar_code.agent.telemetry.spans import problem_span
from sstar_code.agent.thinking.drafts import assess_thinking
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.selection.pool import tier

if TYPE_CHECKING:
    from sstar_code.agent.calls.stored_model import StoredModel
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.run.outcomes import Prices, ThoughtOutcome
    from sstar_code.agent.run.store import Store
    from sstar_code.agent.run.summary import Summary
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem


class OnProblem(Protocol):
    """Hears of every finished problem."""

    def __call__(self, outcome: ProblemOutcome, *, kept: bool) -> None:
        """`kept`: an earlier start finished it."""
        ...


BASELINES = ("random", "first", "majority")
"""Reported beside the chosen method on the same candidates; the oracle is read off the grades."""

_SETTLE_S = 0.002
"""Pause after starting a problem, so that its first calls are queued before another one may be started."""
_OPEN = 8
"""Problems in progress, as a multiple of those that saturate the server: near their end they call little."""


def most_open(model: StoredModel, settings: Settings) -> int:
    """Problems that are worked on at once, where that many have work for the model."""
    return max(4, _OPEN * model.concurrency.width // settings.first_samples)


async def evaluate_run(
    opening: AbstractAsyncContextManager[Session],
    problems: Sequence[Problem],
    settings: Settings,
    prompts: Prompts,
    *,
    prices: Prices,
    judged_on: Sequence[Problem] = (),
    retry_errors: bool = False,
    methods: Sequence[str] | None = None,
) -> Summary:
    """Evaluate what the run that is opened has not finished yet, and write its results.

    However this ends, what was finished, by this start or an earlier one, is in the store and
    `samples.jsonl`, `lcb.json` and `candidates.jsonl` show it; `summary.json` counts what is unfinished.
    An end before anything was finished writes nothing. With `retry_errors` finished problems with a call that
    failed for good are worked on again. `judged_on` is, for a shard, the whole set: the judge is measured on
    it as one run over all of it would. `methods` choose, in place of those that a run reports.

    Raises:
        As `open_session` and `evaluate`.
    """
    choose_strategy(settings)  # a wrong one is told before anything is opened
    async with opening as session:
        keep_ways(settings, session.store)
        starts = Starts(session.folder)
        model, outcomes = session.model, session.store.read_outcomes()

        def write() -> Summary:
            starts.note(now=True)
            return write_results(
                session.folder,
                session.store,
                outcomes,
                problem_ids=[problem.id for problem in problems],
                select=settings.select,
                prices=prices,
                seconds=starts.seconds,
                load=None if model.load is None else model.load.as_json(),
            )

        if retry_errors:
            _reopen(session, problems, outcomes)
        allocation = plan_allocation(settings, session.budget, session.store, len(problems) - len(outcomes))
        knowledge = Knowledge(session.store) if settings.lessons == "set" else None
        context = SolveContext(
            model,
            session.sandbox,
            prompts,
            settings,
            judges=session.judges,
            adapters=session.model.adapters,
            allocation=allocation,
            knowledge=knowledge,
        )
        try:
            with _showing(session, len(problems), outcomes, starts) as finish:
                await evaluate(
                    problems,
                    context,
                    session.store,
                    most_open=lambda: most_open(model, settings),
                    wait_for_capacity=model.wait_for_capacity,
                    on_problem=finish,
                    judged_on=judged_on,
                    methods=methods,
                )
        except BaseException:
            if outcomes:
                write()
            raise
        return write()


@contextmanager
def _showing(
    session: Session, total: int, outcomes: dict[str, ProblemOutcome], starts: Starts
) -> Iterator[OnProblem]:
    """A bar with tokens and load; the function counts a problem and puts it into `outcomes`."""
    model = session.model

    def show_work() -> str:
        tally = model.tally
        work = f"{tally.calls:,} calls, {tally.tokens:,} tokens, {session.sandbox.executed:,} runs"
        load = model.load.line() if model.load is not None else ""
        return f"{work} | {load}" if load else work

    with session.progress("eval", total, show_work) as progress:

        def finish(outcome: ProblemOutcome, *, kept: bool) -> None:
            outcomes[outcome.problem_id] = outcome
            starts.note()
            label = "solved" if outcome.solved else "unsolved"
            (progress.keep if kept else progress.advance)("error" if outcome.error is not None else label)

        yield finish


def _reopen(session: Session, problems: Sequence[Problem], outcomes: dict[str, ProblemOutcome]) -> None:
    """Take finished problems with failed calls up again; the endpoint and the sandbox are known to work."""
    failed = {problem_id for problem_id, _, _ in session.store.failures()}
    failed |= {problem_id for problem_id, outcome in outcomes.items() if outcome.error is not None}
    again = [
        problem.id
        for problem in problems
        if (outcome := outcomes.get(problem.id)) is not None
        and (problem.id in failed or any(sample.failed for sample in outcome.samples))
    ]
    session.store.reopen(again)
    for problem_id in again:
        del outcomes[problem_id]
    session.say(
        f"sstar: --retry errors: {len(again)} finished problems have failed calls or errors; "
        "working on those again"
    )


async def evaluate(
    problems: Sequence[Problem],
    context: SolveContext,
    store: Store,
    *,
    most_open: Callable[[], int],
    wait_for_capacity: Callable[[int], Awaitable[None]],
    on_problem: OnProblem,
    judged_on: Sequence[Problem] = (),
    methods: Sequence[str] | None = None,
) -> list[ProblemOutcome]:
    """Solve and grade `problems`; those that `store` holds as finished are taken from there.

    Problems are begun in their order, `most_open()` at once at most, each when `wait_for_capacity`
    returns: it is called with the number of first samples still to be asked for. A problem that the sandbox
    lost is tried once more when the others are done, and then kept out of the store, so that the same command
    tries it again; one over which an error was raised that nobody foresaw is kept with it, as the next start
    would meet it again. `judged_on`, `methods`: as `evaluate_run`.

    Raises:
        InfrastructureError: the endpoint, the sandbox or the store is gone; what was finished is kept.
        BudgetSpentError: likewise.
    """
    outcomes = store.read_outcomes()
    for problem in problems:
        if problem.id in outcomes:
            on_problem(outcomes[problem.id], kept=True)
    context = replace(context, judge=SharedJudge(judged_on or problems, context.ask))
    open_ids: set[str] = set()
    closed = anyio.Event()
    reported = (*BASELINES, context.settings.select) if methods is None else methods
    names = [name for name in dict.fromkeys(reported) if name != "oracle"]
    lost: list[Problem] = []

    async def work(problem: Problem, *, is_last: bool = False) -> None:
        nonlocal closed
        with about(problem=problem.id), problem_span(problem.id):
            log_event("problem.begun")
            try:
                solution = await solve(problem, context, names)
                with working_on(problem.id, "grade"):
                    verdicts, scores, fault = await _grade(solution, context)
                with working_on(problem.id, "thinking"):
                    thoughts = await assess_thinking(solution.lineages, problem, context.sandbox)
                outcome = keep_solution(
                    solution, verdicts, store, fault=fault, thoughts=thoughts, scores=scores
                )
            except Exception as error:  # noqa: BLE001 - what is no matter of one problem is raised again
                line = f"{describe_fault(error, problem.id)}; --retry errors tries it again"
                outcome = ProblemOutcome(problem.id, (), {}, (), error=line)
                store.put_problem(problem.id, outcome.to_json(), [], [])
            log_event(
                "problem.finished", solved=outcome.solved, chosen=dict(outcome.chosen), error=outcome.error
            )
        if outcome.error == LOST and not is_last:
            lost.append(problem)
        else:
            outcomes[problem.id] = outcome
            on_problem(outcome, kept=False)
        if context.allocation is not None and not is_last:
            context.allocation.budget.close(problem.id)
        open_ids.discard(problem.id)
        closed.set()
        closed = anyio.Event()

    async with anyio.create_task_group() as group:
        left = [problem for problem in problems if problem.id not in outcomes]
        # a budget that is spread is shared out when every problem has begun
        is_spread = context.allocation is not None and context.allocation.budget.is_limited
        for place, problem in enumerate(left):
            await wait_for_capacity((len(left) - place) * context.settings.first_samples)
            while len(open_ids) >= (len(left) if is_spread else most_open()):
                await closed.wait()
            open_ids.add(problem.id)
            group.start_soon(work, problem)
            await anyio.sleep(_SETTLE_S)
    for problem in lost:
        await work(problem, is_last=True)
    return [outcomes[problem.id] for problem in problems]


def keep_solution(
    solution: Solution,
    verdicts: dict[str, Verdict],
    store: Store,
    *,
    fault: str = "",
    graded: bool = True,
    thoughts: tuple[ThoughtOutcome, ...] = (),
    scores: Mapping[str, float] | None = None,
) -> ProblemOutcome:
    """What came of a problem, stored unless the sandbox lost a run of it or its checker has a `fault`.

    `verdicts` are those of the hidden tests by program, `scores` their scores of problems that have them;
    without `graded` there are none.
    """
    problem = solution.problem
    for name, made in solution.selections.items():
        log_event(
            "selection.made",
            method=name,
            candidate=made.chosen,
            confidence=None if made.confidence is None else round(made.confidence, 4),
            calls=made.calls,
            tokens=made.tokens,
            executions=made.executions,
        )
    if Verdict.IE in verdicts.values() or any(lineage.lost for lineage in solution.lineages):
        why = f"{fault}; mend it" if fault else LOST
        return _outcome(solution, verdicts, error=why, graded=graded)
    outcome = replace(_outcome(solution, verdicts, graded=graded), thoughts=thoughts)
    if solution.problem.full_score is not None and outcome.graded:
        outcome = note_scores(outcome, [lineage.best.code for lineage in solution.lineages], scores or {})
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


async def _grade(
    solution: Solution, context: SolveContext
) -> tuple[dict[str, Verdict], dict[str, float], str]:
    """Verdict on the hidden tests by program: every sample's first answer and the round that stands for it.

    Public tests come first, as a judge would: a program that fails one is not right. The second value are the
    scores of problems that have them, the third says how the checker program ended where it is at fault.
    """
    problem = solution.problem
    if not problem.hidden_tests:
        return {}, {}, ""
    programs = {
        a_round.code
        for lineage in solution.lineages
        for a_round in (lineage.rounds[0], lineage.best)
        if a_round.code
    }
    verdicts: dict[str, Verdict] = {}
    scores: dict[str, float] = {}
    faults: list[str] = []
    tests = [*problem.public_tests, *problem.hidden_tests]

    async def grade(code: str) -> None:
        report = await run_tests(context.sandbox, problem, code, tests, stop_on_failure=True)
        verdicts[code] = report.verdict
        scores[code] = report.score or 0.0
        faults.append(report.checker_fault)

    async with anyio.create_task_group() as group:
        for code in sorted(programs):
            group.start_soon(grade, code)
    return verdicts, scores, next(filter(None, faults), "")


def _outcome(
    solution: Solution, verdicts: dict[str, Verdict], error: str | None = None, *, graded: bool
) -> ProblemOutcome:
    graded = graded and bool(solution.problem.hidden_tests)

    def verdict_of(code: str | None) -> str | None:
        if not graded:
            return None
        return verdicts[code].value if code else Verdict.CE.value

    samples = tuple(
        SampleOutcome(
            sample=lineage.sample,
            rounds=0 if lineage.is_draft else len(lineage.rounds),
            public_passed=lineage.best.passed,
            survives=lineage.survives,
            first_hidden=None if lineage.is_draft else verdict_of(lineage.rounds[0].code),
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
        confirmed=solution.confirmed,
    )
