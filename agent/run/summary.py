"""The numbers of a run: rates with intervals, and the summary."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.outcomes import Prices, StageCount, add_stages, add_up, count_confirmed, mean_score
from sstar_code.agent.thinking.underthinking import Underthinking, measure_underthinking

if TYPE_CHECKING:
    from sstar_code.agent.run.history.which_set import WhichSet
    from sstar_code.agent.run.outcomes import ProblemOutcome

_MOST_DRAWS = 4_000_000
"""Numbers drawn for one bootstrap at most: a second or two, whatever the size of the set."""

_OF_SELECTION = ("inputs", "judge", "select")
"""Stages of which selection consists."""
_Z95 = 1.9599639845400536
"""`statistics.NormalDist().inv_cdf(0.975)`; its import would take longer than all else here."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in 0..1 with its 95% interval and its denominator, in problems."""

    value: float
    low: float
    high: float
    problems: int

    def __str__(self) -> str:
        if not self.problems:
            return "- (no problems)"
        return f"{100 * self.value:.1f}% [{100 * self.low:.1f}, {100 * self.high:.1f}] of {self.problems}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of paired differences, -1..1, with its 95% interval and the number of pairs."""

    value: float
    low: float
    high: float
    problems: int
    p: float = 1.0
    """Two-sided p of no difference, by the same bootstrap as the interval."""

    def __str__(self) -> str:
        if not self.problems:
            return "- (no problems)"
        points = [f"{100 * part:+.1f}" for part in (self.value, self.low, self.high)]
        return f"{points[0]} points [{points[1]}, {points[2]}] over {self.problems}"


def wilson(successes: float, trials: int) -> Rate:
    """Wilson's score interval for a proportion (Wilson 1927); honest also at 0 and 1 and for few trials."""
    if trials == 0:
        return Rate(0.0, 0.0, 1.0, 0)
    share = successes / trials
    square = _Z95 * _Z95 / trials
    centre = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return Rate(share, max(0.0, centre - half), min(1.0, centre + half), trials)


def mean_rate(values: Sequence[float]) -> Rate:
    """Mean of per-problem rates in 0..1, with Wilson's interval as if each problem were one trial.

    Where the rates are 0 or 1 that is exact; for means of samples it errs on the wide side, because a rate
    between 0 and 1 varies less than a coin of the same mean (a bootstrap over few problems errs on the
    narrow side, down to no width at all where all rates are equal).
    """
    return wilson(sum(values), len(values))


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased estimate of pass@k (Chen et al. 2021, arXiv 2107.03374): 1 - C(n-c, k) / C(n, k).

    Raises:
        ValueError: k is larger than the number of samples.
    """
    if k > samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, there are {samples}")
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)


def paired_bootstrap(differences: Sequence[float], *, seed: int = 0, resamples: int = 10_000) -> Difference:
    """Mean of per-problem differences with a 95% percentile interval over resampled problems (Efron 1979).

    A problem is drawn with all that belongs to it, so samples of one problem are never taken for independent
    ones. Of a large set fewer resamples are drawn, 1,000 at least. The same input gives the same interval.

    p is twice the smaller share of resampled means on one side of 0, with one added to both counts, so that
    it is never 0 (Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2).
    """
    count = len(differences)
    if not count:
        return Difference(0.0, -1.0, 1.0, 0)
    rounds = max(1_000, min(resamples, _MOST_DRAWS // count))
    draw = random.Random(seed)
    means = sorted(math.fsum(draw.choices(differences, k=count)) / count for _ in range(rounds))
    tail = round(0.025 * rounds)
    below, above = bisect_right(means, 0.0), rounds - bisect_left(means, 0.0)
    p = min(1.0, 2 * (min(below, above) + 1) / (rounds + 1))
    return Difference(math.fsum(differences) / count, means[tail], means[-tail - 1], count, p)


def sign_test(won: int, lost: int) -> float:
    """Two-sided p of a split as uneven as this if neither were better (exact McNemar test)."""
    pairs = won + lost
    tail = sum(math.comb(pairs, k) for k in range(min(won, lost) + 1)) / (1 << pairs)
    return min(1.0, 2 * tail)


LABELS = {
    "pass@1": "one sample (pass@1)",
    "debugged@1": "one sample, debugged",
    "random": "random of the best",
    "first": "first of the best",
    "majority": "majority (largest cluster)",
    "oracle": "oracle (best possible)",
}
"""Name of a rate -> its label in tables and charts; a method that is not here goes by its name."""


@dataclass(frozen=True)
class Count:
    """The problems of a run and what each scored: the one count behind the summary and the report."""

    problem_ids: Sequence[str]
    """Problems asked for."""
    outcomes: Mapping[str, ProblemOutcome]
    """The outcomes of the problems that ended, by id."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Problem id to one line, for problems that failed and have no outcome."""
    only: Sequence[str] | None = None
    """Names of the rates that mean something here; None: all."""

    @cached_property
    def ended(self) -> list[ProblemOutcome]:
        """The outcomes of the problems asked for, in their order."""
        return [self.outcomes[one] for one in self.problem_ids if one in self.outcomes]

    @cached_property
    def errors(self) -> dict[str, str]:
        """Problem id to one line, for those that the sandbox or the model failed; wrong in every rate."""
        lines = {**self.failed, **{outcome.problem_id: outcome.error for outcome in self.ended}}
        return {one: line for one in self.problem_ids if (line := lines.get(one))}

    @cached_property
    def unfinished(self) -> list[str]:
        """Problems not reached (interrupted, budget spent); wrong in every rate."""
        return [one for one in self.problem_ids if one not in self.outcomes and one not in self.errors]

    @cached_property
    def ungraded(self) -> int:
        """Finished problems without hidden tests; in no rate."""
        return sum(outcome.error is None and not outcome.graded for outcome in self.ended)

    @cached_property
    def scores(self) -> dict[str, dict[str, float]]:
        """The share of right answers (0..1) by name, for each problem in the rates; empty without a verdict.

        Where none is graded and some have no hidden tests, no problem is in the rates.
        """
        scores: dict[str, dict[str, float]] = {}
        for one in self.problem_ids:
            if one in self.errors or one not in self.outcomes:
                scores[one] = {}
            elif self.outcomes[one].graded:
                row = _score(self.outcomes[one])
                scores[one] = {name: row[name] for name in row if self.only is None or name in self.only}
        return scores if any(scores.values()) or not self.ungraded else {}

    @property
    def graded(self) -> list[str]:
        """The problems that have verdicts of hidden tests."""
        return [problem_id for problem_id, row in self.scores.items() if row]

    def rates(self, problem_ids: Sequence[str] | None = None) -> dict[str, Rate]:
        """The rates over `problem_ids`, by default over all that count.

        Their names are `pass@1`, `debugged@1`, `random`, each method that ran, and `oracle`; where no problem
        has all its samples graded, the methods alone.
        """
        rows = [self.scores[one] for one in (self.scores if problem_ids is None else problem_ids)]
        known = {name for row in self.scores.values() for name in row}
        every = ("pass@1", "debugged@1", "random", *_method_names(self.ended), "oracle")
        names = [name for name in every if not known or name in known]
        return {name: wilson(sum(row.get(name, 0.0) for row in rows), len(rows)) for name in names}


@dataclass(frozen=True, slots=True)
class ChoiceCost:
    """What `selected@1` took, a finished problem on average, so that it never stands beside pass@1 alone."""

    method: str
    samples: float
    calls: float
    """In all stages: samples, repairs, and the questions of every method that ran."""
    tokens: float

    def __str__(self) -> str:
        return (
            f"selected@1: {self.method} of {self.samples:,.4g} samples a problem, with "
            f"{self.calls:,.1f} calls and {self.tokens:,.0f} tokens a problem in all"
        )


def cost_choice(count: Count, select: str, stages: Iterable[StageCount]) -> ChoiceCost | None:
    """What the choice of `select` took; None where nothing was chosen, or no choice has a verdict."""
    ended = [outcome for outcome in count.ended if select in outcome.chosen]
    if not any(outcome.graded for outcome in ended):
        return None
    total = add_up(stages)
    samples = sum(len(outcome.answered) for outcome in ended)
    return ChoiceCost(select, *(part / len(ended) for part in (samples, total.calls, total.tokens)))


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of a run."""

    count: Count
    select: str
    """The method whose choice is the answer; `selected@1` is its rate."""
    seconds: float
    by_problem: Mapping[str, Mapping[str, StageCount]] = field(default_factory=dict)
    """The work for each problem by stage."""
    added: Mapping[str, StageCount] = field(default_factory=dict)
    """The work by stage of methods that were added to the run later; it is not in `by_problem`."""
    prices: Prices = field(default_factory=Prices)
    load: Mapping[str, Any] | None = None
    """The load of the server during this start: `LoadWatch.as_json`."""
    adjustments: Sequence[str] = ()
    """What the endpoint did not take of what was asked: a line each; numbers depend on it."""
    ways: Mapping[str, str] = field(default_factory=dict)
    """Strategy and style of the samples, by these names; empty where the run does not say."""
    which_set: WhichSet | None = None
    """None where no run folder is kept."""
    preset: Mapping[str, Any] = field(default_factory=dict)
    """Name, source and departures of `--preset`; empty without one."""

    @property
    def problems(self) -> int:
        """How many problems were asked for."""
        return len(self.count.problem_ids)

    @property
    def errors(self) -> dict[str, str]:
        """Problem id to one line, for those that the sandbox or the model failed; wrong in every rate."""
        return self.count.errors

    @property
    def public_solved(self) -> int:
        """Finished problems with a sample that passes all public tests."""
        return sum(outcome.solved is True for outcome in self.count.ended)

    @property
    def failed_calls(self) -> list[str]:
        """One line for each sample that ended with a call which the model refused for good."""
        return [sample.failed for outcome in self.count.ended for sample in outcome.samples if sample.failed]

    @property
    def rates(self) -> dict[str, Rate]:
        """Every rate over the problems asked for, less those without hidden tests."""
        return self.count.rates()

    @property
    def stages(self) -> dict[str, StageCount]:
        """The work of the run by stage."""
        return add_stages(self.by_problem.values())

    @property
    def choice_cost(self) -> ChoiceCost | None:
        """What `selected@1` took; None where nothing is finished."""
        return cost_choice(self.count, self.select, self.stages.values())

    @property
    def selection(self) -> StageCount:
        """The work of all methods: calls for inputs, tools and judgements, runs of programs on inputs."""
        return add_up(count for name, count in self.stages.items() if name in _OF_SELECTION)

    @property
    def underthinking(self) -> Underthinking | None:
        """What the thinking of the answers held; None where none is known."""
        return measure_underthinking(self.count.ended)

    @property
    def cost(self) -> str:
        """The cost in words, or why it is not known."""
        total = self.prices.cost(self.stages.values())
        if total is None:
            return f"cost unknown ({self.prices.why_unknown(self.stages.values())})"
        return f"cost {total:.4g}"

    def headline(self) -> dict[str, Any]:
        """The object that `--json` prints; rates are 0..1, null where nothing was graded."""
        value = {name: rate.value if rate.problems else None for name, rate in self.rates.items()}
        total, choice_cost, selection = add_up(self.stages.values()), self.choice_cost, self.selection
        return {
            "problems": self.problems,
            "errors": len(self.errors),
            "pass@1": value.get("pass@1"),
            "random": value.get("random"),
            "first": value.get("first"),
            "majority": value.get("majority"),
            "selected@1": value.get(self.select),
            "selected": None if choice_cost is None else asdict(choice_cost),
            "oracle": value.get("oracle"),
            **mean_score(self.count.ended, self.select),
            "tokens": {
                "prompt": total.prompt,
                "cached": total.cached,
                "output": total.output,
                "reasoning": total.reasoning,
                "calls": total.calls,
                "unknown_calls": total.unknown,
            },
            "selection": {
                "calls": selection.calls,
                "tokens": selection.tokens,
                "executions": selection.executions,
                "cpu_s": round(selection.cpu_s, 3),
            },
            "seconds": round(self.seconds, 3),
            **({} if self.which_set is None else {"which_set": self.which_set.as_json()}),
            **({"preset": dict(self.preset)} if self.preset else {}),
        }

    def as_json(self) -> dict[str, Any]:
        """The object that `summary.json` holds."""
        graded = self.count.graded
        return {
            **self.headline(),
            "graded": len(graded),
            "unfinished": len(self.count.unfinished),
            "ungraded": self.count.ungraded,
            "public_solved": self.public_solved,
            "failed_calls": len(self.failed_calls),
            "select": self.select,
            **self.ways,
            **count_confirmed(self.count.ended),
            "methods": {name: asdict(rate) for name, rate in self.rates.items()},
            "methods_of_graded": {name: asdict(rate) for name, rate in self.count.rates(graded).items()},
            "stages": StageCount.as_json(self.stages),
            **({"added_methods": StageCount.as_json(self.added)} if self.added else {}),
            "failed": self.errors,
            "cost": self.prices.as_json(self.stages.values()),
            **({} if self.underthinking is None else {"thinking": self.underthinking.as_json()}),
            **({"adjustments": list(self.adjustments)} if self.adjustments else {}),
            "server_load": None if self.load is None else dict(self.load),
            "by_problem": {
                problem_id: StageCount.as_json(stages) for problem_id, stages in self.by_problem.items()
            },
        }


def _score(outcome: ProblemOutcome) -> dict[str, float]:
    """Expected share of right answers of a graded problem, 0..1, by name of the rate.

    Where only what was chosen is graded, nothing is known of the samples: the methods alone.
    """
    own = outcome.answered
    if not outcome.is_whole:
        chosen = {name: outcome.chosen.get(name) for name in _method_names([outcome])}
        return {
            name: float(outcome.is_right(place))
            for name, place in chosen.items()
            if place is None or outcome.samples[place].hidden is not None
        }
    return {
        "pass@1": pass_at_k(len(own), outcome.count_right(first=True), 1),
        "debugged@1": pass_at_k(len(own), sum(sample.hidden == "AC" for sample in own), 1),
        "random": _random_of_tier(outcome),
        **{name: float(outcome.is_right(outcome.chosen.get(name))) for name in _method_names([outcome])},
        "oracle": float(outcome.count_right() > 0),
    }


def _method_names(outcomes: Iterable[ProblemOutcome]) -> list[str]:
    """Methods that chose a sample, in order of appearance; `random` and `oracle` are computed instead."""
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.chosen)
    return [name for name in names if name not in ("random", "oracle")]


def _random_of_tier(outcome: ProblemOutcome) -> float:
    """The expected value, not a drawn one: the mean over the best tier has no luck in it."""
    if not outcome.tier:
        return 0.0
    return sum(outcome.is_right(sample) for sample in outcome.tier) / len(outcome.tier)
