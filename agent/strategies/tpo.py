"""Test-time preference optimisation: what tells the best program from the worst is advice for the next ones.

Source: TPO (arXiv 2501.12895; yafuly/TPO): five new samples a step, a depth of 2, and three prompts a step:
the loss (compare the best and the worst answer of all so far), the gradient (what to change), and the update
(new answers). The first wave is `--n`, the depth `--rounds`; `--n 5` is the published D2-N5.

Departures: the reward is no reward model but execution, the share of public tests passed and then, by the
same rule as in `beam`, how the first test fails. The two programs are shown with what they do on the
shortest public test on which they differ. New programs go to the samples that have not passed, and it ends
where more than half of the samples pass and do the same on new inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.allocation.sample import count_alike, list_inputs
from sstar_code.agent.generation.develop import Target, has_ended, next_round
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.agent.models.request import CallError, Purpose, Request, Stage
from sstar_code.agent.strategies.rewrite import rewrite_program
from sstar_code.agent.strategies.sample import grow_together
from sstar_code.agent.strategies.score import score_round
from sstar_code.sandbox.grade import run_tests
from sstar_code.selection.evidence.clustering import behaviour_of
from sstar_code.selection.evidence.fingerprint import fingerprint
from sstar_code.selection.judging.question import show_behaviour, show_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem
    from sstar_code.sandbox.grade import TestResult

_STEP = 250_007
"""Between the seeds of the texts of two steps: no sample or repair has one of these."""


@dataclass(frozen=True, slots=True)
class Tpo:
    """`n` samples, then up to `rounds` steps of critique, changes and new programs."""

    samples: int = 5
    """New programs a step."""

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError("samples must be at least 1")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """The first wave; then, step by step, programs that learn from the best and the worst of all."""
        made = list(
            await grow_together(
                range(context.settings.n), lambda number: next_round(Lineage(number, ()), problem, context)
            )
        )
        for step in range(1, context.settings.rounds + 1):
            going = [lineage.sample for lineage in made if not has_ended(lineage, problem)]
            if not going or await _agree(made, problem, context):
                break
            ranked = await _rank(made, problem, context)
            if not ranked:
                break
            best, worst = ranked[0], ranked[-1]
            told = await _advise(best, worst, step, problem, context)
            if told is None:
                break  # the call failed, and without advice there is nothing to try
            asked = going[: self.samples]

            async def rewrite(number: int, best: Target = best, told: str = told) -> Lineage:
                return await rewrite_program(made[number], best, told, problem, context)

            for lineage in await grow_together(asked, rewrite):
                made[lineage.sample] = lineage
        for lineage in made:
            on_sample(lineage)
        return tuple(made)

    def most_calls(self, settings: Settings) -> int:
        """The first wave; at each step critique, changes and the new programs."""
        return settings.n + settings.rounds * (2 + min(self.samples, settings.n))


async def _agree(made: Sequence[Lineage], problem: Problem, context: SolveContext) -> bool:
    """Whether more than half of the samples pass the public tests and do the same on new inputs."""
    codes = [lineage.code for lineage in made if lineage.survives and lineage.code]
    if 2 * len(codes) <= len(made):
        return False
    inputs = list_inputs(problem, context.settings.seed)
    return 2 * (await count_alike(problem, codes, context.sandbox, inputs))[0] > len(made)


async def _rank(made: Sequence[Lineage], problem: Problem, context: SolveContext) -> list[Target]:
    """Every different program so far, best first; the earlier one wins a tie."""
    found: dict[str, Target] = {}
    for lineage in made:
        for item in lineage.rounds:
            if item.code is not None:
                found.setdefault(fingerprint(item.code), Target(lineage.sample, item, (item,)))
    scores = {key: await score_round(target.best, problem, context) for key, target in found.items()}
    return [found[key] for key in sorted(found, key=scores.__getitem__, reverse=True)]


async def _advise(
    best: Target, worst: Target, step: int, problem: Problem, context: SolveContext
) -> str | None:
    """The changes that the contrast of two programs suggests; None where a call failed."""
    shown: dict[str, Any] = {"first": best.best.code, "second": None, "case": None}
    if worst is not best:
        shown |= {"second": worst.best.code, "case": await _find_difference(best, worst, problem, context)}
    critique = await _ask("critique", step, problem, context, shown)
    if critique is None:
        return None
    return await _ask("changes", step, problem, context, {"first": best.best.code, "critique": critique})


async def _find_difference(
    best: Target, worst: Target, problem: Problem, context: SolveContext
) -> dict[str, Any] | None:
    """The shortest public test on which two programs differ, and what each does; None without one."""
    reports = [
        await run_tests(context.sandbox, problem, item.best.code or "", problem.public_tests)
        for item in (best, worst)
    ]
    pairs = sorted(
        zip(reports[0].results, reports[1].results, strict=False),
        key=lambda pair: len(pair[0].test.input) + len(pair[0].test.program or ""),
    )
    for ours, theirs in pairs:
        if _tell(problem, ours) != _tell(problem, theirs):
            test = ours.test
            return {
                "input": test.program or show_input(problem, test.input),
                "first": _tell(problem, ours),
                "second": _tell(problem, theirs),
                "verdicts": [ours.verdict.value, theirs.verdict.value],
            }
    return None


def _tell(problem: Problem, result: TestResult) -> str:
    if result.test.program is not None and result.verdict.value == "AC":
        return "it passes"
    return show_behaviour(problem, behaviour_of(result.execution))


async def _ask(
    name: str, step: int, problem: Problem, context: SolveContext, values: dict[str, Any]
) -> str | None:
    """The text that a prompt of a step gets; None where the call failed or nothing was said."""
    settings = context.settings
    request = Request(
        messages=context.prompts.render(name, problem, environment=context.environment, **values),
        purpose=Purpose(problem.id, Stage.DEBUG, 0, step, ordinal=name),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed + _STEP + step,
    )
    try:
        return (await context.model.ask(request)).text.strip() or None
    except CallError:
        return None
