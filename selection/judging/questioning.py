"""Asks a judge about the inputs that matter, until the choice is sure enough or nothing can change it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import behaviour_of, compare_with, label
from sstar_code.selection.evidence.cpu_budget import CpuBudget
from sstar_code.selection.evidence.posterior import log_odds
from sstar_code.selection.evidence.weights import DOUBT, valid_places
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.inputs.search.shrink import shrink_input
from sstar_code.selection.judging.calibration import JudgeRecord, grade, make_probe
from sstar_code.selection.judging.question import (
    LETTERS,
    Refusal,
    address_judge,
    ease,
    effort,
    is_empty,
    persuades,
    present,
)
from sstar_code.selection.protocols import Asked, Derived, Question

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.evidence.posterior import Beliefs
    from sstar_code.selection.judging.question import Answer, Choice
    from sstar_code.selection.pool import Pool

_NEAR_BEST = 0.9
"""Share of the best expected gain from which on an input counts as near the best; the shortest is taken."""
_LEAST_GAIN_BITS = 0.02
_CALLS = 1.5
"""Calls for an answer of a judge that may go by the order of the outputs: some are asked for twice."""
_MOST_REFUSED = 3
"""Inputs in a row of which the judge names no right output, nor that there is one; then it is done."""
_UNTOLD = frozenset({Refusal.SEVERAL.value, Refusal.INVALID.value, "unreadable"})
_SHRINK_TRIES = 150
_SHRINK_SHARE = 0.5
"""Share of the CPU seconds left that making one input smaller may use."""
_OWN_PROBES = 1


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
    _dropped: set[str] = field(default_factory=set)
    """Inputs that a judge has ruled out: no other is asked about them."""
    _contract: Contract | None = None

    def __post_init__(self) -> None:
        measures = (self.pool.measure_judge, *self.pool.other_judges)
        self.judges = [Judge(number, measure) for number, measure in enumerate(measures, 1)]

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
        _, judge, place = self._next()
        if judge.is_measured:
            await self._ask_about(judge, place)
        else:
            await self._measure(judge)

    def _next(self) -> tuple[float, Judge, int]:
        """The bits for a call, the judge and the place of the next question; 0 bits: none is put.

        Of judges that are expected to tell as much, the one that was asked least: it errs for other reasons.
        """
        ranked = [(0.0, 0, 0, 0)]
        for judge in self.judges:
            if judge.record.is_worth_asking and self._is_open(judge):
                place, gain = self._pick(judge)
                ranked.append((round(gain / judge.price, 9), -len(judge.used), -judge.number, place))
        bits, _, number, place = max(ranked)
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
        ranked = sorted(self.beliefs.clusters, reverse=True)
        answers = self.calls_left // (1 if judge.record.ignores_order else 2)
        if not answers or len(ranked) < 2 or self.beliefs.lead >= self.target:
            return False
        last = [item.answer for item in self.asked[-_MOST_REFUSED:]]
        if len(last) == _MOST_REFUSED and set(last) <= _UNTOLD:
            return False
        return math.log(ranked[0] / ranked[1]) < answers * log_odds(judge.record.accuracy_twice)

    async def _measure_here(self, judge: Judge) -> None:
        """Measure a judge on one of this problem's own public tests, for want of a record of the set."""
        tests = range(len(self.pool.problem.public_tests))
        probes = [made for number in tests if (made := make_probe(self.pool.problem, number))]
        for number, (shown, probe) in enumerate(probes[:_OWN_PROBES]):
            answers = [
                await self._put(judge, probe, f"probe-{number}", shown),
                await self._put(judge, probe.swapped, f"probe-{number}/swapped", shown),
            ]
            judge.record += grade(*answers)

    async def _put(self, judge: Judge, choice: Choice, name: str, shown: Problem | None = None) -> Answer:
        """The answer to `choice`; `shown` is the problem as the judge sees it, where it is another."""
        self.calls_left -= 1
        ordinal = f"{address_judge(judge.number)}{name}"
        reply = await self.pool.board.ask(
            Question.CHOOSE, ordinal, self.ledger, shown, input=choice.input, outputs=list(choice.outputs)
        )
        return choice.read(reply.text if reply else None)

    def _pick(self, judge: Judge) -> tuple[int, float]:
        """Place of the input about which this judge is expected to tell most, and how many bits; 0: none."""
        gains: dict[int, float] = {}
        for place in valid_places(self.found, self.weights):
            if self.found.inputs[place] not in judge.used | self._dropped:
                groups = self._group(self.found.labels[place])
                if len({group for group in groups if group is not None}) > 1:
                    accuracy = 0.5 + (judge.record.accuracy - 0.5) * ease(self.found.inputs[place])
                    gains[place] = self.beliefs.gain(groups, accuracy) * self._plausible(place)
        best = max(gains.values(), default=0.0)
        if best < _LEAST_GAIN_BITS:
            return 0, 0.0
        near = [place for place, gain in gains.items() if gain >= _NEAR_BEST * best]
        chosen = min(near, key=lambda place: (effort(self.found.inputs[place]), place))
        return chosen, gains[chosen]

    def _plausible(self, place: int) -> float:
        """How likely the input is valid: share of the programs that do not fail.

        Half of it beyond the contract, and half where an argument or a line is empty as in no public test.
        """
        row = zip(self.weights, self.found.behaviours[place], strict=True)
        share = sum(weight for weight, seen in row if seen.status is Status.OK) / sum(self.weights)
        if self._contract is None:
            self._contract = Contract.of(self.pool.problem)
        text, problem = self.found.inputs[place], self.pool.problem
        if is_empty(problem, text) and not any(is_empty(problem, shown) for shown in public_inputs(problem)):
            share /= 2
        if text in self.doubtful:
            share *= DOUBT
        return share if self._contract.admits(text) else share / 2

    def _group(self, labels: Sequence[int]) -> list[int | None]:
        """The label of each cluster; None where its output is not among the likeliest that can be shown."""
        mass: dict[int, float] = {}
        for number, probability in zip(labels, self.beliefs.clusters, strict=True):
            mass[number] = mass.get(number, 0.0) + probability
        shown = set(sorted(mass, key=lambda number: (-mass[number], number))[: len(LETTERS)])
        return [number if number in shown else None for number in labels]

    async def _ask_about(self, judge: Judge, place: int) -> None:
        whole = self.found.inputs[place]
        judge.used.add(whole)
        text = await self._shrink(place)
        if text in judge.used | self._dropped:  # what has been asked before tells nothing new
            text = whole
        judge.used.add(text)
        first = [cluster[0] for cluster in self.found.clusters]
        budget = CpuBudget(self.pool, self.ledger)
        if await budget.run(self.pool.board.programs(first), [text]) is None:
            text = whole  # on which all have run
        runs = await self.pool.board.run(first, [text], self.ledger)
        seen = [behaviour_of(runs[index][0]) for index in first]
        groups = self._group(label(seen, compare_with(self.pool.problem)))
        numbers = sorted({group for group in groups if group is not None})
        shown = [seen[groups.index(number)] for number in numbers]
        choice = present(self.pool.problem, text, shown)
        if persuades(choice):
            self.ledger.notes.append("judge: an input is left out, since an output talks to the judge")
            return
        name, record = str(len(self.asked)), judge.record
        answer, accuracy = await self._put(judge, choice, name), record.accuracy
        named = numbers[answer] if isinstance(answer, int) else None
        after = self._after(groups, answer, named, accuracy)
        if after.best != self.beliefs.best and not record.ignores_order:  # it has to hold in the other order
            accuracy = record.accuracy_twice
            after = self._after(groups, answer, named, accuracy)
            if await self._put(judge, choice.swapped, f"{name}/swapped") != answer:
                self._note(judge, choice, numbers, groups, "flips")
                return
        self.beliefs = after
        self._note(judge, choice, numbers, groups, _say(choice, answer))
        if answer in (Refusal.SEVERAL, Refusal.INVALID):
            self._dropped |= {whole, text}
        if isinstance(answer, int) and shown[answer].status is Status.OK:
            self._derive(text, shown[answer].output, numbers[answer], groups, accuracy)

    def _after(
        self, groups: Sequence[int | None], answer: Answer, named: int | None, accuracy: float
    ) -> Beliefs:
        """The beliefs after `answer`; as they are where it says nothing about the clusters."""
        if answer in (None, Refusal.SEVERAL, Refusal.INVALID):
            return self.beliefs
        return self.beliefs.update(groups, named, accuracy)

    async def _shrink(self, place: int) -> str:
        """A smaller input on which the likeliest clusters of the outputs shown still do different things."""
        groups, behaviours = self._group(self.found.labels[place]), self.found.behaviours[place]
        leaders: dict[int, int] = {}
        for cluster in sorted(range(len(groups)), key=lambda number: -self.beliefs.clusters[number]):
            group = groups[cluster]
            if group is not None:
                leaders.setdefault(group, cluster)
        members = [self.found.clusters[cluster][0] for cluster in leaders.values()]
        statuses = [behaviours[cluster].status for cluster in leaders.values()]
        text = self.found.inputs[place]
        if Status.TLE in statuses or Status.MLE in statuses:
            return text  # every try would take as long again
        alike = compare_with(self.pool.problem)

        budget = CpuBudget(self.pool, self.ledger, _SHRINK_SHARE * self.ledger.left_s)

        async def splits(texts: Sequence[str]) -> list[bool]:
            if await budget.run(self.pool.board.programs(members), texts) is None:
                return [False] * len(texts)
            runs = await self.pool.board.run(members, texts, self.ledger)
            columns = (
                [behaviour_of(runs[index][column]) for index in members] for column in range(len(texts))
            )
            return [
                [item.status for item in seen] == statuses and len(set(label(seen, alike))) == len(members)
                for seen in columns
            ]

        return await shrink_input(self.pool.problem, text, splits, max_tries=_SHRINK_TRIES)

    def _note(
        self, judge: Judge, choice: Choice, numbers: Sequence[int], groups: Sequence[int | None], answer: str
    ) -> None:
        shown = [numbers[group] for group in choice.groups]
        clusters = tuple(
            tuple(cluster for cluster, group in enumerate(groups) if group == number) for number in shown
        )
        self.asked.append(
            Asked(choice.input, choice.outputs, clusters, answer, self.beliefs.clusters, judge.number)
        )

    def _derive(
        self, text: str, output: str, named: int, groups: Sequence[int | None], accuracy: float
    ) -> None:
        """Keep a test, as sure as the clusters that gave the output and at least as sure as the judge."""
        pairs = zip(self.beliefs.clusters, groups, strict=True)
        agreeing = math.fsum(probability for probability, group in pairs if group == named)
        shown = len({group for group in groups if group is not None})
        why = f"the judge, right {accuracy:.0%} of the time, named it out of {shown} outputs"
        self.derived.append(Derived(text, output, max(agreeing, accuracy), why))


def _say(choice: Choice, answer: Answer) -> str:
    if isinstance(answer, Refusal):
        return answer.value
    return "unreadable" if answer is None else LETTERS[choice.groups.index(answer)]
