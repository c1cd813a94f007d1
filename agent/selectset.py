"""Chooses among existing samples: public tests, then a method, with or without a model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anyio

from sandbox import SandboxError, Verdict
from sandbox.grade import run_tests
from selection import Candidate
from selection.methods import select_all
from selection.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from problems import Problem, Test
    from sandbox import Sandbox
    from selection import Ask, Selection

__all__ = ["select_samples", "selection_row"]


async def select_samples(
    work: Sequence[tuple[Problem, Sequence[str]]],
    method: str,
    *,
    sandbox: Sandbox,
    ask: Ask | None,
    seed: int,
    at_once: int,
    on_selected: Callable[[Problem, Selection], None],
) -> list[tuple[Problem, Selection]]:
    """For every (problem, programs) what `method` chooses, in the order given.

    Hidden tests are run for `oracle` alone.

    Raises:
        SandboxError: the sandbox lost a run.
        ModelError: the endpoint is down.
    """
    results: dict[int, tuple[Problem, Selection]] = {}
    limiter = anyio.CapacityLimiter(at_once)

    async def choose(place: int, problem: Problem, codes: Sequence[str]) -> None:
        async with limiter:
            candidates = await _try_all(problem, codes, sandbox, grade=method == "oracle")
            pool = Pool(problem, candidates, sandbox, ask, seed)
            selection = (await select_all(pool, [method]))[method]
            results[place] = (problem, selection)
            on_selected(problem, selection)

    async with anyio.create_task_group() as group:
        for place, (problem, codes) in enumerate(work):
            group.start_soon(choose, place, problem, codes)
    return [results[place] for place in range(len(work))]


async def _try_all(
    problem: Problem, codes: Sequence[str], sandbox: Sandbox, *, grade: bool
) -> tuple[Candidate, ...]:
    candidates: dict[int, Candidate] = {}

    async def run(code: str, tests: Sequence[Test], *, stop: bool) -> tuple[int, Verdict]:
        report = await run_tests(sandbox, problem, code, tests, stop_on_failure=stop)
        if report.verdict is Verdict.IE:
            raise SandboxError(f"{problem.id}: the sandbox lost a run (IE); run the same command again")
        return report.passed, report.verdict

    async def attempt(place: int, code: str) -> None:
        passed, verdict = await run(code, problem.public_tests, stop=False)
        hidden: bool | None = None
        if grade and problem.hidden_tests:
            _, hidden_verdict = await run(code, problem.hidden_tests, stop=True)
            hidden = verdict is Verdict.AC and hidden_verdict is Verdict.AC
        candidates[place] = Candidate(code, passed, len(problem.public_tests), hidden)

    async with anyio.create_task_group() as group:
        for place, code in enumerate(codes):
            group.start_soon(attempt, place, code)
    return tuple(candidates[place] for place in range(len(codes)))


def selection_row(problem_id: str, selection: Selection) -> dict[str, Any]:
    """A line of `selections.jsonl`."""
    return {"problem_id": problem_id, **asdict(selection)}
