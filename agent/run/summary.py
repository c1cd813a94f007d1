"""Counts a run: every rate with its interval and its denominator, every error in the open."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.prices import Prices
from sstar_code.agent.run.statistics import Rate, pass_at_k, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sstar_code.agent.run.outcomes import ProblemOutcome
    from sstar_code.agent.run.usage import StageCount

__all__ = ["LABELS", "Summary", "method_names", "score", "summarize"]

LABELS = {
    "pass@1": "one sample, no debugging (pass@1)",
    "debugged@1": "one sample, debugged",
    "random": "random among the best on public tests",
    "first": "first among the best on public tests",
    "majority": "largest group of equal behaviour",
    "oracle": "oracle (best possible choice)",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    problems: int
    """Problems asked for."""
    errors: Mapping[str, str]
    """Problem id to one line, for those that the sandbox or the model failed; wrong in every rate."""
    unfinished: int
    """Problems not reached (interrupted, budget spent); wrong in every rate."""
    ungraded: int
    """Finished problems without hidden tests; in no rate."""
    public_solved: int
    """Finished problems with a sample that passes all public tests."""
    failed_calls: Sequence[str]
    """One line for each sample that ended with a call which the model refused for good."""
    rates: Mapping[str, Rate]
    """By name: `pass@1`, `debugged@1`, `random`, each method that ran, `oracle`; over the problems asked
    for, less those without hidden tests."""
    graded: Mapping[str, Rate]
    """The same over the graded problems alone."""
    select: str
    """The method whose choice is the answer; `selected@1` is its rate."""
    stages: Mapping[str, StageCount]
    seconds: float
    by_problem: Mapping[str, Mapping[str, StageCount]] = field(default_factory=dict)
    """What each problem cost, by stage."""
    prices: Prices = field(default_factory=Prices)
    load: Mapping[str, Any] | None = None
    """How busy the server was during this start: `LoadWatch.as_json`."""

    @property
    def cost(self) -> str:
        """In words: the sum, or why it is not known."""
        total = self.prices.cost(self.stages.values())
        if total is None:
            return f"cost unknown ({self.prices.why_unknown(self.stages.values())})"
        return f"cost {total:.4g}"

    def headline(self) -> dict[str, Any]:
        """What `--json` prints; rates are 0..1, null where nothing was graded."""
        value = {name: rate.value if rate.problems else None for name, rate in self.rates.items()}
        return {
            "problems": self.problems,
            "errors": len(self.errors),
            "pass@1": value.get("pass@1"),
            "random": value.get("random"),
            "first": value.get("first"),
            "majority": value.get("majority"),
            "selected@1": value.get(self.select),
            "oracle": value.get("oracle"),
            "tokens": {
                "prompt": sum(count.prompt for count in self.stages.values()),
                "cached": _sum_known(count.cached for count in self.stages.values()),
                "output": sum(count.output for count in self.stages.values()),
                "reasoning": _sum_known(count.reasoning for count in self.stages.values()),
                "calls": sum(count.calls for count in self.stages.values()),
                "unknown_calls": sum(count.unknown for count in self.stages.values()),
            },
            "seconds": round(self.seconds, 3),
        }

    def as_json(self) -> dict[str, Any]:
        """What `summary.json` holds."""
        return {
            **self.headline(),
            "graded": next((rate.problems for rate in self.graded.values()), 0),
            "unfinished": self.unfinished,
            "ungraded": self.ungraded,
            "public_solved": self.public_solved,
            "failed_calls": len(self.failed_calls),
            "select": self.select,
            "methods": {name: asdict(rate) for name, rate in self.rates.items()},
            "methods_of_graded": {name: asdict(rate) for name, rate in self.graded.items()},
            "stages": {name: asdict(count) for name, count in self.stages.items()},
            "failed": dict(self.errors),
            "cost": self.prices.as_json(self.stages.values()),
            "server_load": None if self.load is None else dict(self.load),
            "by_problem": {
                problem_id: {name: asdict(count) for name, count in stages.items()}
                for problem_id, stages in self.by_problem.items()
            },
        }


def _sum_known(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def summarize(
    outcomes: Sequence[ProblemOutcome],
    *,
    problems: int,
    select: str,
    stages: Mapping[str, StageCount],
    seconds: float,
    by_problem: Mapping[str, Mapping[str, StageCount]] | None = None,
    prices: Prices = Prices(),  # noqa: B008 - frozen
    load: Mapping[str, Any] | None = None,
) -> Summary:
    """Count `outcomes` of a run over `problems` problems."""
    scores = [score(outcome) for outcome in outcomes if outcome.graded]
    ungraded = sum(outcome.error is None and not outcome.graded for outcome in outcomes)
    asked = problems - ungraded if scores or not ungraded else 0
    totals = {name: sum(row.get(name, 0.0) for row in scores) for name in _rate_names(outcomes)}
    return Summary(
        problems=problems,
        errors={outcome.problem_id: outcome.error for outcome in outcomes if outcome.error},
        unfinished=problems - len(outcomes),
        ungraded=ungraded,
        public_solved=sum(outcome.solved is True for outcome in outcomes),
        failed_calls=[s.failed for outcome in outcomes for s in outcome.samples if s.failed],
        rates={name: wilson(total, asked) for name, total in totals.items()},
        graded={name: wilson(total, len(scores)) for name, total in totals.items()},
        select=select,
        stages=dict(stages),
        seconds=seconds,
        by_problem=by_problem or {},
        prices=prices,
        load=load,
    )


def score(outcome: ProblemOutcome) -> dict[str, float]:
    """Expected share of right answers by name, 0..1, as in `Summary.rates`; of a graded problem."""
    count = len(outcome.samples)
    first = sum(sample.first_hidden == "AC" for sample in outcome.samples)
    final = sum(sample.hidden == "AC" for sample in outcome.samples)
    return {
        "pass@1": pass_at_k(count, first, 1),
        "debugged@1": pass_at_k(count, final, 1),
        "random": _random_of_tier(outcome),
        **{name: float(outcome.is_right(outcome.chosen.get(name))) for name in method_names([outcome])},
        "oracle": float(final > 0),
    }


def method_names(outcomes: Iterable[ProblemOutcome]) -> list[str]:
    """Methods that chose a sample, in order of appearance; `random` and `oracle` are computed instead."""
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.chosen)
    return [name for name in names if name not in ("random", "oracle")]


def _rate_names(outcomes: Sequence[ProblemOutcome]) -> list[str]:
    return ["pass@1", "debugged@1", "random", *method_names(outcomes), "oracle"]


def _random_of_tier(outcome: ProblemOutcome) -> float:
    """Expected, not drawn: the mean over the best tier has no luck in it."""
    if not outcome.tier:
        return 0.0
    return sum(outcome.is_right(sample) for sample in outcome.tier) / len(outcome.tier)
