"""Runs a set's own solutions on its tests: where they fail, the set is wrong or the sandbox is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.jobs.grade_samples import grade_samples
from sstar_code.problems.sets.faults import Fault
from sstar_code.sandbox import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from sstar_code.agent.jobs.grade_samples import Graded
    from sstar_code.agent.jobs.session import Session
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox

__all__ = ["Checked", "check_references", "check_run"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the references."""

    faults: tuple[Fault, ...]
    references: int
    passed: int
    lost: int
    """By the sandbox (IE): nothing is known of them."""


async def check_run(
    opening: AbstractAsyncContextManager[Session], references: Sequence[tuple[Problem, int, str]]
) -> Checked:
    """Run the references with progress.

    Raises:
        As `open_session`.
    """
    async with opening as session:
        with session.progress("references", len(references)) as progress:
            return await check_references(
                references, session.sandbox, lambda graded: progress.advance(graded.verdict.value)
            )


async def check_references(
    references: Iterable[tuple[Problem, int, str]],
    sandbox: Sandbox,
    on_graded: Callable[[Graded], None],
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
        if item.verdict not in (Verdict.AC, Verdict.IE)
    )
    lost = sum(item.verdict is Verdict.IE for item in graded)
    return Checked(faults, len(graded), len(graded) - lost - len(faults), lost)


def _with_tests(references: Iterable[tuple[Problem, int, str]]) -> Iterator[tuple[Problem, int, str]]:
    return (item for item in references if item[0].public_tests or item[0].hidden_tests)
