"""What the problems of a set share when their numbers of samples are decided as samples come in.

Decisions are kept in the run store before they are acted on, so that a resumed run decides alike: what is
decided for one problem hangs on what others have shown by then, and so on the order of answers.

A budget of tokens is spread over the set. While all that is asked for fits into what is left, everybody
gets it; before every problem has had its first samples, those that have may spend no more than an even
spread would give them. Else nothing is granted until then, and after it to the best offers only, to a
quarter of the open problems at a time: what they come back with competes with the rest. This is the greedy
rule for a budget that is spread by marginal value; over the problems of a set, see arXiv 2410.04707 and
2601.21522.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.allocation.policy import Observed, SampleRange, Step
from sstar_code.agent.run.outcomes import read_record

if TYPE_CHECKING:
    from sstar_code.agent.calls.budget import Budget
    from sstar_code.agent.run.store import Store
    from sstar_code.agent.solving.settings import Settings

_AT_ONCE = 4
"""The part of the open problems that may spend at the same time while tokens are scarce: one in so many."""
_KEPT = 2
"""For choosing among its candidates, a problem keeps as many tokens as so many first samples cost."""


@dataclass(slots=True)
class _Offer:
    value: float
    tokens: float
    is_granted: bool = False
    is_settled: anyio.Event = field(default_factory=anyio.Event)

    def settle(self, *, granted: bool) -> None:
        self.is_granted = granted
        self.is_settled.set()


@dataclass(slots=True)
class SharedBudget:
    """Grants steps to the problems of a set as long as the tokens of the run's budget last."""

    run_budget: Budget
    problems: int
    """Problems that have not ended."""
    first_samples: int
    """Samples that every problem begins with."""
    _offers: dict[str, _Offer] = field(default_factory=dict)
    _granted: dict[str, float] = field(default_factory=dict)
    """Problem -> tokens that its step under way may come to."""
    _begun: dict[str, float] = field(default_factory=dict)
    """Problem -> tokens of a first sample, for those that have had their first samples and sample on."""
    _ended: set[str] = field(default_factory=set)
    _chosen: int = 0
    _spent_before: int = field(init=False)

    def __post_init__(self) -> None:
        self._spent_before = self.run_budget.tokens

    @property
    def is_limited(self) -> bool:
        """Whether there is anything to spread."""
        return self.run_budget.max_tokens_total is not None

    async def ask(self, problem_id: str, value: float, tokens: float, sample_tokens: float) -> bool:
        """Whether the next step of a problem may begin; waits until that can be said.

        Args:
            problem_id: a problem that has had its first samples.
            value: value of a token of the step, in the unit of all other problems.
            tokens: tokens that the step may come to.
            sample_tokens: mean tokens of a first sample of the problem.
        """
        if not self.is_limited:
            return True
        self._granted.pop(problem_id, None)
        self._begun[problem_id] = sample_tokens
        offer = self._offers[problem_id] = _Offer(value, tokens)
        self._deal()
        try:
            await offer.is_settled.wait()
        finally:
            self._offers.pop(problem_id, None)
        return offer.is_granted

    def end(self, problem_id: str) -> None:
        """The problem draws no more samples; it is chosen for next."""
        self._begun.setdefault(problem_id, self._mean_sample)
        self._granted.pop(problem_id, None)
        self._ended.add(problem_id)
        self._deal()

    def close(self, problem_id: str) -> None:
        """The problem costs nothing any more."""
        self.end(problem_id)
        self._chosen += 1
        self._deal()

    @property
    def _mean_sample(self) -> float:
        return sum(self._begun.values()) / len(self._begun) if self._begun else 0.0

    @property
    def _left(self) -> float:
        """Tokens without those that are under way or kept: for choosing, and for first samples to come."""
        total = self.run_budget.max_tokens_total or 0
        choosing = _KEPT * (self.problems - self._chosen)
        beginning = self.first_samples * self._unbegun
        return (
            total
            - self.run_budget.tokens
            - sum(self._granted.values())
            - (choosing + beginning) * self._mean_sample
        )

    @property
    def _share_left(self) -> float:
        """What is left of the tokens that an even spread would give to the problems that have begun."""
        total = (self.run_budget.max_tokens_total or 0) - self._spent_before
        spent = self.run_budget.tokens - self._spent_before + sum(self._granted.values())
        return total * len(self._begun) / self.problems - spent

    @property
    def _unbegun(self) -> int:
        return max(0, self.problems - len(self._begun))

    def _deal(self) -> None:
        waiting = sorted(self._open_offers(), key=lambda item: (-item[1].value, item[0]))
        wanted = sum(offer.tokens for _, offer in waiting)
        if wanted <= self._left and (not self._unbegun or wanted <= self._share_left):
            for problem_id, offer in waiting:
                self._grant(problem_id, offer)
            return
        if self._unbegun:
            return
        most = max(1, (len(self._begun) - len(self._ended)) // _AT_ONCE)
        for problem_id, offer in waiting:
            if len(self._granted) >= most:
                return
            if offer.tokens <= self._left:
                self._grant(problem_id, offer)
            elif not self._granted:  # nothing under way could still turn out cheaper than thought
                offer.settle(granted=False)
            else:
                return

    def _open_offers(self) -> list[tuple[str, _Offer]]:
        return [item for item in self._offers.items() if not item[1].is_settled.is_set()]

    def _grant(self, problem_id: str, offer: _Offer) -> None:
        self._granted[problem_id] = offer.tokens
        offer.settle(granted=True)


class DecisionLog:
    """The steps of every problem of a run."""

    def __init__(self, store: Store | None = None) -> None:
        """Begin with what `store` holds; without one, steps are kept for the life of the process."""
        self._store = store
        self._steps: dict[str, list[Step]] = {}
        self.shown: dict[str, Observed] = {}
        """What each problem had shown when its last step was decided."""
        for problem_id, step, seen in store.steps() if store else ():
            assert store is not None
            with store.blaming():
                self._steps.setdefault(problem_id, []).append(read_record(Step, json.loads(step)))
                self.shown[problem_id] = read_record(Observed, json.loads(seen))

    def of(self, problem_id: str) -> list[Step]:
        """The steps of a problem so far, in order."""
        return self._steps.setdefault(problem_id, [])

    def add(self, problem_id: str, step: Step, seen: Observed) -> None:
        """Keep the next step of a problem and what it rests on."""
        steps = self.of(problem_id)
        if self._store is not None:
            self._store.put_step(problem_id, len(steps), json.dumps(asdict(step)), json.dumps(asdict(seen)))
        steps.append(step)
        self.shown[problem_id] = seen


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the problems of a set share when their numbers of samples are decided as samples come in."""

    range: SampleRange
    budget: SharedBudget
    log: DecisionLog


def plan_allocation(
    settings: Settings, budget: Budget, store: Store | None, problems: int
) -> Allocation | None:
    """The allocation over so many unfinished problems; None where `settings` ask for a fixed number."""
    if settings.least is None:
        return None
    samples = SampleRange(settings.least, settings.n)
    return Allocation(samples, SharedBudget(budget, problems, settings.least), DecisionLog(store))
