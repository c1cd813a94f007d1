"""Asks a judge about the inputs that matter, until the choice is sure enough or nothing can change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import behaviour_of, compare_with, label
from sstar_code.selection.evidence.posterior import log_odds
from sstar_code.selection.evidence.weights import valid_places
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.shrink import shrink_input
from sstar_code.selection.judging.calibration import JudgeRecord, grade, make_probe
from sstar_code.selection.judging.question import LETTERS, Refusal, persuades, present
from sstar_code.selection.protocols import Asked, Derived, Question

if TYPE_CHECKING:
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.evidence.posterior import Beliefs
    from sstar_code.selection.judging.question import Answer, Choice
    from sstar_code.selection.pool import Pool

_NEAR_BEST = 0.9
"""Share of the best expected gain from which on an input counts as near the best; the shortest is taken."""
_LEAST_GAIN_BITS = 0.02
_SHRINK_TRIES = 150
_SHRINK_CPU_S = 1.0
_OWN_PROBES = 1


@dataclass(slots=True)
class Questioning:
    """Questions about the clusters of `found`, and the beliefs after the answers."""

    pool: Pool
    found: Clustering
    weights: Sequence[float]
    """The weight of each cluster: inputs on which most fail are not asked about."""
    beliefs: Beliefs
    ledger: Ledger
    calls_left: int
    target: float
    """Stops when the likeliest cluster has this probability, given that one is right."""
    record: JudgeRecord = field(default_factory=JudgeRecord)
    asked: list[Asked] = field(default_factory=list)
    derived: list[Derived] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)
    _contract: Contract | None = None

    async def run(self) -> None:
        """Ask; `beliefs`, `asked` and `derived` hold what came of it."""
        if self.pool.judge is not None:
            self.record = self.pool.judge
        elif self._pick() is not None and self.beliefs.lead < self.target:
            await self._measure_judge()
        while self.record.is_worth_asking and self._is_open():
            place = self._pick()
            if place is None:
                break
            await self._ask_about(place)
        if not self.record.is_worth_asking:
            self.ledger.notes.append(
                f"judge: not asked, right on {self.record.right:g} of {self.record.asked} public tests"
            )

    def _is_open(self) -> bool:
        """Whether more answers are wanted and can change the choice; one against the leader may take two."""
        ranked = sorted(self.beliefs.clusters, reverse=True)
        answers = self.calls_left // (1 if self.record.ignores_order else 2)
        if not answers or len(ranked) < 2 or self.beliefs.lead >= self.target:
            return False
        return math.log(ranked[0] / ranked[1]) < answers * log_odds(self.record.accuracy_twice)

    async def _measure_judge(self) -> None:
        """Measure the judge on one of this problem's own public tests, for want of a record of the set."""
        tests = range(len(self.pool.problem.public_tests))
        probes = [probe for number in tests if (probe := make_probe(self.pool.problem, number))]
        for number, probe in enumerate(probes[:_OWN_PROBES]):
            answers = [
                await self._put(probe, f"probe-{number}"),
                await self._put(probe.swapped, f"probe-{number}/swapped"),
            ]
            self.record += grade(*answers)

    async def _put(self, choice: Choice, ordinal: str) -> Answer:
        self.calls_left -= 1
        reply = await self.pool.board.ask(
            Question.CHOOSE, ordinal, self.ledger, input=choice.input, outputs=list(choice.outputs)
        )
        return choice.read(reply.text if reply else None)

    def _pick(self) -> int | None:
        """Place of the input whose answer is expected to tell most."""
        gains: dict[int, float] = {}
        for place in valid_places(self.found, self.weights):
            if self.found.inputs[place] not in self._used:
                groups = self._group(self.found.labels[place])
                if len({group for group in groups if group is not None}) > 1:
                    gains[place] = self.beliefs.gain(groups, self.record.accuracy) * self._plausible(place)
        best = max(gains.values(), default=0.0)
        if best < _LEAST_GAIN_BITS:
            return None
        near = [place for place, gain in gains.items() if gain >= _NEAR_BEST * best]
        return min(near, key=lambda place: (len(self.found.inputs[place]), place))

    def _plausible(self, place: int) -> float:
        """How likely the input is valid: share of the programs that do not fail; half beyond the contract."""
        row = zip(self.weights, self.found.behaviours[place], strict=True)
        share = sum(weight for weight, seen in row if seen.status is Status.OK) / sum(self.weights)
        if self._contract is None:
            self._contract = Contract.of(self.pool.problem)
        return share if self._contract.admits(self.found.inputs[place]) else share / 2

    def _group(self, labels: Sequence[int]) -> list[int | None]:
        """The label of each cluster; None where its output is not among the likeliest that can be shown."""
        mass: dict[int, float] = {}
        for number, probability in zip(labels, self.beliefs.clusters, strict=True):
            mass[number] = mass.get(number, 0.0) + probability
        shown = set(sorted(mass, key=lambda number: (-mass[number], number))[: len(LETTERS)])
        return [number if number in shown else None for number in labels]

    async def _ask_about(self, place: int) -> None:
        whole = self.found.inputs[place]
        self._used.add(whole)
        text = await self._shrink(place)
        if text in self._used:  # what has been asked before tells nothing new
            text = whole
        self._used.add(text)
        first = [cluster[0] for cluster in self.found.clusters]
        runs = await self.pool.board.run(first, [text], self.ledger)
        seen = [behaviour_of(runs[index][0]) for index in first]
        groups = self._group(label(seen, compare_with(self.pool.problem)))
        numbers = sorted({group for group in groups if group is not None})
        shown = [seen[groups.index(number)] for number in numbers]
        choice = present(self.pool.problem, text, shown)
        if persuades(choice):
            self.ledger.notes.append("judge: an input is left out, since an output talks to the judge")
            return
        name = str(len(self.asked))
        answer, accuracy = await self._put(choice, name), self.record.accuracy
        named = numbers[answer] if isinstance(answer, int) else None
        after = self._after(groups, answer, named, accuracy)
        if (
            after.best != self.beliefs.best and not self.record.ignores_order
        ):  # it has to hold in the other order
            accuracy = self.record.accuracy_twice
            after = self._after(groups, answer, named, accuracy)
            if await self._put(choice.swapped, f"{name}/swapped") != answer:
                self._note(choice, numbers, groups, "flips")
                return
        self.beliefs = after
        self._note(choice, numbers, groups, _say(choice, answer))
        if isinstance(answer, int) and shown[answer].status is Status.OK:
            self._derive(text, shown[answer].output, numbers[answer], groups, accuracy)

    def _after(
        self, groups: Sequence[int | None], answer: Answer, named: int | None, accuracy: float
    ) -> Beliefs:
        """The beliefs after `answer`; as they are where it says nothing about the clusters."""
        if answer is None or answer is Refusal.INVALID:
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

        async def splits(texts: Sequence[str]) -> list[bool]:
            runs = await self.pool.board.run(members, texts, self.ledger, _SHRINK_CPU_S)
            columns = (
                [behaviour_of(runs[index][column]) for index in members] for column in range(len(texts))
            )
            return [
                [item.status for item in seen] == statuses and len(set(label(seen, alike))) == len(members)
                for seen in columns
            ]

        return await shrink_input(self.pool.problem, text, splits, max_tries=_SHRINK_TRIES)

    def _note(
        self, choice: Choice, numbers: Sequence[int], groups: Sequence[int | None], answer: str
    ) -> None:
        shown = [numbers[group] for group in choice.groups]
        clusters = tuple(
            tuple(cluster for cluster, group in enumerate(groups) if group == number) for number in shown
        )
        self.asked.append(Asked(choice.input, choice.outputs, clusters, answer, self.beliefs.clusters))

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
