"""Chooses among existing samples: public tests, then a method, with or without a model."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.jobs.faults import LOST, describe_fault
from sstar_code.agent.run.outcomes import ProblemOutcome, SampleOutcome
from sstar_code.agent.run.summary import Count
from sstar_code.agent.solving.context import SEVERAL, Asking, SharedJudge
from sstar_code.agent.telemetry.events import working_on
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.selection import Candidate, Selection
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.fingerprint import fingerprint
from sstar_code.selection.evidence.weights import measure_reliability
from sstar_code.selection.methods.registry import select_all
from sstar_code.selection.pool import Pool, tier, withhold

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem, SstarError, Test
    from sstar_code.sandbox import Sandbox
    from sstar_code.sandbox.grade import Report
    from sstar_code.selection import Ask
    from sstar_code.selection.judging.calibration import JudgeRecord


@dataclass(frozen=True, slots=True)
class Work:
    """A problem and the programs to choose among."""

    problem: Problem
    codes: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...] = ()
    """Who wrote each; empty where nothing is known of any."""
    files: tuple[str, ...] = ()
    """Where each has a file of its own."""

    def name(self, place: int) -> str:
        """Where a program is from: its file, else its sources; empty where neither is known."""
        told = self.describe(place)
        return str(told.get("file") or ", ".join(told.get("source", ())))

    def describe(self, place: int) -> dict[str, Any]:
        """`file` and `source` of a program, where they are known."""
        told: dict[str, Any] = {"file": self.files[place]} if any(self.files) else {}
        sources = self.sources[place] if self.sources else ()
        return {**told, "source": list(sources)} if sources else told


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a method chose for a problem, and among what."""

    problem: Problem
    candidates: tuple[Candidate, ...]
    selection: Selection
    row: dict[str, Any]
    """The line of `selections.jsonl`."""
    outcome: ProblemOutcome
    """With hidden verdicts of what was graded."""


GRADED = ("chosen", "all", "none")
"""What may be graded on the hidden tests after the choice."""


async def choose_run(
    opening: AbstractAsyncContextManager[Session],
    work: Sequence[Work],
    settings: Settings,
    prompts: Prompts,
    failures: list[SstarError] | None = None,
    *,
    grade: str = "chosen",
    abstain: float | None = None,
) -> list[Chosen]:
    """Try the programs of every problem on its public tests, then let the method of `settings` choose.

    After that what was chosen (`grade`: one of `GRADED`) runs on the hidden tests, where there are some, and
    the store keeps candidates, choice and verdicts, for reports.

    A problem whose programs cannot be tried, or over which an error is raised, is left without a choice and
    says why; the others go on. So is one whose choice is less sure than `abstain`. `failures` are as in
    `Asking`.

    Raises:
        As `open_session`, `try_samples` and `select_samples`.
    """
    errors: dict[int, str] = {}
    async with opening as session:
        ask = None
        if session.has_model:
            ask = Asking(session.model, prompts, settings.seed, settings.max_tokens, failures=failures)
        sandbox, at_once = session.sandbox, 4 * session.sandbox.workers
        with session.progress("public tests", len(work)) as progress:
            candidates = await try_samples(
                work,
                sandbox=sandbox,
                grade=settings.select == "oracle",
                on_tried=lambda _: progress.advance("tried"),
                at_once=at_once,
                errors=errors,
            )
        with session.progress("select", len(work)) as progress:
            chosen = await select_samples(
                work,
                candidates,
                settings.select,
                sandbox=sandbox,
                ask=ask,
                seed=settings.seed,
                judges=session.judges,
                on_selected=lambda _, made: progress.advance("none" if made.chosen is None else "chosen"),
                at_once=at_once,
                errors=errors,
            )
        with session.progress("hidden tests", len(work)) as progress:
            limiter = anyio.CapacityLimiter(at_once)

            async def keep(
                place: int, tried: tuple[Candidate, ...], selection: Selection, *, is_last: bool = False
            ) -> Chosen:
                item, error = work[place], errors.get(place, "")
                async with limiter:
                    try:
                        made = (
                            _leave(item, tried, selection, error)
                            if error
                            else await _grade_and_keep(session, grade, item, tried, selection)
                        )
                    except Exception as unforeseen:  # noqa: BLE001 - what is no matter of one problem is raised again
                        error = describe_fault(unforeseen, item.problem.id)
                        made = _leave(item, tried, selection, error)
                if is_last or made.outcome.error != LOST:
                    progress.advance("lost" if made.outcome.error else "kept")
                return made

            parts = [
                (place, candidates[place], withhold(made, abstain)) for place, (_, made) in enumerate(chosen)
            ]
            kept = await run_together(partial(keep, *part) for part in parts)
            for place, made in enumerate(kept):
                if made.outcome.error == LOST:
                    kept[place] = await keep(*parts[place], is_last=True)
            return kept


async def _grade_and_keep(
    session: Session, grade: str, item: Work, candidates: tuple[Candidate, ...], selection: Selection
) -> Chosen:
    """Run on the hidden tests what is to be graded, and keep all of it in the store."""
    problem, place = item.problem, selection.chosen
    graded: list[int] = []
    if problem.hidden_tests and grade != "none":
        graded = list(range(len(candidates))) if grade == "all" else [] if place is None else [place]
    tests = [*problem.public_tests, *problem.hidden_tests] if graded else []
    codes = list(dict.fromkeys(candidates[index].code for index in graded))
    with working_on(problem.id, "grade"):
        reports = await run_together(
            partial(run_tests, session.sandbox, problem, code, tests, stop_on_failure=True) for code in codes
        )
    lost = any(report.verdict is Verdict.IE for report in reports)
    fault = next((f"{report.checker_fault}; mend it" for report in reports if report.checker_fault), None)
    verdicts = {code: report.verdict.value for code, report in zip(codes, reports, strict=True)}
    hidden = [
        verdicts[candidates[index].code] if index in graded else None for index in range(len(candidates))
    ]
    outcome = ProblemOutcome(
        problem.id,
        tuple(
            SampleOutcome(
                index, 1, one.public_passed, one.survives and bool(one.code.strip()), verdict, verdict
            )
            for index, (one, verdict) in enumerate(zip(candidates, hidden, strict=True))
        ),
        {selection.method: place},
        tuple(tier(candidates)),
        (fault or LOST) if lost else None,
    )
    if not lost:
        rows = [
            (index, 0, one.code, one.public_passed, one.public_total, True, verdict)
            for index, (one, verdict) in enumerate(zip(candidates, hidden, strict=True))
        ]
        texts = [(selection.method, json.dumps(asdict(selection)))]
        session.store.put_problem(problem.id, outcome.to_json(), rows, texts)
    return Chosen(problem, candidates, selection, selection_row(problem.id, selection, item), outcome)


def _leave(item: Work, candidates: tuple[Candidate, ...], selection: Selection, error: str) -> Chosen:
    """What is told of a problem with an error; nothing is kept, so that the next start tries it again."""
    problem = item.problem
    row = {**selection_row(problem.id, selection, item), "error": error}
    outcome = ProblemOutcome(problem.id, (), {selection.method: None}, (), error)
    return Chosen(problem, candidates, selection, row, outcome)


async def try_samples(
    work: Sequence[Work],
    *,
    sandbox: Sandbox,
    grade: bool = False,
    at_once: int,
    on_tried: Callable[[Problem], None] = lambda _: None,
    errors: dict[int, str] | None = None,
) -> list[tuple[Candidate, ...]]:
    """The candidates of each problem: every program run on its public tests, with `grade` on the hidden ones.

    A problem has no candidates, and by its place a line in `errors`, where the sandbox lost a run of it
    twice (the second time after the others), its checker program is at fault, or an error was raised over it.

    Raises:
        SandboxError: the sandbox broke.
    """
    errors = {} if errors is None else errors
    results: dict[int, tuple[Candidate, ...]] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def try_one(place: int, item: Work, *, is_last: bool = False) -> None:
        async with limiter:
            try:
                results[place] = await _try_all(item, sandbox, grade=grade)
                errors.pop(place, None)
            except _CannotJudgeError as error:
                errors[place], results[place] = str(error), ()
            except Exception as error:  # noqa: BLE001 - what is no matter of one problem is raised again
                errors[place], results[place] = describe_fault(error, item.problem.id), ()
            if is_last or errors.get(place) != LOST:
                on_tried(item.problem)

    await run_together(partial(try_one, place, item) for place, item in enumerate(work))
    lost = [place for place in range(len(work)) if errors.get(place) == LOST]
    await run_together(partial(try_one, place, work[place], is_last=True) for place in lost)
    return [results[place] for place in range(len(work))]


async def select_samples(
    work: Sequence[Work],
    candidates: Sequence[tuple[Candidate, ...]],
    method: str,
    *,
    sandbox: Sandbox,
    ask: Ask | None,
    seed: int,
    at_once: int,
    judges: int = 1,
    on_selected: Callable[[Problem, Selection], None] = lambda *_: None,
    errors: dict[int, str] | None = None,
) -> list[tuple[Problem, Selection]]:
    """For every problem what `method` chooses among its `candidates`, in the order given.

    How far a source is trusted rests on the candidates of all problems, so they are all tried before. How far
    the judge is rests on public tests of all problems (`selection.calibrate`), where there are several to ask
    about; else each problem measures it by itself. For a problem in `errors`, by its place, nothing is
    chosen, nor for one over which an error is raised, which comes to stand there.

    Raises:
        SandboxError: the sandbox broke.
        ModelError: the endpoint is down.
    """
    errors = {} if errors is None else errors
    trust = measure_reliability(candidates)
    judge = predictions = None
    others: tuple[Callable[[], Awaitable[JudgeRecord | None]] | None, ...] = (None,) * (judges - 1)
    if ask is not None and _count_open(candidates) >= SEVERAL:
        shared = SharedJudge([item.problem for item in work], ask)
        judge, others, predictions = shared.measure, shared.others(judges), shared.measure_prediction
    results: dict[int, tuple[Problem, Selection]] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def choose(place: int, problem: Problem) -> None:
        async with limiter:
            selection = Selection(method, None, None)
            try:
                if place not in errors:
                    records = judge, others, predictions
                    pool = Pool(problem, candidates[place], sandbox, ask, seed, trust, *records)
                    selection = (await select_all(pool, [method]))[method]
            except Exception as error:  # noqa: BLE001 - what is no matter of one problem is raised again
                errors[place] = describe_fault(error, problem.id)
            results[place] = (problem, selection)
            on_selected(problem, selection)

    await run_together(partial(choose, place, item.problem) for place, item in enumerate(work))
    return [results[place] for place in range(len(work))]


def _count_open(candidates: Sequence[tuple[Candidate, ...]]) -> int:
    """Problems with different programs to choose among."""
    texts = ({fingerprint(mine[index].code) for index in tier(mine)} for mine in candidates)
    return sum(len(different) > 1 for different in texts)


class _CannotJudgeError(Exception):
    """The candidates of a problem cannot be judged; the text says why."""


async def _try_all(item: Work, sandbox: Sandbox, *, grade: bool) -> tuple[Candidate, ...]:
    problem = item.problem
    sources = item.sources or ((),) * len(item.codes)

    async def run(code: str, tests: Sequence[Test], *, stop: bool) -> Report:
        report = await run_tests(sandbox, problem, code, tests, stop_on_failure=stop)
        if report.checker_fault:
            raise _CannotJudgeError(f"{report.checker_fault}; mend it")
        if report.verdict is Verdict.IE:
            raise _CannotJudgeError(LOST)
        return report

    async def attempt(code: str, written_by: tuple[str, ...]) -> Candidate:
        public = await run(code, problem.public_tests, stop=False)
        hidden: bool | None = None
        if grade and problem.hidden_tests:
            other = await run(code, problem.hidden_tests, stop=True)
            hidden = public.verdict is Verdict.AC and other.verdict is Verdict.AC
        count = len(problem.public_tests)
        return Candidate(code, public.passed, count, hidden, written_by, public_score=public.score)

    return tuple(
        await run_together(
            partial(attempt, code, names) for code, names in zip(item.codes, sources, strict=True)
        )
    )


def selection_row(problem_id: str, selection: Selection, work: Work | None = None) -> dict[str, Any]:
    """A line of `selections.jsonl`, with `file` and `source` of what was chosen, where they are known."""
    row = {"problem_id": problem_id, **asdict(selection)}
    if selection.chosen is not None and work is not None:
        row |= work.describe(selection.chosen)
    return row


def sample_row(made: Chosen, work: Work) -> dict[str, Any]:
    """A line of `samples.jsonl`, as evalplus reads it: the chosen program, empty where there is none."""
    place = made.selection.chosen
    row = {"task_id": made.problem.id, "solution": "" if place is None else work.codes[place]}
    return row if place is None else {**row, "sample": place, **work.describe(place)}


def summarise(chosen: Sequence[Chosen], select: str, seconds: float) -> dict[str, Any]:
    """The object of `summary.json`: what was chosen, what it cost, and rates where hidden tests are known.

    Rates are 0..1 with Wilson's 95% intervals; a problem without hidden tests is in none.
    """
    count = Count([made.problem.id for made in chosen], {made.problem.id: made.outcome for made in chosen})
    rates = count.rates() if count.graded else {}
    value = {name: rate.value for name, rate in rates.items()}
    return {
        "problems": len(chosen),
        "samples": sum(len(made.candidates) for made in chosen),
        "chosen": sum(made.selection.chosen is not None for made in chosen),
        "method": select,
        **{name: sum(made.row[name] for made in chosen) for name in ("calls", "tokens", "executions")},
        "pass@1": value.get("pass@1"),
        "selected@1": value.get(select),
        "oracle": value.get("oracle"),
        "graded": len(count.graded),
        "failed": count.errors,
        "methods": {name: asdict(rate) for name, rate in rates.items()},
        "seconds": round(seconds, 3),
    }
