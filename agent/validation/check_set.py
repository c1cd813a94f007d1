"""Runs what a set brings along to check it: its references on all tests, its validators on their inputs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.jobs.grade_samples import Graded, grade_samples, is_tested
from sstar_code.problems.sets.faults import Fault
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.judging.validators import find_objections

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the references."""

    faults: tuple[Fault, ...]
    references: int
    passed: int
    lost: int
    """By the sandbox (IE): nothing is known of them."""


async def check_run(
    opening: AbstractAsyncContextManager[Session],
    references: Sequence[tuple[Problem, int, str]],
    validated: Sequence[Problem] = (),
) -> Checked:
    """Run the references with progress, and the validators of `validated` on the inputs of their tests.

    Raises:
        As `open_session`.
    """
    async with opening as session:
        refused = [fault for problem in validated async for fault in _find_refused(problem, session.sandbox)]
        if not references:
            return Checked(tuple(refused), 0, 0, 0)
        with session.progress("references", len(references)) as progress:
            checked = await check_references(
                references, session.sandbox, lambda graded: progress.advance(graded.verdict.value)
            )
    return replace(checked, faults=(*refused, *checked.faults))


async def _find_refused(problem: Problem, sandbox: Sandbox) -> AsyncIterator[Fault]:
    """The first public and the first hidden test whose input the problem's validator does not accept."""
    for name, tests in (("public", problem.public_tests), ("hidden", tuple(problem.hidden_tests))):
        inputs = [test.input for test in tests if test.program is None]
        objections = await find_objections(sandbox, problem, inputs) if inputs else []
        for place, words in enumerate(objections):
            if words:
                yield Fault(problem.id, f"{name} test {place}: the validator refuses the input: {words}")
                break


async def check_references(
    references: Iterable[tuple[Problem, int, str]], sandbox: Sandbox, on_graded: Callable[[Graded], None]
) -> Checked:
    """Run (problem, number, program) triples on all tests; one that fails is a fault of its problem."""
    graded: list[Graded] = []

    def note(item: Graded) -> None:
        graded.append(item)
        on_graded(item)

    await grade_samples(_with_tests(references), sandbox, on_graded=note, at_once=2 * sandbox.workers)
    faults = tuple(
        Fault(item.problem_id, f"reference {item.sample} fails: {item.row['error']}")
        for item in graded
        if item.verdict not in (Verdict.AC, Verdict.IE) or item.checker_fault or item.error
    )
    lost = sum(item.is_lost for item in graded)
    return Checked(faults, len(graded), len(graded) - lost - len(faults), lost)


def _with_tests(references: Iterable[tuple[Problem, int, str]]) -> Iterator[tuple[Problem, int, str]]:
    return (item for item in references if is_tested(item[0]))
