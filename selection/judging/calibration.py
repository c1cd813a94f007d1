"""How often the judge is right, measured on questions whose answer is known: the public tests.

A question is a public input with the true output and a wrong one, made by a small change; the statement is
shown without the answer (`closed_book`), so that a judge that copies is found out. It is easier than the
real ones, so the measured rate is never believed to be above `BEST_ACCURACY`.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sstar_code.problems import Kind
from sstar_code.problems.values import decode, encode
from sstar_code.sandbox.outcome import Status
from sstar_code.selection.concurrency import run_together
from sstar_code.selection.evidence.clustering import Behaviour, compare_with
from sstar_code.selection.inputs.strategies.draw import mutate_value
from sstar_code.selection.judging.closed_book import close_book
from sstar_code.selection.judging.question import address_judge, present, weigh
from sstar_code.selection.judging.sureness import Known, adjust, equate, odds_of
from sstar_code.selection.protocols import Question

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.judging.question import Answer, Choice
    from sstar_code.selection.protocols import Ask

Probe = TypeVar("Probe")

PROBES = 20
"""Most questions with a known answer that are put once for a set."""
BEST_ACCURACY = 0.95
_PRIOR_RIGHT, _PRIOR_WRONG = 3.0, 0.6
"""Pseudo-answers, right and wrong, that a judge nobody has measured starts with."""
LEAST_ACCURACY = 0.65
"""Below, questions do more harm than good: by simulation a judge right 60% of the time lowers the result."""
_BATCH = 4
"""Questions put together, after which it is looked whether more are needed."""
_ENOUGH_FOR_GOOD = 16
"""Answers that a very good judge has to give: who guesses is right on eight questions in 0.4% of cases."""
_SURE_ACCURACY = 0.85
"""A judge that is one standard error better than this need not be measured any further."""
_ENOUGH_BY_CHANCE = 20
"""Answers, half of them right, after which a judge counts as no better than chance."""
_ENOUGH_ANSWERS, _SAME_SHARE = 10, 0.9
"""Answers, and the share of them that are equal in both orders, for the order to count as ignored."""
_TRIES = 20
_NUMBER = re.compile(r"-?\d+")
_SWAPS = {"yes": "no", "true": "false", "possible": "impossible"}
_SWAPS |= {no: yes for yes, no in _SWAPS.items()}


@dataclass(frozen=True, slots=True)
class JudgeRecord:
    """Answers of a judge to questions whose answer is known."""

    right: float = 0.0
    """Answers that named the true output; one that named none counts a half."""
    asked: int = 0
    right_twice: int = 0
    """Questions whose answer was right in both orders of the outputs."""
    agreed: int = 0
    """Questions that got the same answer in both orders."""
    known: Known = ()
    """The answers with a probability: its log-odds, and whether they were right."""

    @property
    def accuracy(self) -> float:
        """Probability that an answer is right: the mean of the posterior, at most `BEST_ACCURACY`."""
        return min(BEST_ACCURACY, self._rate)

    @property
    def worth(self) -> float:
        """The accuracy of a judge without probabilities whose answers would tell as much."""
        return equate(self._rate, self.known, BEST_ACCURACY)

    @property
    def accuracy_twice(self) -> float:
        """Probability that an answer that was given in both orders is right."""
        right, wrong = _PRIOR_RIGHT + self.right_twice, _PRIOR_WRONG + self.agreed - self.right_twice
        return max(self.accuracy, min(BEST_ACCURACY, right / (right + wrong)))

    def believe(self, *probabilities: float | None) -> float:
        """Probability that an answer is right that was given with these; two for one given in both orders."""
        base = self.accuracy if len(probabilities) == 1 else self.accuracy_twice
        told = [one for one in probabilities if one is not None]
        mean = math.fsum(told) / len(told) if told else None
        return adjust(base, self.known, mean, BEST_ACCURACY)

    @property
    def ignores_order(self) -> bool:
        """Whether the order of the outputs was seen not to matter: a second call would tell nothing new."""
        return self.asked >= _ENOUGH_ANSWERS and 2 * self.agreed >= _SAME_SHARE * self.asked

    @property
    def is_steady(self) -> bool:
        """Whether every question so far got the same answer in both orders."""
        return self.asked > 0 and 2 * self.agreed == self.asked

    @property
    def is_worth_asking(self) -> bool:
        """Whether it is worth asking: one standard error below its worth is still better than a guess."""
        return self.worth - self._error > LEAST_ACCURACY

    @property
    def is_settled(self) -> bool:
        """Whether more questions would hardly change what is done: it is very good, or no better than chance.

        No better than chance is who is right on four answers in ten, on half of them while the order decides
        every time, or on half of twenty.
        """
        if self.asked < 2 * _BATCH:
            return False
        by_chance = self.right <= 0.5 * self.asked and (not self.agreed or self.asked >= _ENOUGH_BY_CHANCE)
        is_good = self._rate - self._error > _SURE_ACCURACY and self.asked >= _ENOUGH_FOR_GOOD
        return is_good or by_chance or self.right <= 0.4 * self.asked

    @property
    def _error(self) -> float:
        """The standard error of the accuracy.

        The two answers to one question are not independent, so the error is that of half as many answers.
        """
        rate = self._rate
        questions = _PRIOR_RIGHT + _PRIOR_WRONG + self.asked / 2
        return math.sqrt(rate * (1 - rate) / (questions + 1))

    @property
    def _rate(self) -> float:
        return (_PRIOR_RIGHT + self.right) / (_PRIOR_RIGHT + _PRIOR_WRONG + self.asked)

    def __add__(self, other: JudgeRecord) -> JudgeRecord:
        """The record of both together."""
        return JudgeRecord(
            self.right + other.right,
            self.asked + other.asked,
            self.right_twice + other.right_twice,
            self.agreed + other.agreed,
            self.known + other.known,
        )


def make_probe(problem: Problem, number: int) -> tuple[Problem, Choice] | None:
    """The problem as it is shown, and a question about its `number`th public test whose group 0 is true.

    The other output is the true one changed a little. The problem is shown without the true output. None
    where the test has no output of its own, nothing wrong can be made of it, or it cannot be kept secret.
    """
    test = problem.public_tests[number]
    if test.program is not None or test.output is None:
        return None
    closed = close_book(problem, number)
    if closed is None:
        return None
    alike = compare_with(problem)
    rng = random.Random(f"probe:{problem.id}:{number}")
    for _ in range(_TRIES):
        other = _perturb(problem, test.output, rng)
        if other.split() != test.output.split() and not alike(test.output, other):
            seen = Behaviour(Status.OK, test.output), Behaviour(Status.OK, other)
            return closed, present(problem, test.input, seen)
    return None


def _perturb(problem: Problem, output: str, rng: random.Random) -> str:
    if problem.kind is Kind.FUNCTION:
        try:
            return encode(mutate_value(decode(output), rng))
        except (ValueError, TypeError, RecursionError):
            return output
    tokens = list(re.finditer(r"\S+", output))
    if not tokens:
        return output
    token = rng.choice(tokens)
    return output[: token.start()] + _perturb_token(token[0], rng) + output[token.end() :]


def _perturb_token(token: str, rng: random.Random) -> str:
    if _NUMBER.fullmatch(token):
        return str(mutate_value(int(token), rng, signed=token.startswith("-")))
    if token.lower() in _SWAPS:
        other = _SWAPS[token.lower()]
        return other.upper() if token.isupper() else other.capitalize() if token.istitle() else other
    return str(mutate_value(token, rng)) or token


async def measure_judge(
    problems: Sequence[Problem], ask: Ask, *, probes: int = PROBES, judge: int = 1
) -> JudgeRecord:
    """The record of a judge behind `ask` on the public tests of the first problems by id.

    It depends on the problems alone, not on which candidates are there or what is finished, so a run that
    was killed and started again finds the same. At most one test of a problem unless there are few problems.
    It ends early where the record `is_settled`. Each question is put in both orders until the record
    `is_steady`: from then on in one, and the answer counts as if the other order had given it too.
    """
    chosen = list_probes(problems, probes, make_probe)
    record = JudgeRecord()
    for start in range(0, len(chosen), _BATCH):
        if not record.is_settled:
            batch = chosen[start : start + _BATCH]
            puts = (
                partial(_put, ask, f"{address_judge(judge)}probe-{number}", *made, once=record.is_steady)
                for number, made in batch
            )
            record = sum(await run_together(puts), record)
    return record


def list_probes(
    problems: Sequence[Problem], most: int, make: Callable[[Problem, int], Probe | None]
) -> list[tuple[int, Probe]]:
    """At most so many questions with a known answer, which `make` makes of the public test of a number.

    One of each problem by id, then the second of each, and so on: place of the test, what was made.
    """
    ordered = sorted(problems, key=lambda problem: problem.id)
    longest = max((len(problem.public_tests) for problem in ordered), default=0)
    tests = ((problem, number) for number in range(longest) for problem in ordered)
    made = (
        (number, probe)
        for problem, number in tests
        if number < len(problem.public_tests) and (probe := make(problem, number)) is not None
    )
    return list(islice(made, most))


async def _put(ask: Ask, ordinal: str, problem: Problem, probe: Choice, *, once: bool) -> JudgeRecord:
    answers, probabilities = [], []
    for name, asked in ((ordinal, probe), (f"{ordinal}/swapped", probe.swapped))[: 1 if once else 2]:
        reply = await ask(Question.CHOOSE, problem, name, input=asked.input, outputs=list(asked.outputs))
        answers.append(asked.read(reply.text if reply else None))
        probabilities.append(weigh(reply, len(asked.outputs)))
    return grade(answers[0], answers[-1], probabilities=(probabilities[0], probabilities[-1]))


def grade(
    first: Answer, second: Answer, *, probabilities: Sequence[float | None] = (None, None)
) -> JudgeRecord:
    """The record of one question, put in both orders, whose right option is number 0."""
    marks = [float(said == 0) if isinstance(said, int) else 0.5 for said in (first, second)]
    agreed = isinstance(first, int) and first == second
    known = tuple(
        (odds_of(probability), mark)
        for probability, mark in zip(probabilities, marks, strict=True)
        if probability is not None
    )
    return JudgeRecord(math.fsum(marks), 2, int(agreed and first == 0), int(agreed), known)
