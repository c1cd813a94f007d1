"""Gives a set more hidden tests, and tells which programs passed before and fail now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.jobs.faults import describe_fault
from sstar_code.agent.jobs.grade_samples import list_judging_tests
from sstar_code.problems.sets.faults import list_references
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.languages.marks import mark
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.hardening.harden import Hardened, harden

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class HardenedProblem:
    """One problem of the set, and the programs that were given for it."""

    hardened: Hardened
    passed: Mapping[int, str]
    """Number of a sample that passed all tests before -> its program."""
    samples: int
    references: int
    """References that pass the tests."""
    error: str = ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A line of the report for every program that passed before and fails now."""
        numbers = list(self.passed)
        return [
            {
                "problem_id": self.hardened.problem.id,
                "sample": numbers[place],
                "verdict": verdict.value,
                "input": test.input,
                "expected": test.output,
            }
            for place, (test, verdict) in (self.hardened.failing or {}).items()
        ]


async def harden_run(
    opening: AbstractAsyncContextManager[Session],
    work: Sequence[tuple[Problem, Sequence[str], Sequence[str]]],
    *,
    seed: int,
    most_tests: int,
    on_hardened: Callable[[HardenedProblem], None] = lambda _: None,
) -> list[HardenedProblem]:
    """Harden every problem of `work` with its programs and its references; in order.

    A problem over which an error is raised stays as it was, with the error's line.

    Raises:
        As `open_session`.
    """
    made: dict[int, HardenedProblem] = {}
    async with opening as session:
        limiter = anyio.CapacityLimiter(session.sandbox.workers)
        harden_one = partial(_harden_one, sandbox=session.sandbox, seed=seed, most_tests=most_tests)
        with session.progress("harden", len(work)) as progress:

            async def one(
                place: int, problem: Problem, codes: Sequence[str], references: Sequence[str]
            ) -> None:
                async with limiter:
                    try:
                        made[place] = await harden_one(problem, references, codes)
                    except Exception as error:  # noqa: BLE001 - what is no matter of one problem is raised again
                        line = describe_fault(error, problem.id)
                        made[place] = HardenedProblem(Hardened(problem, why=line), {}, len(codes), 0, line)
                progress.advance("OK" if made[place].hardened.added else "none")
                on_hardened(made[place])

            await run_together(partial(one, place, *item) for place, item in enumerate(work))
    return [made[place] for place in range(len(work))]


def _list_own(problem: Problem) -> list[str]:
    return [mark(code, PYTHON) for code in list_references(problem)]


async def _harden_one(
    problem: Problem,
    trusted: Sequence[str],
    codes: Sequence[str],
    *,
    sandbox: Sandbox,
    seed: int,
    most_tests: int,
) -> HardenedProblem:
    async def passes(code: str) -> bool:
        tests = list_judging_tests(problem)
        report = await run_tests(sandbox, problem, code, tests, stop_on_failure=True)
        return bool(tests) and report.verdict is Verdict.AC

    references = [code for code in trusted or _list_own(problem) if await passes(code)]
    passed = {number: code for number, code in enumerate(codes) if await passes(code)}
    made = await harden(problem, list(passed.values()), references, sandbox, seed=seed, most_tests=most_tests)
    return HardenedProblem(made, passed, len(codes), len(references))


def summarise(made: Sequence[HardenedProblem]) -> dict[str, Any]:
    """What came of the set, as plain numbers and names."""
    return {
        "problems": len(made),
        "hardened": sum(bool(one.hardened.added) for one in made),
        "tests_added": sum(len(one.hardened.added) for one in made),
        "programs": sum(one.samples for one in made),
        "passed_before": sum(len(one.passed) for one in made),
        "fail_now": sum(len(one.hardened.failing or {}) for one in made),
        "left": {one.hardened.problem.id: one.hardened.why for one in made if one.hardened.why},
    }
