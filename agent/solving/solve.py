"""The whole method: make candidates by a strategy, then choose by what the programs do (arXiv 2502.14382)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sstar_code.agent.run.outcomes import StageCount
from sstar_code.agent.solving.confirmed import repair_confirmed
from sstar_code.agent.solving.written_checker import wants_checker, write_checker
from sstar_code.agent.strategies.table import choose_strategy
from sstar_code.agent.telemetry.events import working_on
from sstar_code.agent.thinking.drafts import add_drafts
from sstar_code.agent.thinking.lead import LedModel
from sstar_code.selection import Candidate
from sstar_code.selection.methods.registry import select_all
from sstar_code.selection.pool import Pool

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem, SstarError
    from sstar_code.selection import Selection


@dataclass(frozen=True, slots=True)
class Solution:
    """What came of a problem: every sample with its rounds, and what each method chose."""

    problem: Problem
    lineages: tuple[Lineage, ...]
    """The samples with their rounds, in order; behind them drafts that are candidates (`--drafts`)."""
    selections: Mapping[str, Selection]
    """Method -> what it chose."""
    method: str
    """The method whose choice is the answer."""
    usage: StageCount = field(default_factory=StageCount)
    """What it cost; only where one problem was solved by itself."""
    seconds: float = 0.0
    confirmed: tuple[int, int] = (0, 0)
    """Programs repaired after the choice, for failing a confirmed input, and those of them that pass now."""
    failure: SstarError | None = None
    """What ended the work before its end, where something was there to choose among by then."""

    @property
    def selection(self) -> Selection:
        """What the method that counts chose, and why."""
        return self.selections[self.method]

    @property
    def chosen(self) -> int | None:
        """Index of the sample that was chosen; None where there is no program."""
        return self.selection.chosen

    @property
    def program(self) -> str | None:
        """The program that was chosen."""
        return None if self.chosen is None else self.lineages[self.chosen].code

    @property
    def solved(self) -> bool:
        """Whether that program passes every public test."""
        return self.chosen is not None and self.lineages[self.chosen].survives

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The program that stands for each sample, in order of samples."""
        return candidates_of(self.problem, self.lineages)


async def solve(
    problem: Problem,
    context: SolveContext,
    methods: Sequence[str],
    *,
    on_sample: Callable[[Lineage], None] = lambda _: None,
) -> Solution:
    """Generate, repair, select. Hidden tests are not looked at.

    Of `methods` only the one that counts asks the model, unless the settings say otherwise.
    """
    context = lead_thinking(problem, context)
    if context.knowledge is not None:
        context = replace(context, others=context.knowledge.recall(problem))
    given, told = problem, ""
    if context.settings.write_checker and wants_checker(problem):
        with working_on(problem.id, "checker"):
            problem, told = await write_checker(problem, context)
    lineages = await choose_strategy(context.settings)(problem, context, on_sample)
    if context.knowledge is not None:
        context.knowledge.learn(problem, lineages)
    with working_on(problem.id, "thinking"):
        lineages = await add_drafts(lineages, problem, context)
    candidates, settings, judge = candidates_of(problem, lineages), context.settings, context.judge
    with working_on(problem.id, "select"):
        pool = Pool(
            problem,
            candidates,
            context.sandbox,
            ask=context.ask,
            seed=settings.seed,
            measure_judge=None if judge is None else judge.measure,
            other_judges=(None,) * (context.judges - 1) if judge is None else judge.others(context.judges),
            measure_prediction=None if judge is None else judge.measure_prediction,
            audit=settings.audit,
        )
        free = () if settings.methods_with_model else set(methods) - {settings.select}
        solution = Solution(problem, lineages, await select_all(pool, methods, free=free), settings.select)
    if settings.repair_confirmed:
        solution = await _choose_again(solution, context, methods)
    if not told:
        return solution
    own = solution.selection
    selections = {**solution.selections, settings.select: replace(own, notes=(told, *own.notes))}
    return replace(solution, problem=given, selections=selections)


async def _choose_again(solution: Solution, context: SolveContext, methods: Sequence[str]) -> Solution:
    """The solution after a round of repair for what fails a confirmed input, if anything did and now passes.

    The choice is made anew among what passes the public tests and the confirmed inputs, on free evidence: the
    model has said what it knows. The methods beside it choose among the same programs without those inputs.
    """
    problem, first = solution.problem, solution.selection
    made = await repair_confirmed(problem, context, solution.lineages, first)
    if made is None:
        return solution
    note = f"repair: {made.repaired} of {made.tried} programs that failed a confirmed input pass it now"
    told = replace(first, notes=(*first.notes, note))
    selections = {**solution.selections, solution.method: told}
    effort = made.tried, made.repaired
    if not made.repaired:
        return replace(solution, lineages=made.lineages, selections=selections, confirmed=effort)
    seed, total = context.settings.seed, len(made.problem.public_tests)
    candidates = candidates_of(problem, made.lineages)
    strict = tuple(
        replace(one, public_passed=passed, public_total=total)
        for one, passed in zip(candidates, made.passed, strict=True)
    )
    with working_on(problem.id, "select"):
        others = [name for name in methods if name != solution.method]
        selections |= await select_all(Pool(problem, candidates, context.sandbox, seed=seed), others)
        again = Pool(made.problem, strict, context.sandbox, seed=seed)
        second = (await select_all(again, [solution.method]))[solution.method]
    sure = made.confidence if second.confidence is None else made.confidence * second.confidence
    selections[solution.method] = replace(
        second,
        confidence=sure,
        calls=first.calls,
        tokens=first.tokens,
        executions=first.executions + second.executions,
        notes=(*told.notes, *second.notes),
        derived=first.derived,
        confirmed=total - len(problem.public_tests),
    )
    return replace(solution, lineages=made.lineages, selections=selections, confirmed=effort)


def lead_thinking(problem: Problem, context: SolveContext) -> SolveContext:
    """The context with a model whose thinking is led as the settings say; as it is where they say nothing."""
    settings = context.settings
    if not settings.thinking.is_led:
        return context
    led = LedModel(context.model, problem, context.sandbox, settings.thinking, samples=settings.n)
    return replace(context, model=led)


def candidates_of(problem: Problem, lineages: Sequence[Lineage]) -> tuple[Candidate, ...]:
    """What selection chooses among; a sample without a program is an empty one."""
    total = len(problem.public_tests)
    return tuple(
        Candidate(
            lineage.code or "",
            lineage.best.passed,
            total,
            weight=lineage.rounds[0].confidence or 1.0,
            public_score=lineage.best.score,
        )
        for lineage in lineages
    )
