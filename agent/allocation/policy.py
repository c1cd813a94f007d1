"""How many samples a problem is worth: the next step as a pure function of what its samples have shown.

A problem is sampled in steps. After each, a sample more can change the answer in one way only: it passes the
public tests, and with it, or with others to come, another group of equal behaviour takes the lead. So

    value of a first sample  =  pass * change          value of a repair  =  repair * change / cost

* `pass`, `repair`: the chance that a first sample or a repair of the n-th round passes. A Beta prior whose
  mean is that of all problems of the set so far, updated with the counts of this problem.
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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

FIRST = 0.07
"""Value of a first survivor, beside that of a change of the leader."""
WORTH = 0.02
"""Samples are drawn as long as all that a problem may have would together be worth more than this."""
_GROWTH = 4
"""A step draws this part of the samples that are there, or the least."""
_LOOK_AHEAD = 48
"""Survivors to come that the rule looks ahead to, at most."""
_PASSES, _REPAIRS, _ALIKE = 0.5, 0.2, 0.7
"""Prior means of a set of which nothing is known yet."""
_SET_STRENGTH = 2.0
"""Strength of these priors, in problems that would have shown as much."""
_PASSES_WEIGHT, _REPAIRS_WEIGHT, _ALIKE_WEIGHT = 1.0, 2.0, 2.0
"""Strength of what the set says about one problem, in samples: little, most problems are easy or hopeless."""
_REPAIR_COST = 1.5
"""Tokens of a repair over those of a first sample, until a set shows them."""


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
class SampleRange:
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
    """How far one round of repair of one problem has come."""

    open: int = 0
    """Failing samples that this round could repair."""
    tried: int = 0
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """What the samples of one problem have shown so far."""

    drawn: int
    """First samples that have ended."""
    passed: int
    """How many of them passed the public tests without repair."""
    groups: tuple[int, ...] = ()
    """Sizes of the groups of survivors, repaired ones too, of equal behaviour; largest first."""
    repairs: tuple[Repairs, ...] = ()
    """Rounds of repair 1, 2, ..."""
    tokens: int = 0
    """Tokens of the first samples; 0 where no server said."""
    repair_tokens: int = 0

    @property
    def repaired(self) -> int:
        """Repairs asked for so far."""
        return sum(item.tried for item in self.repairs)


@dataclass(frozen=True, slots=True)
class Rates:
    """What is believed before a problem is looked at, from the others of the set."""

    passes: Beta = Beta(0.5, 0.5)
    repairs: tuple[Beta, ...] = ()
    """Rates of the rounds of repair 1, 2, ...; the last stands for all later ones."""
    alike: Beta = Beta(1.4, 0.6)
    """Rate at which a survivor does what the leading group does."""
    repair_cost: float = 1.5
    """Tokens of a repair over those of a first sample."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next for a problem, and why."""

    kind: Literal["draw", "repair", "stop"]
    count: int = 0
    """First samples to draw."""
    round: int = 0
    """Round of repair to go through with every sample that waits for it."""
    value: float = 0.0
    """Value of one call of the step, against the price of a first sample."""
    why: str = ""
    dropped: tuple[int, ...] = ()
    """At an end in the middle of a step: samples of it whose answers no longer matter."""


def choose_step(seen: Observed, rates: Rates, samples: SampleRange) -> Step:
    """The next step; never a draw beyond `samples.most`, never an end before `samples.least` are drawn."""
    if seen.drawn < samples.least:
        return Step("draw", samples.least - seen.drawn, value=1.0, why="the first samples")
    left = max(0, samples.most - seen.drawn)
    waiting = sum(item.open for item in seen.repairs)
    change, ahead = change_of(seen.groups, rates.alike, left + waiting)
    passes = rates.passes.after(seen.passed, seen.drawn - seen.passed).mean
    fresh = passes * change if left else 0.0
    (repair, number_of_repair) = max(
        (
            (_repair_rate(seen, rates, number) * change / rates.repair_cost, number)
            for number, item in enumerate(seen.repairs, start=1)
            if item.open
        ),
        key=lambda pair: (pair[0], -pair[1]),
        default=(0.0, 0),
    )
    value = max(fresh, repair)
    if value < samples.price or not left + waiting:
        return Step("stop", value=value, why=_say_why_end(seen, samples, value))
    if repair > fresh:
        rate = _repair_rate(seen, rates, number_of_repair)
        why = f"{_say(seen)}; a repair passes with {rate:.2f}, a first sample with {passes:.2f}"
        return Step("repair", round=number_of_repair, value=repair, why=why)
    count = min(left, max(1, samples.least, min(math.ceil(ahead / passes), seen.drawn // _GROWTH)))
    return Step("draw", count, value=fresh, why=f"{_say(seen)}; a first sample passes with {passes:.2f}")


def estimate_rates(shown: Iterable[Observed], rounds: int) -> Rates:
    """The rates of a set whose problems have shown `shown`, for up to `rounds` rounds of repair.

    Every problem counts alike however many samples it has had: the hopeless ones have had most.
    """
    every = [seen for seen in shown if seen.drawn]
    passes = [seen.passed / seen.drawn for seen in every]
    alike = [(seen.groups[0] - 1) / (sum(seen.groups) - 1) for seen in every if sum(seen.groups) > 1]
    repairs = [
        [
            seen.repairs[place].passed / seen.repairs[place].tried
            for seen in every
            if place < len(seen.repairs) and seen.repairs[place].tried
        ]
        for place in range(rounds)
    ]
    return Rates(
        passes=_believe(passes, _PASSES, _PASSES_WEIGHT),
        repairs=tuple(_believe(rates, _REPAIRS, _REPAIRS_WEIGHT) for rates in repairs),
        alike=_believe(alike, _ALIKE, _ALIKE_WEIGHT),
        repair_cost=_compare_costs(every),
    )


def _believe(rates: Sequence[float], before: float, weight: float) -> Beta:
    mean = (sum(rates) + _SET_STRENGTH * before) / (len(rates) + _SET_STRENGTH)
    return Beta(weight * mean, weight * (1 - mean))


def _compare_costs(every: Sequence[Observed]) -> float:
    drawn, repaired = sum(seen.drawn for seen in every), sum(seen.repaired for seen in every)
    fresh, repair_tokens = sum(seen.tokens for seen in every), sum(seen.repair_tokens for seen in every)
    if not (fresh and repair_tokens):
        return _REPAIR_COST
    return (repair_tokens / repaired) / (fresh / drawn)


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


def _repair_rate(seen: Observed, rates: Rates, number: int) -> float:
    if not rates.repairs:
        return 0.0
    item = seen.repairs[number - 1]
    prior = rates.repairs[min(number, len(rates.repairs)) - 1]
    return prior.after(item.passed, item.tried - item.passed).mean


def _beta_binomial(hits: int, count: int, belief: Beta) -> float:
    return math.comb(count, hits) * math.exp(
        _log_beta(hits + belief.yes, count - hits + belief.no) - _log_beta(belief.yes, belief.no)
    )


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _say(seen: Observed) -> str:
    survivors = sum(seen.groups)
    if not survivors:
        return f"none of {seen.drawn} samples passes the public tests"
    return f"{seen.groups[0]} of {survivors} survivors agree"


def _say_why_end(seen: Observed, samples: SampleRange, value: float) -> str:
    if seen.drawn >= samples.most:
        return f"{_say(seen)}; all {samples.most} samples are drawn"
    return f"{_say(seen)}; a sample more is worth {value:.4f}, below {samples.price:.4f}"
