"""One more round of repair after the choice, for programs that fail an input with a confirmed output.

What a judge confirms about one input says more than which program to take: it is a test. A survivor that
fails it has a fault that no public test shows, and can be repaired like any other. What passes the public
tests and the confirmed ones after that is chosen among, without another question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import Target, next_round
from sstar_code.agent.generation.feedback import describe_failures, summarize_tests
from sstar_code.agent.generation.sanitized import watch_failures
from sstar_code.problems import Test
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.outcome import is_cut
from sstar_code.selection.concurrency import run_together

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem
    from sstar_code.sandbox.grade import Report
    from sstar_code.selection import Selection

SURE = 0.85
"""Probability of an output from which on it is a test; a wrong one costs calls, and can cost the choice.
A judge that was right on both answers that were known counts 0.89."""
SETTLED = 0.95
"""Confidence in the choice from which on nothing is repaired: there is nothing to win, as for questions."""
MOST_REPAIRS = 2
"""Programs that are repaired: a call each, as an answer of the judge that decides takes two."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What came of the round: the samples, and the problem with the confirmed tests among its public ones."""

    problem: Problem
    lineages: tuple[Lineage, ...]
    passed: tuple[int, ...]
    """How many of the problem's tests each sample passes."""
    repaired: int
    """Programs that failed a confirmed test, were repaired, and pass every test now."""
    tried: int
    """Programs that were repaired."""
    confidence: float
    """Probability that the confirmed outputs are right: that of the least sure."""


async def repair_confirmed(
    problem: Problem, context: SolveContext, lineages: Sequence[Lineage], selection: Selection
) -> Confirmed | None:
    """A round of repair for the likeliest survivors that fail a confirmed test; None where there is none.

    Each call is a function of the answers before it, so a run that was killed asks none of them again. The
    purpose of a call is the sample's next round.

    Raises:
        As `develop`.
    """
    sure = [item for item in selection.derived if item.confidence >= SURE and not is_cut(item.output)]
    is_settled = selection.confidence is not None and selection.confidence >= SETTLED
    if not sure or is_settled or not isinstance(problem.checker, str):
        return None
    added = tuple(Test(item.input, item.output) for item in sure)
    whole = replace(problem, public_tests=(*problem.public_tests, *added))
    reports = await run_together(partial(_run, whole, context, lineage.code) for lineage in lineages)
    failing: dict[str, int] = {}
    for place in sorted(range(len(lineages)), key=lambda place: -_believe(selection, place)):
        report, lineage = reports[place], lineages[place]
        if lineage.survives and report is not None and report.passed < len(whole.public_tests):
            failing.setdefault(lineage.code or "", place)
    places = sorted(list(failing.values())[:MOST_REPAIRS])
    if not places:
        return None
    made = list(lineages)
    grown = await run_together(
        partial(_repair, problem, whole, context, lineages[place], reports[place]) for place in places
    )
    passed = [0 if report is None else report.passed for report in reports]
    for place, lineage in zip(places, grown, strict=True):
        made[place] = lineage
        if lineage.best.confirmed:
            passed[place] = len(whole.public_tests)
    repaired = sum(bool(lineage.best.confirmed) for lineage in grown)
    sureness = min(item.confidence for item in sure)
    return Confirmed(whole, tuple(made), tuple(passed), repaired, len(places), sureness)


async def _run(whole: Problem, context: SolveContext, code: str | None) -> Report | None:
    return None if not code else await run_tests(context.sandbox, whole, code, whole.public_tests)


def _believe(selection: Selection, sample: int) -> float:
    """The probability of the cluster of `sample`, or its size where nothing was weighed; 0 outside of all."""
    for number, members in enumerate(selection.clusters):
        if sample in members:
            return selection.evidence[number].posterior if selection.evidence else float(len(members))
    return 0.0


async def _repair(
    problem: Problem, whole: Problem, context: SolveContext, lineage: Lineage, report: Report | None
) -> Lineage:
    """The sample with a round more, which stands for it if it passes all tests of `whole`."""
    best = lineage.best
    assert report is not None
    assert best.code is not None
    watched = await watch_failures(context.sandbox, whole, best.code, report)
    shown = replace(
        best,
        passed=report.passed,
        total=len(whole.public_tests),
        verdict=report.verdict,
        failures=describe_failures(whole, best.code, report, context.environment, watched=watched),
        summary=summarize_tests(whole, report, confirmed=len(problem.public_tests) + 1),
    )
    grown = await next_round(lineage, whole, context, target=Target(lineage.sample, shown, lineage.rounds))
    last = grown.rounds[-1]
    if last.error:  # it is no fault of the sample, which ended well
        return lineage
    total = len(problem.public_tests)
    after = await _run(whole, context, last.code)
    if after is None:
        return replace(grown, rounds=(*lineage.rounds, replace(last, passed=0, total=total)))
    public = await run_tests(context.sandbox, problem, last.code or "", problem.public_tests)
    passes = after.passed == len(whole.public_tests)
    step = replace(
        last,
        passed=public.passed,
        total=total,
        verdict=public.verdict,
        confirmed=len(whole.public_tests) - total if passes else 0,
    )
    return replace(grown, rounds=(*lineage.rounds, step))
