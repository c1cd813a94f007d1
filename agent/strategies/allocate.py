"""Compute-optimal scaling: what a problem gets next depends on how hard its first samples say that it is.

Source: compute-optimal test-time scaling (arXiv 2408.03314, 2502.06703): five bins of difficulty, or the
absolute ones easy (pass@1 of 50 to 100%), medium (10 to 50%) and hard (below 10%); easy problems get few
samples, hard ones a search. There the bins are known from thousands of samples.

Departures: the rate is estimated from the problem's own first samples on the public tests, the mean of a Beta
posterior with Jeffreys' prior, and again after each step. Easy: it stops when all samples that pass do the
same on new inputs, at `2 * first` samples at most. Medium: samples up to half of `--n`, each repaired. Hard:
a beam search over debug states (`search.beam`) where some program passes some test, else more samples, each
after an idea of its own (the style `plan`). It stops at the first that pass, and gives up after `give_up`
samples of which none does. First samples with ideas count for pass@1 as the others do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sstar_code.agent.allocation.sample import count_alike, list_inputs
from sstar_code.agent.generation.develop import has_ended, next_round
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.agent.generation.plans import IDEAS_A_CALL
from sstar_code.agent.strategies.sample import develop_in_rounds, grow_together
from sstar_code.agent.strategies.score import share_passed
from sstar_code.agent.strategies.search.beam import Beam
from sstar_code.agent.telemetry.events import log_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem


class Action(StrEnum):
    """What a problem gets next."""

    STOP = "stop"
    GIVE_UP = "give up"
    SAMPLE = "sample"
    REPAIR = "repair"
    SEARCH = "search"
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a decision rests on."""

    drawn: int
    """Samples so far."""
    passed: int
    """Those whose first program passes the public tests."""
    survives: bool
    """Whether a sample passes them by now."""
    agree: bool
    """Whether two samples or more pass them, and all that do behave alike on new inputs."""
    fresh: int = 0
    """Samples that fail and that no repair was tried for."""
    hopeful: bool = False
    """Whether one of these passes a test."""

    @property
    def rate(self) -> float:
        """The mean of the posterior of the share of first samples that pass, 0..1."""
        return (self.passed + 0.5) / (self.drawn + 1)


@dataclass(frozen=True, slots=True)
class Allocate:
    """At most `n` samples of `rounds` repairs each; how many and which, by the rate of first samples."""

    first: int = 4
    """Samples of the first wave, and of each further one that an easy or medium problem gets."""
    easy: float = 0.5
    """The rate from which on a problem is easy."""
    hard: float = 0.1
    """The rate up to which it is hard."""
    give_up: int = 32
    """Samples of a hard problem after which, if none passes, nothing more is tried."""

    def __post_init__(self) -> None:
        if self.first < 1 or self.give_up < 1 or not 0 <= self.hard <= self.easy <= 1:
            raise ValueError("first and give_up must be at least 1, and 0 <= hard <= easy <= 1")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """A first wave; then, step by step, what the rate so far says, until it says to stop."""
        made = await _draw(min(self.first, context.settings.n), (), problem, context)
        while True:
            seen = await _look(made, problem, context)
            action, count = self.decide(seen, context.settings)
            log_event(
                "samples.allocated",
                action=action.value,
                count=count,
                rate=round(seen.rate, 4),
                samples=seen.drawn,
            )
            before = made
            if action in (Action.STOP, Action.GIVE_UP):
                break
            if action is Action.SAMPLE:
                made = await _draw(count, made, problem, context)
            elif action is Action.PLAN:
                ideas = replace(context, settings=replace(context.settings, style="plan"))
                made = await _draw(count, made, problem, ideas)
            else:
                made = await _improve(action, made, problem, context)
            if all(item.rounds[-1].error for item in made if item not in before):
                break  # no call was answered: the tokens of this problem are spent, or it is refused
        for lineage in made:
            on_sample(lineage)
        return made

    def most_calls(self, settings: Settings) -> int:
        """As sampling with repair, and the ideas of all samples but those of the first wave."""
        ideas = -(-settings.n // IDEAS_A_CALL) if settings.n > self.first else 0
        return settings.n * (settings.rounds + 1) + ideas

    def decide(self, seen: Seen, settings: Settings) -> tuple[Action, int]:
        """The next action, and how many samples it draws; 0 where it draws none.

        `n` and `rounds` of the settings are the most there may be.
        """
        fresh = seen.fresh if settings.rounds else 0
        if seen.rate >= self.easy:
            most = min(settings.n, 2 * self.first)
            wanted = 0 if seen.agree else min(self.first, most - seen.drawn)
            return (Action.SAMPLE, wanted) if wanted > 0 else (Action.STOP, 0)
        if seen.rate > self.hard:
            wanted = min(self.first, -(-settings.n // 2) - seen.drawn)
            if wanted > 0:
                return Action.SAMPLE, wanted
            return (Action.REPAIR if fresh else Action.STOP), 0
        if seen.survives:
            return Action.STOP, 0
        if fresh and seen.hopeful:
            return Action.SEARCH, 0
        wanted = min(2 * self.first, min(settings.n, self.give_up) - seen.drawn)
        return (Action.PLAN, wanted) if wanted > 0 else (Action.GIVE_UP, 0)


def _list_fresh(made: Sequence[Lineage], problem: Problem) -> list[Lineage]:
    """The samples that no repair was tried for."""
    return [lineage for lineage in made if len(lineage.rounds) == 1 and not has_ended(lineage, problem)]


async def _draw(
    count: int, made: Sequence[Lineage], problem: Problem, context: SolveContext
) -> tuple[Lineage, ...]:
    """`made`, and so many first samples more."""
    told = context.remember(made)
    numbers = range(len(made), len(made) + count)
    drawn = await grow_together(numbers, lambda number: next_round(Lineage(number, ()), problem, told))
    return (*made, *drawn)


async def _improve(
    action: Action, made: Sequence[Lineage], problem: Problem, context: SolveContext
) -> tuple[Lineage, ...]:
    """`made` with the samples that no repair was tried for repaired, each by itself or in a search."""
    fresh = _list_fresh(made, problem)
    if action is Action.SEARCH:
        better: Sequence[Lineage] = await Beam().search(fresh, problem, context, lambda _: None)
    else:
        better = await develop_in_rounds(fresh, problem, context, made)
    by_number = {lineage.sample: lineage for lineage in (*made, *better)}
    return tuple(by_number[number] for number in range(len(made)))


async def _look(made: Sequence[Lineage], problem: Problem, context: SolveContext) -> Seen:
    codes = [lineage.code for lineage in made if lineage.survives and lineage.code]
    agree = False
    if len(codes) > 1:
        inputs = list_inputs(problem, context.settings.seed)
        agree = len(await count_alike(problem, codes, context.sandbox, inputs)) == 1
    fresh = _list_fresh(made, problem)
    return Seen(
        drawn=len(made),
        passed=sum(lineage.rounds[0].solved for lineage in made),
        survives=bool(codes),
        agree=agree,
        fresh=len(fresh),
        hopeful=any(share_passed(lineage.best) for lineage in fresh),
    )
