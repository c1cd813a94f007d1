"""Questions for an output that the model works out before it sees one.

What programs gave cannot lead it, and it hardly ever makes up the wrong output of a program, unless few
outputs are possible. An answer that no program gave tells nothing: people and models slip.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from sstar_code.problems import Kind
from sstar_code.problems.statements.literals import read_value
from sstar_code.problems.values import encode
from sstar_code.sandbox.outcome import Status
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.clustering import compare_with
from sstar_code.selection.judging.calibration import BEST_ACCURACY, list_probes
from sstar_code.selection.judging.closed_book import close_book
from sstar_code.selection.judging.question import Refusal, read_choice, show_input
from sstar_code.selection.protocols import Question

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.clustering import Behaviour
    from sstar_code.selection.protocols import Ask, Reply

PREDICTIONS = 8
"""Outputs of public tests that are asked for once for a set."""
MOST_MISSES = 2
"""Answers in a row that no program gave, after which no more outputs are asked for."""
_BATCHES = (2, 2, 4)
"""Outputs that are asked for together, one batch after the other until the record is hopeless."""
_ENOUGH_WRONG = 4
"""Outputs, none of them right, after which a model counts as unable to work them out."""
_PRIOR_RIGHT, _PRIOR_WRONG = 1.2, 0.8
"""Pseudo-answers, right and wrong, that a model starts with."""
_CHANCE_OF_FEW, _CHANCE_OF_MANY = 1.0, 0.3
"""How often a wrong output is that of a program: where few outputs are possible, and else. Set by hand."""
_FEW = re.compile(r"\W*(?:true|false|yes|no|possible|impossible|win|lose|-?[01])\W*", re.IGNORECASE)
_FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[^\S\n]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """Outputs that a model worked out of those that are known."""

    right: int = 0
    asked: int = 0
    unread: int = 0
    """Answers that held no output and no refusal."""

    @property
    def is_hopeless(self) -> bool:
        """Whether none of the answers was right, of which there are several or some could not be read."""
        return not self.right and (self.unread > 0 or self.asked >= _ENOUGH_WRONG)

    @property
    def accuracy(self) -> float:
        """Probability that an output is right."""
        right = _PRIOR_RIGHT + self.right
        return min(BEST_ACCURACY, right / (_PRIOR_RIGHT + _PRIOR_WRONG + self.asked))

    def __add__(self, other: PredictionRecord) -> PredictionRecord:
        """The record of both together."""
        return PredictionRecord(
            self.right + other.right, self.asked + other.asked, self.unread + other.unread
        )


@dataclass(slots=True)
class Predictor:
    """The model that works outputs out, and how far to believe it."""

    measure: Callable[[], Awaitable[PredictionRecord | None]] | None
    """As `Pool.measure_prediction`."""
    record: PredictionRecord = field(default_factory=PredictionRecord)
    is_measured: bool = False
    used: set[str] = field(default_factory=set)
    """Inputs about which it has been asked."""
    misses: int = 0
    """Answers in a row that no program gave."""


def chance_of(seen: Sequence[Behaviour]) -> float:
    """How often a wrong answer is one of the outputs that the programs gave."""
    given = [one.output for one in seen if one.status is Status.OK]
    return _CHANCE_OF_FEW if all(map(_FEW.fullmatch, given)) else _CHANCE_OF_MANY


def believe(accuracy: float, chance: float) -> float:
    """Probability that an output is right that a program gave too. Source: Bayes' rule."""
    return min(BEST_ACCURACY, accuracy / (accuracy + (1 - accuracy) * chance))


def read_expected(problem: Problem, reply: Reply | None) -> str | Refusal | None:
    """The encoded output in the last fenced block of `reply`, or the line that refuses; None: neither."""
    text = reply.text if reply else ""
    refused = read_choice(_FENCED.sub("", text), 0)
    if isinstance(refused, Refusal):
        return refused
    blocks = [body for _, body in _FENCED.findall(text)]
    if not blocks:
        return None
    if problem.kind is Kind.STDIN:
        return str(blocks[-1])
    try:
        return str(encode(read_value(blocks[-1])))
    except (ValueError, TypeError, RecursionError):
        return None


def find_same(
    problem: Problem, said: str | Refusal | None, seen: Sequence[Behaviour], groups: Sequence[int]
) -> int | None:
    """The group of the first of `seen` that gave the output `said`; None where no program did."""
    if said is None or isinstance(said, Refusal):
        return None
    pairs = zip(seen, groups, strict=True)
    given = ((one.output, group) for one, group in pairs if one.status is Status.OK)
    return next((group for output, group in given if is_same(problem, said, output)), None)


def is_same(problem: Problem, expected: str, output: str) -> bool:
    """Whether the checker takes the one for the other."""
    return expected == output or compare_with(problem)(expected, output)


async def measure_prediction(problems: Sequence[Problem], ask: Ask) -> PredictionRecord:
    """The record of the model behind `ask` on public tests, whose statements do not show the answer.

    As `calibration.measure_judge`, of at most `PREDICTIONS` tests; ends early where the record `is_hopeless`.
    """
    left = iter(list_probes(problems, PREDICTIONS, close))
    record = PredictionRecord()
    for size in _BATCHES:
        if not record.is_hopeless:
            batch = list(islice(left, size))
            record = sum(await run_together(partial(put_probe, ask, *item) for item in batch), record)
    return record


def close(problem: Problem, number: int) -> tuple[Problem, int] | None:
    """The problem without the output of its `number`th public test; None where it cannot be asked about."""
    test = problem.public_tests[number]
    if test.program is not None or test.output is None:
        return None
    closed = close_book(problem, number)
    return None if closed is None else (closed, number)


async def put_probe(ask: Ask, number: int, shown: tuple[Problem, int]) -> PredictionRecord:
    """The record of one question about a public test."""
    problem, place = shown
    test = problem.public_tests[place]
    reply = await ask(Question.EXPECT, problem, f"probe-{number}", input=show_input(problem, test.input))
    said = read_expected(problem, reply)
    is_right = (
        isinstance(said, str) and not isinstance(said, Refusal) and is_same(problem, test.output or "", said)
    )
    return PredictionRecord(int(is_right), 1, int(said is None))
