"""What a run would cost: calls, tokens and money, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.generation.plans import count_calls
from sstar_code.agent.models.openai.completion import estimate_tokens
from sstar_code.agent.run.outcomes import Prices, StageCount
from sstar_code.agent.run.prices import choose_prices, read_price_list
from sstar_code.agent.solving.confirmed import MOST_REPAIRS
from sstar_code.agent.solving.written_checker import wants_checker
from sstar_code.agent.strategies.table import choose_strategy

if TYPE_CHECKING:
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem

_ANSWER = 600
"""Tokens of an answer without thinking: a program of some 40 lines with a few words around it."""
_REPORT = 300
"""Tokens of what a repair says of failed tests, beside prompt and program."""
_REPAIRED = 0.5
"""Share of the samples that is repaired, once."""
_OPEN = 0.5
"""Share of the problems in which programs differ, so that selection asks."""
_ON_A_SET = 40
"""Questions that measure the judge on a set."""
_ASKS = {
    "random": 0,
    "first": 0,
    "oracle": 0,
    "functional": 0,
    "diffcode": 0,
    "majority": 1,
    "mbr": 1,
    "codet": 1,
    "b4": 1,
    "tests": 1,
    "adaptive": 8,
}
"""Questions of a method to a problem at most; of others as many as pairs, see docs/method/selection.md."""
_MOST_PAIRS = 240


@dataclass(frozen=True, slots=True)
class Estimate:
    """Three counts of calls and tokens, and the prices that they are counted with."""

    least: StageCount
    expected: StageCount
    most: StageCount
    prices: Prices
    origin: str
    """Where the prices are from; empty where there are none."""

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "dry_run": True,
            "least": self._row(self.least),
            "expected": self._row(self.expected),
            "most": self._row(self.most),
            "prices": {
                "prompt": self.prices.prompt,
                "output": self.prices.output,
                "from": self.origin or None,
            },
            "assumed": list(ASSUMED),
        }

    def _row(self, count: StageCount) -> dict[str, Any]:
        return {
            "calls": count.calls,
            "prompt": count.prompt,
            "output": count.output,
            "cost": self.prices.cost([count]),
        }

    def lines(self) -> list[str]:
        """The table and what it assumes, for people."""
        rows: list[tuple[str, ...]] = [("", "calls", "prompt tokens", "output tokens", "cost")]
        for name, count in (("at least", self.least), ("expected", self.expected), ("at most", self.most)):
            cost = self.prices.cost([count])
            numbers = (f"{number:,}" for number in (count.calls, count.prompt, count.output))
            rows.append((name, *numbers, "unknown" if cost is None else f"{cost:,.2f}"))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        table = [
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        known = f"prices from {self.origin}: {self.prices.prompt} and {self.prices.output} per million"
        unknown = "no prices: give --prices FILE, or --price-prompt and --price-output"
        return [*table, known if self.origin else unknown, *(f"assumed: {line}" for line in ASSUMED)]


ASSUMED = (
    f"a token is 3.5 bytes of text, an answer {_ANSWER} tokens; one that thinks writes several times more",
    "at least: first samples alone",
    "expected: half of the samples are repaired once, and selection asks half as much as it may",
    "at most: every call that the strategy may make, every question, every answer as long as --max-tokens",
    "prompts at the full price, also where the server has them cached",
)


def estimate_run(
    problems: Sequence[Problem],
    settings: Settings,
    prompts: Prompts,
    *,
    model: str,
    prices: Prices,
    methods: Sequence[str],
) -> Estimate:
    """What asking `model` about `problems` would cost; nothing is asked.

    Args:
        problems: those that would be worked on.
        settings: of the method.
        prompts: the templates; the first prompt of each problem is rendered and counted.
        model: its name, for its price.
        prices: as given; where they are not, the list that comes along is looked at.
        methods: those that choose.

    Raises:
        UserError: a template fails, the strategy is none, or the file of prices cannot be used.
    """
    least, expected, most = StageCount(), StageCount(), StageCount()
    answer, strategy = min(_ANSWER, settings.max_tokens), choose_strategy(settings)
    for problem in problems:
        messages = prompts.render("generate", problem, environment=None, style=settings.style)
        prompt = estimate_tokens(*(message.content for message in messages))
        first, all_ = settings.first_samples, settings.n
        likely = first if settings.least is None else (first + all_) // 2
        rounds = settings.rounds if problem.public_tests else 0
        asks = sum(count_questions(name, all_) for name in methods)
        _add(least, first, prompt, answer)
        _add(expected, likely, prompt, answer)
        _add(most, all_, prompt, settings.max_tokens)
        _add(least, count_calls(first, settings), prompt, answer)
        _add(expected, count_calls(likely, settings), prompt, answer)
        _add(most, count_calls(all_, settings), prompt, settings.max_tokens)
        _add(expected, round(likely * min(rounds, 1) * _REPAIRED), prompt + answer + _REPORT, answer)
        _add(
            most,
            max(0, strategy.most_calls(settings) - all_) if problem.public_tests else 0,
            prompt + settings.rounds * (settings.max_tokens + _REPORT),
            settings.max_tokens,
        )
        if settings.write_checker and wants_checker(problem):
            _add(most, 1, prompt, settings.max_tokens)
        if all_ > 1:
            _add(expected, round(asks * _OPEN), prompt + _REPORT, answer)
            _add(most, asks, prompt + settings.max_tokens, settings.max_tokens)
            _add(most, int(settings.audit), prompt + settings.max_tokens, settings.max_tokens)
            repairs = MOST_REPAIRS if settings.repair_confirmed else 0
            _add(most, repairs, prompt + settings.max_tokens + _REPORT, settings.max_tokens)
    if len(problems) > 1 and "adaptive" in methods:
        _add(most, _ON_A_SET, most.prompt // max(1, most.calls), settings.max_tokens)
    chosen, origin = _find_prices(prices, model)
    return Estimate(least, expected, most, chosen, origin)


def count_questions(method: str, samples: int) -> int:
    """Calls that `method` makes at most to choose among `samples` candidates of a problem."""
    pairs = min(_MOST_PAIRS, samples * (samples - 1))
    return _ASKS.get(method, pairs + 1)


def _add(count: StageCount, calls: int, prompt: int, output: int) -> None:
    count.calls += calls
    count.prompt += calls * prompt
    count.output += calls * output


def _find_prices(given: Prices, model: str) -> tuple[Prices, str]:
    chosen = choose_prices(given, model)
    if chosen.prompt is not None and chosen.output is not None:
        return chosen, "the command" if given.file is None else str(given.file)
    listed = read_price_list()
    found = listed.find(model)
    return (chosen, "") if found is None else (found, listed.origin)
