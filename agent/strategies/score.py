"""How good a program is by its public tests: the reward of every search over programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Round
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem
    from sstar_code.sandbox.grade import Report

Score: TypeAlias = tuple[float, int, float, int]
"""Larger is better: share of public tests passed, place of the first that fails, likeness of its output to
the expected one, and, negative, the length of the program."""

NO_PROGRAM: Score = (-1.0, 0, 0.0, 0)


async def score_round(made: Round, problem: Problem, context: SolveContext) -> Score:
    """The score of a round's program.

    Its runs are known already: the sandbox of a session runs a program on an input once.
    """
    if made.code is None:
        return NO_PROGRAM
    report = await run_tests(context.sandbox, problem, made.code, problem.public_tests)
    return (share_passed(made), *_measure_first_failure(report), -len(made.code))


def share_passed(made: Round) -> float:
    """The share of public tests that a round's program passes, 0..1; 0 without a program."""
    if made.code is None:
        return 0.0
    return made.passed / made.total if made.total else 1.0


def _measure_first_failure(report: Report) -> tuple[int, float]:
    for place, result in enumerate(report.results):
        if result.verdict is not Verdict.AC:
            is_compared = result.verdict is Verdict.WA and result.test.output is not None
            return place, compare_words(result.execution.output, result.test.output if is_compared else None)
    return len(report.results), 1.0


def compare_words(got: str | None, expected: str | None) -> float:
    """The share of places at which two texts have the same word, 0..1; 0 where one is missing."""
    if got is None or expected is None:
        return 0.0
    ours, theirs = got.split(), expected.split()
    same = sum(one == other for one, other in zip(ours, theirs, strict=False))
    return same / max(len(ours), len(theirs), 1)
