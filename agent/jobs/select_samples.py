"""Chooses among existing samples: public tests, then a method, with or without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.solving.context import SEVERAL, Asking
from sstar_code.sandbox import SandboxError, Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.selection import Candidate
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.fingerprint import fingerprint
from sstar_code.selection.evidence.weights import measure_reliability
from sstar_code.selection.judging.calibration import measure_judge
from sstar_code.selection.methods.registry import select_all
from sstar_code.selection.pool import Pool, tier

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem, Test
    from sstar_code.sandbox import Sandbox
    from sstar_code.selection import Ask, Selection


@dataclass(frozen=True, slots=True)
class Work:
    """A problem and the programs to choose among."""

    problem: Problem
    codes: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...] = ()
    """Who wrote each; empty where nothing is known of any."""
    files: tuple[str, ...] = ()
    """Where each has a file of its own."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a method chose for a problem, and among what."""

    problem: Problem
    candidates: tuple[Candidate, ...]
    selection: Selection
    row: dict[str, Any]
    """The line of `selections.jsonl`."""


async def choose_run(
    opening: AbstractAsyncContextManager[Session], work: Sequence[Work], settings: Settings, prompts: Prompts
) -> list[Chosen]:
    """Try the programs of every problem on its public tests, then let the method of `settings` choose.

    Raises:
        As `open_session`, `try_samples` and `select_samples`.
    """
    async with opening as session:
        ask = None
        if session.has_model:
            ask = Asking(session.model, prompts, settings.seed, settings.max_tokens)
        sandbox, at_once = session.sandbox, 4 * session.sandbox.workers
        with session.progress("public tests", len(work)) as progress:
            candidates = await try_samples(
                work,
                sandbox=sandbox,
                grade=settings.select == "oracle",
                on_tried=lambda _: progress.advance("tried"),
                at_once=at_once,
            )
        with session.progress("select", len(work)) as progress:
            chosen = await select_samples(
                work,
                candidates,
                settings.select,
                sandbox=sandbox,
                ask=ask,
                seed=settings.seed,
                on_selected=lambda _, made: progress.advance("none" if made.chosen is None else "chosen"),
                at_once=at_once,
            )
    return [
        Chosen(problem, tried, selection, selection_row(problem.id, selection, item.files))
        for item, tried, (problem, selection) in zip(work, candidates, chosen, strict=True)
    ]


async def try_samples(
    work: Sequence[Work],
    *,
    sandbox: Sandbox,
    grade: bool = False,
    at_once: int,
    on_tried: Callable[[Problem], None] = lambda _: None,
) -> list[tuple[Candidate, ...]]:
    """The candidates of each problem: every program run on its public tests, with `grade` on the hidden ones.

    Raises:
        SandboxError: the sandbox lost a run.
    """
    results: dict[int, tuple[Candidate, ...]] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def try_one(place: int, item: Work) -> None:
        async with limiter:
            results[place] = await _try_all(item, sandbox, grade=grade)
            on_tried(item.problem)

    await run_together(partial(try_one, place, item) for place, item in enumerate(work))
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
    on_selected: Callable[[Problem, Selection], None] = lambda *_: None,
) -> list[tuple[Problem, Selection]]:
    """For every problem what `method` chooses among its `candidates`, in the order given.

    How far a source is trusted rests on the candidates of all problems, so they are all tried before. How far
    the judge is rests on public tests of all problems (`selection.calibrate`), where there are several to ask
    about; else each problem measures it by itself.

    Raises:
        SandboxError: the sandbox broke.
        ModelError: the endpoint is down.
    """
    trust = measure_reliability(candidates)
    record = None
    if ask is not None and method == "adaptive" and _count_open(candidates) >= SEVERAL:
        record = await measure_judge([item.problem for item in work], ask)
    results: dict[int, tuple[Problem, Selection]] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def choose(place: int, problem: Problem) -> None:
        async with limiter:
            pool = Pool(problem, candidates[place], sandbox, ask, seed, trust, record)
            selection = (await select_all(pool, [method]))[method]
            results[place] = (problem, selection)
            on_selected(problem, selection)

    await run_together(partial(choose, place, item.problem) for place, item in enumerate(work))
    return [results[place] for place in range(len(work))]


def _count_open(candidates: Sequence[tuple[Candidate, ...]]) -> int:
    """Problems with different programs to choose among."""
    texts = ({fingerprint(mine[index].code) for index in tier(mine)} for mine in candidates)
    return sum(len(different) > 1 for different in texts)


async def _try_all(item: Work, sandbox: Sandbox, *, grade: bool) -> tuple[Candidate, ...]:
    problem = item.problem
    sources = item.sources or ((),) * len(item.codes)

    async def run(code: str, tests: Sequence[Test], *, stop: bool) -> tuple[int, Verdict]:
        report = await run_tests(sandbox, problem, code, tests, stop_on_failure=stop)
        if report.verdict is Verdict.IE:
            raise SandboxError(f"{problem.id}: the sandbox lost a run (IE); run the same command again")
        return report.passed, report.verdict

    async def attempt(code: str, written_by: tuple[str, ...]) -> Candidate:
        passed, verdict = await run(code, problem.public_tests, stop=False)
        hidden: bool | None = None
        if grade and problem.hidden_tests:
            _, hidden_verdict = await run(code, problem.hidden_tests, stop=True)
            hidden = verdict is Verdict.AC and hidden_verdict is Verdict.AC
        return Candidate(code, passed, len(problem.public_tests), hidden, written_by)

    return tuple(
        await run_together(
            partial(attempt, code, names) for code, names in zip(item.codes, sources, strict=True)
        )
    )


def selection_row(problem_id: str, selection: Selection, files: Sequence[str] = ()) -> dict[str, Any]:
    """A line of `selections.jsonl`; `file` is there where the programs have `files` of their own."""
    row = {"problem_id": problem_id, **asdict(selection)}
    if selection.chosen is not None and any(files):
        row["file"] = files[selection.chosen]
    return row
