"""How many samples a problem is worth: the next step as a pure function of what its samples have shown.

A problem is sampled in waves. After each, a sample more can change the answer in one way only: it passes the
public tests, and with it, or with others to come, another group of equal behaviour takes the lead. So

    value of a first sample  =  pass * change          value of a repair  =  mend * change / cost

* `pass`, `mend`: the chance that a first sample or a repair of the n-th round passes. A Beta prior whose mean
  is that of all problems of the set so far, updated with the counts of this problem.
* `change` without a survivor: `FIRST`, the chance that the first survivor is worth having. With survivors:
  the chance that the leader is overtaken within the next r of them, a Beta-binomial with the counts of the
  two largest groups, divided by r, for the best r. Its prior, too, has the mean of the set: a model whose
  survivors agree elsewhere is believed sooner.
* `cost`: tokens of a repair over those of a first sample, over the set.

`FIRST` and `WORTH` were chosen on half of the problems of two recorded pools
(docs/method/sample-allocation.md), nothing else.

The step of most value is taken; when even that is below the price of a sample, the problem is left: its
leader is sure enough, or it is hopeless.

Source: stopping by the Beta posterior of the two largest groups is Adaptive-Consistency's (arXiv 2305.11860),
value against cost Pandora's box (Weitzman 1979; for samples of a model arXiv 2510.01394), the weighing of
repairs against samples follows arXiv 2306.09896. The look ahead over r and the priors of the set are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

__all__ = ["Beta", "Plan", "Rates", "Repairs", "Seen", "Step", "change_of", "choose_step"]

FIRST = 0.07
"""What a first survivor is worth, beside the change of a leader."""
WORTH = 0.02
"""Of all samples together that a problem may have: the value at which they are still drawn."""
_GROWTH = 4
"""A wave has this part of the samples that are there, or the least."""
_LOOK_AHEAD = 48
"""Survivors to come that are thought of at most."""


@dataclass(frozen=True, slots=True)
class Beta:
    """A rate that is not known for sure; `yes` and `no` need not be whole."""

    yes: float
    no: float

    @property
    def mean(self) -> float:
        """The expected rate, 0..1."""
        return self.yes / (self.yes + self.no)

    def after(self, yes: int, no: int) -> Beta:
        """With so many more of either seen."""
        return Beta(self.yes + yes, self.no + no)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `--n LEAST..MOST` asks for."""

    least: int
    """First samples of every problem."""
    most: int
    worth: float = WORTH

    @property
    def price(self) -> float:
        """Value that a sample must have: who asks for up to 100 is ready to pay more for an answer."""
        return self.worth / self.most


@dataclass(frozen=True, slots=True)
class Repairs:
    """Of one problem and one debugging round."""

    open: int = 0
    """Failing samples that this round could mend."""
    tried: int = 0
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the samples of one problem have shown so far."""

    drawn: int
    """First samples that have ended."""
    passed: int
    """Of those, the ones that passed the public tests unmended."""
    groups: tuple[int, ...] = ()
    """Sizes of the groups of survivors, mended ones too, of equal behaviour; largest first."""
    repairs: tuple[Repairs, ...] = ()
    """For debugging rounds 1, 2, ..."""
    tokens: int = 0
    """Of the first samples; 0 where no server said."""
    repair_tokens: int = 0

    @property
    def repaired(self) -> int:
        """Repairs asked for so far."""
        return sum(item.tried for item in self.repairs)


@dataclass(frozen=True, slots=True)
class Rates:
    """What is believed before a problem is looked at, from the others of the set."""

    passes: Beta = Beta(0.5, 0.5)
    mends: tuple[Beta, ...] = ()
    """For debugging rounds 1, 2, ...; the last stands for all later ones."""
    alike: Beta = Beta(1.4, 0.6)
    """That a survivor does what the leading group does."""
    repair_cost: float = 1.5
    """Tokens of a repair over those of a first sample."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next for a problem, and why."""

    kind: Literal["draw", "repair", "stop"]
    count: int = 0
    """First samples to draw."""
    round: int = 0
    """Debugging round to go through with every sample that waits for it."""
    value: float = 0.0
    """Of one call of the step, against the price of a first sample."""
    why: str = ""
    dropped: tuple[int, ...] = ()
    """At an end in the middle of a wave: samples of it whose answers no longer matter."""


def choose_step(seen: Seen, rates: Rates, plan: Plan) -> Step:
    """The next step; never a draw beyond `plan.most`, never an end before `plan.least` are drawn."""
    if seen.drawn < plan.least:
        return Step("draw", plan.least - seen.drawn, value=1.0, why="the first wave")
    left = max(0, plan.most - seen.drawn)
    waiting = sum(item.open for item in seen.repairs)
    change, ahead = change_of(seen.groups, rates.alike, left + waiting)
    passes = rates.passes.after(seen.passed, seen.drawn - seen.passed).mean
    fresh = passes * change if left else 0.0
    (mend, mends) = max(
        (
            (_mends(seen, rates, number) * change / rates.repair_cost, number)
            for number, item in enumerate(seen.repairs, start=1)
            if item.open
        ),
        key=lambda pair: (pair[0], -pair[1]),
        default=(0.0, 0),
    )
    value = max(fresh, mend)
    if value < plan.price or not left + waiting:
        return Step("stop", value=value, why=_say_why_end(seen, plan, value))
    if mend > fresh:
        rate = _mends(seen, rates, mends)
        why = f"{_say(seen)}; a repair passes with {rate:.2f}, a first sample with {passes:.2f}"
        return Step("repair", round=mends, value=mend, why=why)
    count = min(left, max(1, plan.least, min(math.ceil(ahead / passes), seen.drawn // _GROWTH)))
    return Step("draw", count, value=fresh, why=f"{_say(seen)}; a first sample passes with {passes:.2f}")


@lru_cache(4_096)
def change_of(groups: tuple[int, ...], alike: Beta, most: int) -> tuple[float, int]:
    """The chance a survivor more has of changing the answer, and within how many it would come about."""
    if not groups:
        return FIRST, 1
    leader, second = groups[0], groups[1] if len(groups) > 1 else 0
    belief = alike.after(leader, second)
    best = (0.0, 1)
    for count in range(leader - second + 1, min(most, _LOOK_AHEAD) + 1):
        most_for_leader = (second + count - leader - 1) // 2
        chance = sum(_beta_binomial(number, count, belief) for number in range(most_for_leader + 1))
        best = max(best, (chance / count, count), key=lambda pair: pair[0])
    return best


def _mends(seen: Seen, rates: Rates, number: int) -> float:
    if not rates.mends:
        return 0.0
    item = seen.repairs[number - 1]
    prior = rates.mends[min(number, len(rates.mends)) - 1]
    return prior.after(item.passed, item.tried - item.passed).mean


def _beta_binomial(hits: int, count: int, belief: Beta) -> float:
    return math.comb(count, hits) * math.exp(
        _log_beta(hits + belief.yes, count - hits + belief.no) - _log_beta(belief.yes, belief.no)
    )


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _say(seen: Seen) -> str:
    survivors = sum(seen.groups)
    if not survivors:
        return f"none of {seen.drawn} samples passes the public tests"
    return f"{seen.groups[0]} of {survivors} survivors agree"


def _say_why_end(seen: Seen, plan: Plan, value: float) -> str:
    if seen.drawn >= plan.most:
        return f"{_say(seen)}; all {plan.most} samples are drawn"
    return f"{_say(seen)}; a sample more is worth {value:.4f}, below {plan.price:.4f}"
