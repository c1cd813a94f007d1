"""Asks a judge about the inputs that matter, until the choice is sure enough or nothing can change it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import Behaviour, compare_with, label
from sstar_code.selection.evidence.posterior import log_odds
from sstar_code.selection.evidence.weights import valid_places
from sstar_code.selection.judging.calibration import (
    BEST_ACCURACY,
    LEAST_ACCURACY,
    JudgeRecord,
    grade,
    list_probes,
    make_probe,
)
from sstar_code.selection.judging.plausibility import Plausibility
from sstar_code.selection.judging.prediction import (
    MOST_MISSES,
    Predictor,
    believe,
    chance_of,
    close,
    find_same,
    put_probe,
    read_expected,
)
from sstar_code.selection.judging.preparation import Preparation
from sstar_code.selection.judging.question import (
    LETTERS,
    Refusal,
    address_judge,
    clip,
    ease,
    effort,
    persuades,
    present,
    show_behaviour,
    show_input,
    weigh,
)
from sstar_code.selection.protocols import Asked, Derived, Question

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.evidence.posterior import Beliefs
    from sstar_code.selection.judging.question import Answer, Choice
    from sstar_code.selection.pool import Pool
    from sstar_code.selection.protocols import Reply

_NEAR_BEST = 0.9
"""Share of the best expected gain from which on an input counts as near the best; the shortest is taken."""
_LEAST_GAIN_BITS = 0.02
_CALLS = 1.5
"""Calls for an answer of a judge that may go by the order of the outputs: some are asked for twice."""
_MOST_REFUSED = 2
"""Inputs in a row of which the judge names no right output, nor that there is one; then it is done."""
_UNTOLD = frozenset({Refusal.SEVERAL.value, Refusal.INVALID.value, "unreadable"})
_OWN_PROBES = 1
_UNSEEN = "the model worked it out before it saw an output"


@dataclass(slots=True)
class Judge:
    """Somebody who is asked, and how far to believe what is said."""

    number: int
    """From 1."""
    measure: Callable[[], Awaitable[JudgeRecord | None]] | None
    """As `Pool.measure_judge`."""
    record: JudgeRecord = field(default_factory=JudgeRecord)
    is_measured: bool = False
    used: set[str] = field(default_factory=set)
    """Inputs about which it has been asked."""

    @property
    def price(self) -> float:
        """Calls for an answer of it; the least where a further judge was never measured, so that it is."""
        is_new = self.number > 1 and not self.is_measured
        return 1.0 if is_new or self.record.ignores_order else _CALLS


@dataclass(slots=True)
class Questioning:
    """Questions about the clusters of `found`, and the beliefs after the answers.

    Each of several judges is measured by itself and counts as evidence of its own, also on an input about
    which another has been asked. Each question goes to the judge whose answer is expected to tell most.
    """

    pool: Pool
    found: Clustering
    weights: Sequence[float]
    """The weight of each cluster: inputs on which most fail are not asked about."""
    doubtful: Collection[str]
    """Inputs that a validator rejects: they are asked about where nothing else tells as much."""
    beliefs: Beliefs
    ledger: Ledger
    calls_left: int
    target: float
    """Stops when the likeliest cluster has this probability, given that one is right."""
    asked: list[Asked] = field(default_factory=list)
    derived: list[Derived] = field(default_factory=list)
    judges: list[Judge] = field(init=False)
    predictor: Predictor = field(init=False)
    _dropped: set[str] = field(default_factory=set)
    """Inputs that a judge has ruled out: no other is asked about them."""
    _plausibility: Plausibility = field(init=False)

    def __post_init__(self) -> None:
        measures = (self.pool.measure_judge, *self.pool.other_judges)
        self.judges = [Judge(number, measure) for number, measure in enumerate(measures, 1)]
        self.predictor = Predictor(self.pool.measure_prediction)
        self._plausibility = Plausibility(self.pool.problem, self.found, self.weights, self.doubtful)

    async def measure(self) -> None:
        """Find out how far the first judge is to be believed, if a question is certain to be put."""
        if self.gain:
            await self._measure(self.judges[0])

    @property
    def gain(self) -> float:
        """Bits that a call for the next question is expected to tell of the clusters; 0 where none is put."""
        return self._next()[0]

    async def ask(self) -> None:
        """Put the next question; `beliefs`, `asked` and `derived` hold what came of it. Needs a `gain`.

        A judge that was never asked is measured in place of that; then it is seen anew who tells most.
        """
        _, asked, place = self._next()
        if isinstance(asked, Predictor):
            await (self._ask_for_output(place) if asked.is_measured else self._measure_prediction())
        elif asked.is_measured:
            await self._ask_about(asked, place)
        else:
            await self._measure(asked)

    def _next(self) -> tuple[float, Judge | Predictor, int]:
        """The bits for a call, who is asked and the place of the next question; 0 bits: none is put.

        Of judges that are expected to tell as much, the one that was asked least: it errs for other reasons.
        """
        ranked = [(0.0, 0, 0, 0)]
        for judge in self.judges:
            if judge.record.is_worth_asking and self._is_open(judge):
                place, gain = self._pick(judge)
                ranked.append((round(gain / judge.price, 9), -len(judge.used), -judge.number, place))
        bits, _, number, place = max(ranked)
        predicted, gain = self._pick_output()
        if gain > bits:
            return gain, self.predictor, predicted
        return bits, self.judges[max(0, -number - 1)], place

    async def _measure(self, judge: Judge) -> None:
        judge.is_measured = True
        shared = None if judge.measure is None else await judge.measure()
        if shared is None:
            await self._measure_here(judge)
        else:
            judge.record = shared
        if not judge.record.is_worth_asking:
            name = "judge" if judge.number == 1 else f"judge {judge.number}"
            right = f"right on {judge.record.right:g} of {judge.record.asked} public tests"
            self.ledger.notes.append(f"{name}: not asked, {right}")

    def _is_open(self, judge: Judge) -> bool:
        """Whether more answers are wanted and can change the choice; one against the leader may take two."""
        return self._is_undecided(judge.record.accuracy_twice, 1 if judge.record.ignores_order else 2)

    def _is_undecided(self, accuracy: float, calls: int) -> bool:
        """Whether answers so often right, at so many calls each, are wanted and can change the choice."""
        ranked, answers = sorted(self.beliefs.clusters, reverse=True), self.calls_left // calls
        if not answers or len(ranked) < 2 or self.beliefs.lead >= self.target:
            return False
        last = [item.answer for item in self.asked[-_MOST_REFUSED:]]
        if len(last) == _MOST_REFUSED and set(last) <= _UNTOLD:
            return False
        return math.log(ranked[0] / ranked[1]) < answers * log_odds(accuracy)

    async def _measure_here(self, judge: Judge) -> None:
        """Measure a judge on one of this problem's own public tests, for want of a record of the set."""
        tests = range(len(self.pool.problem.public_tests))
        probes = [made for number in tests if (made := make_probe(self.pool.problem, number))]
        for number, (shown, probe) in enumerate(probes[:_OWN_PROBES]):
            answers = [
                await self._put(judge, probe, f"probe-{number}", shown),
                await self._put(judge, probe.swapped, f"probe-{number}/swapped", shown),
            ]
            said, sure = zip(*answers, strict=True)
            judge.record += grade(*said, probabilities=sure)

    async def _put(
        self, judge: Judge, choice: Choice, name: str, shown: Problem | None = None
    ) -> tuple[Answer, float | None]:
        """The answer to `choice` and its probability, where that is known.

        `shown` is the problem as the judge sees it, where it is another.
        """
        self.calls_left -= 1
        ordinal = f"{address_judge(judge.number)}{name}"
        reply = await self.pool.board.ask(
            Question.CHOOSE, ordinal, self.ledger, shown, input=choice.input, outputs=list(choice.outputs)
        )
        return choice.read(reply.text if reply else None), weigh(reply, len(choice.outputs))

    def _pick(self, judge: Judge) -> tuple[int, float]:
        """Place of the input about which this judge is expected to tell most, and how many bits; 0: none."""
        gains: dict[int, float] = {}
        for place in valid_places(self.found, self.weights):
            if self.found.inputs[place] not in judge.used | self._dropped:
                groups = self._group(self.found.labels[place])
                if len({group for group in groups if group is not None}) > 1:
                    accuracy = 0.5 + (min(BEST_ACCURACY, judge.record.worth) - 0.5) * ease(
                        self.found.inputs[place]
                    )
                    gains[place] = self.beliefs.gain(groups, accuracy) * self._plausibility.of(place)
        return self._pick_short(gains)

    def _pick_short(self, gains: Mapping[int, float]) -> tuple[int, float]:
        """The least effort among the places that are near the best, and its bits; 0: none is worth it."""
        best = max(gains.values(), default=0.0)
        if best < _LEAST_GAIN_BITS:
            return 0, 0.0
        near = [place for place, gain in gains.items() if gain >= _NEAR_BEST * best]
        chosen = min(near, key=lambda place: (effort(self.found.inputs[place]), place))
        return chosen, gains[chosen]

    def _group(self, labels: Sequence[int]) -> list[int | None]:
        """The label of each cluster; None where its output is not among the likeliest that can be shown."""
        mass: dict[int, float] = {}
        for number, probability in zip(labels, self.beliefs.clusters, strict=True):
            mass[number] = mass.get(number, 0.0) + probability
        shown = set(sorted(mass, key=lambda number: (-mass[number], number))[: len(LETTERS)])
        return [number if number in shown else None for number in labels]

    async def _ask_about(self, judge: Judge, place: int) -> None:
        whole = self.found.inputs[place]
        text, seen = await self._prepare(place, judge.used)
        groups = self._group(label(seen, compare_with(self.pool.problem)))
        numbers = sorted({group for group in groups if group is not None})
        shown = [seen[groups.index(number)] for number in numbers]
        choice = present(self.pool.problem, text, shown)
        if persuades(choice):
            self.ledger.notes.append("judge: an input is left out, since an output talks to the judge")
            return
        name, record = str(len(self.asked)), judge.record
        answer, sure = await self._put(judge, choice, name)
        accuracy = record.believe(sure)
        named = numbers[answer] if isinstance(answer, int) else None
        after = self._after(groups, answer, named, accuracy)
        if after.best != self.beliefs.best and not record.ignores_order:  # it has to hold in the other order
            again, other = await self._put(judge, choice.swapped, f"{name}/swapped")
            accuracy = record.believe(sure, other)
            after = self._after(groups, answer, named, accuracy)
            if again != answer:
                self._note(judge, choice, numbers, groups, "flips")
                return
        self.beliefs = after
        self._note(judge, choice, numbers, groups, _say(choice, answer), sure=sure)
        if answer in (Refusal.SEVERAL, Refusal.INVALID):
            self._dropped |= {whole, text}
        if isinstance(answer, int) and shown[answer].status is Status.OK:
            options = len({group for group in groups if group is not None})
            why = f"the judge, right {accuracy:.0%} of the time, named it out of {options} outputs"
            self._derive(text, shown[answer].output, numbers[answer], groups, accuracy=accuracy, why=why)

    async def _prepare(self, place: int, used: set[str]) -> tuple[str, list[Behaviour]]:
        """The input to ask about, made small, and what each cluster does on it; both inputs go to `used`."""
        groups = self._group(self.found.labels[place])
        preparation = Preparation(self.pool, self.found, self.ledger)
        text, seen = await preparation.prepare(place, groups, self.beliefs, used | self._dropped)
        used |= {self.found.inputs[place], text}
        return text, seen

    def _pick_output(self) -> tuple[int, float]:
        """Place of the input whose output, worked out unseen, is expected to tell most, and how many bits.

        None where the first judge is worth asking: what it is shown tells more for the price.
        """
        first, predictor = self.judges[0], self.predictor
        accuracy, is_refused = (
            predictor.record.accuracy,
            first.is_measured and not first.record.is_worth_asking,
        )
        if not is_refused or predictor.misses >= MOST_MISSES or not self._is_undecided(accuracy, 1):
            return 0, 0.0
        gains: dict[int, float] = {}
        for place in valid_places(self.found, self.weights):
            text, row = self.found.inputs[place], self.found.behaviours[place]
            given = {seen.output for seen in row if seen.status is Status.OK}
            right, chance = accuracy * ease(text), chance_of(row)
            sure = believe(right, chance)
            if text not in predictor.used | self._dropped and len(given) > 1 and sure > LEAST_ACCURACY:
                matches = right + (1 - right) * chance
                told = self.beliefs.gain(self.found.labels[place], sure)
                gains[place] = matches * self._plausibility.of(place) * told
        return self._pick_short(gains)

    async def _measure_prediction(self) -> None:
        predictor = self.predictor
        predictor.is_measured = True
        shared = None if predictor.measure is None else await predictor.measure()
        if shared is not None:
            predictor.record = shared
            return
        for number, made in list_probes([self.pool.problem], _OWN_PROBES, close):
            self.calls_left -= 1
            predictor.record += await put_probe(self._ask_directly, number, made)

    async def _ask_directly(
        self, question: Question, problem: Problem, ordinal: str, **values: Any
    ) -> Reply | None:
        return await self.pool.board.ask(question, ordinal, self.ledger, problem, **values)

    async def _ask_for_output(self, place: int) -> None:
        problem, predictor, whole = self.pool.problem, self.predictor, self.found.inputs[place]
        text, seen = await self._prepare(place, predictor.used)
        self.calls_left -= 1
        name, shown = str(len(self.asked)), show_input(problem, text)
        reply = await self.pool.board.ask(Question.EXPECT, name, self.ledger, input=shown)
        said = read_expected(problem, reply)
        groups = label(seen, compare_with(problem))
        named = find_same(problem, said, seen, groups)
        predictor.misses = 0 if named is not None else predictor.misses + 1
        answer = "unreadable" if said is None else "neither"
        if isinstance(said, Refusal):
            answer = said.value
            self._dropped |= {whole, text}
        if named is not None:
            answer = LETTERS[0]
            sure = believe(predictor.record.accuracy, chance_of(seen))
            self.beliefs = self.beliefs.update(groups, named, sure)
            output = seen[groups.index(named)].output
            self._derive(text, output, named, groups, accuracy=sure, why=_UNSEEN)
        mass = {number: self._mass(groups, number) for number in groups}
        listed = sorted(mass, key=lambda number: (number != named, -mass[number], number))[: len(LETTERS)]
        options = tuple(clip(show_behaviour(problem, seen[groups.index(number)])) for number in listed)
        is_output = said is not None and not isinstance(said, Refusal)
        told = clip(show_behaviour(problem, Behaviour(Status.OK, said or ""))) if is_output else ""
        clusters = tuple(_list_places(groups, number) for number in listed)
        self.asked.append(Asked(clip(shown), options, clusters, answer, self.beliefs.clusters, expected=told))

    def _mass(self, groups: Sequence[int | None], named: int) -> float:
        pairs = zip(self.beliefs.clusters, groups, strict=True)
        return math.fsum(probability for probability, group in pairs if group == named)

    def _after(
        self, groups: Sequence[int | None], answer: Answer, named: int | None, accuracy: float
    ) -> Beliefs:
        """The beliefs after `answer`; as they are where it says nothing about the clusters."""
        if answer in (None, Refusal.SEVERAL, Refusal.INVALID):
            return self.beliefs
        return self.beliefs.update(groups, named, accuracy)

    def _note(
        self,
        judge: Judge,
        choice: Choice,
        numbers: Sequence[int],
        groups: Sequence[int | None],
        answer: str,
        *,
        sure: float | None = None,
    ) -> None:
        shown = [numbers[group] for group in choice.groups]
        clusters = tuple(_list_places(groups, number) for number in shown)
        self.asked.append(
            Asked(choice.input, choice.outputs, clusters, answer, self.beliefs.clusters, judge.number, sure)
        )

    def _derive(
        self, text: str, output: str, named: int, groups: Sequence[int | None], *, accuracy: float, why: str
    ) -> None:
        """Keep a test, as sure as the clusters that gave the output and at least as sure as the judge."""
        self.derived.append(Derived(text, output, max(self._mass(groups, named), accuracy), why))


def _list_places(groups: Sequence[int | None], number: int) -> tuple[int, ...]:
    return tuple(place for place, group in enumerate(groups) if group == number)


def _say(choice: Choice, answer: Answer) -> str:
    if isinstance(answer, Refusal):
        return answer.value
    return "unreadable" if answer is None else LETTERS[choice.groups.index(answer)]
