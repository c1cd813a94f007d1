"""Finds inputs that tell the candidates apart, with no model and within a budget of runs."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from problems import Kind, Test
from sandbox.grade import limits_for
from sandbox.outcome import Status
from selection.cluster import behaviour_of, compare_with, label
from selection.inputs.contract import Contract
from selection.inputs.examples import public_inputs
from selection.inputs.mutate import Mutations, large_inputs
from selection.inputs.probe import find_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.outcome import Execution
    from selection.evidence import Ledger
    from selection.pool import Pool

__all__ = ["find_free_inputs"]

_CPU_S = 0.5
"""Of one run. Small inputs need little; a mutated one may be beyond what the statement allows."""
_LARGE_CPU_S = 1.0
_MOST_CPU_S = 3.0
"""Charged for all runs for one problem, after which only large inputs are tried,"""
_MOST_LARGE_CPU_S = 1.5
"""until they have taken this."""
_BROAD_INPUTS = 100
_BROAD_SHARE = 0.6
"""Of the runs, for inputs that all programs see; the rest goes where programs still look alike."""
_LARGE_INPUTS = 6
_CHUNK = 6
_AT_ONCE = 3
"""Programs between two looks at the budget."""
_COSTLY = (Status.TLE, Status.MLE)
_CHARGES_S = ((0.008, 0.0025), (0.03, 0.02), (0.12, 0.08))
"""CPU time below which a run is charged how much; above, all that it was allowed. Steps, so that the same
search on a busier machine, or after it was killed and started again, makes the same choices."""


@dataclass(slots=True)
class _Record:
    """How one strategy has done."""

    tried: int = 0
    split: int = 0
    refined: int = 0
    invalid: int = 0
    costly: int = 0

    @property
    def is_hopeless(self) -> bool:
        """Most programs crash on what it makes, or run out of time."""
        return self.tried >= 6 and max(self.invalid, self.costly) >= 0.8 * self.tried

    @property
    def score(self) -> float:
        return (self.split + 4 * self.refined + 1) / (self.tried + 2)


@dataclass(slots=True)
class _Tried:
    """One input that all programs have run on."""

    text: str
    splits: bool
    is_valid: bool
    is_admitted: bool

    @property
    def rank(self) -> int:
        """Inputs inside the contract come first, among them those that split."""
        if not self.is_valid:
            return 4
        return (0 if self.splits else 1) if self.is_admitted else (2 if self.splits else 3)


@dataclass(slots=True)
class _Search:
    pool: Pool
    ledger: Ledger
    mutations: Mutations
    copies: Counter[int]
    """Program -> how many candidates are it."""
    max_runs: int
    group: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Program -> what it did so far, as labels."""
    tried: list[_Tried] = field(default_factory=list)
    records: dict[str, _Record] = field(default_factory=dict)
    runs: int = 0
    lost: int = 0
    cpu_s: float = 0.0

    @property
    def runs_left(self) -> int:
        """Without those kept for the large inputs."""
        return self.max_runs - self.runs - _LARGE_INPUTS * len(self.copies)

    @property
    def is_over(self) -> bool:
        return self.runs_left <= 0 or self.cpu_s >= _MOST_CPU_S

    def unresolved(self) -> list[int]:
        """The programs that look like another one."""
        sizes = Counter(self.group.values())
        return [program for program in self.copies if sizes[self.group[program]] > 1]

    async def broad(self) -> None:
        """Strategies in turn, every program on every input."""
        turn: list[str] = []
        room = int(_BROAD_SHARE * self.max_runs / len(self.copies))
        wanted = max(1, min(_BROAD_INPUTS, room))
        while len(self.tried) < wanted and not self.is_over:
            chunk: list[tuple[str, str]] = []
            while len(chunk) < min(_CHUNK, wanted - len(self.tried)):
                turn = turn or self._open()
                if not turn:
                    break
                strategy = turn.pop(0)
                if (text := self.mutations.take(strategy)) is not None:
                    chunk.append((strategy, text))
            if not chunk:
                return
            await self._try(chunk, list(self.copies), _CPU_S)

    async def focus(self, rng: random.Random) -> None:
        """More inputs for the programs that look alike, from the strategies that have told most apart."""
        while not self.is_over and (alike := self.unresolved()):
            chunk: list[tuple[str, str]] = []
            while len(chunk) < min(_CHUNK, self.runs_left // len(alike)):
                if not (names := self._open()):
                    break
                weights = [self.records.setdefault(name, _Record()).score for name in names]
                (strategy,) = rng.choices(names, weights)
                if (text := self.mutations.take(strategy)) is not None:
                    chunk.append((strategy, text))
            if not chunk:
                return
            await self._try(chunk, alike, _CPU_S)

    async def large(self) -> None:
        """The largest inputs last: they cost most."""
        end_s = self.cpu_s + _MOST_LARGE_CPU_S
        texts = large_inputs(self.pool.problem, _LARGE_INPUTS, self.mutations.contract)
        known = {item.text for item in self.tried}
        for text in texts:
            if self.cpu_s < end_s and text not in known:
                await self._try([("large", text)], list(self.copies), _LARGE_CPU_S)

    def _open(self) -> list[str]:
        names = list(self.mutations.strategies)
        return [name for name in names if not self.records.setdefault(name, _Record()).is_hopeless]

    async def _try(self, chunk: Sequence[tuple[str, str]], programs: Sequence[int], cpu_s: float) -> None:
        """Run `programs` on new inputs, and all others on those that split them.

        The first goes first, and the last tries what the first was too slow for: an input on which both
        run out of time or memory is left out.
        """
        slow = await self._find_costly(programs[0], [text for _, text in chunk], cpu_s)
        costly = await self._find_costly(programs[-1], slow, cpu_s)
        if len(programs) * len(slow) * cpu_s > _MOST_CPU_S:
            costly = slow  # if others are as slow as the first, it costs too much to find out
        for strategy, text in chunk:
            record = self.records.setdefault(strategy, _Record())
            record.tried += 1
            record.costly += text in costly
        fit = [(strategy, text) for strategy, text in chunk if text not in costly]
        runs: dict[int, list[Execution]] = {}
        for start in range(0, len(programs), _AT_ONCE):
            some = programs[start : start + _AT_ONCE]
            runs |= await self._run(some, [text for _, text in fit], cpu_s)
            if self.cpu_s > _MOST_CPU_S + _MOST_LARGE_CPU_S:
                return  # too late for the rest, and an input that some have not seen tells nothing
        everyone = len(programs) == len(self.copies)
        for place, (strategy, text) in enumerate(fit):
            column = {program: runs[program][place] for program in programs}
            if not everyone:
                if not self._splits_a_group(column):
                    continue
                rest = await self._run([item for item in self.copies if item not in column], [text], cpu_s)
                column |= {program: executions[0] for program, executions in rest.items()}
            self._note(strategy, text, column)

    async def _find_costly(self, program: int, texts: Sequence[str], cpu_s: float) -> list[str]:
        runs = await self._run([program], texts, cpu_s) if texts else {program: []}
        return [text for text, run in zip(texts, runs[program], strict=True) if run.status in _COSTLY]

    async def _run(
        self, programs: Sequence[int], texts: Sequence[str], cpu_s: float
    ) -> dict[int, list[Execution]]:
        limits = limits_for(self.pool.problem)
        limits = replace(limits, cpu_s=min(limits.cpu_s, cpu_s))
        before = len(self.ledger.runs)
        runs = await self.pool.board.run(programs, texts, self.ledger, limits)
        self.runs += len(self.ledger.runs) - before
        if len(self.ledger.runs) > before:
            self.cpu_s += sum(charge_s(run, cpu_s) for executions in runs.values() for run in executions)
        return runs

    def _labels(self, column: dict[int, Execution]) -> dict[int, int]:
        alike = compare_with(self.pool.problem)
        return dict(zip(column, label(list(map(behaviour_of, column.values())), alike), strict=True))

    def _splits_a_group(self, column: dict[int, Execution]) -> bool:
        if all(run.status is not Status.OK for run in column.values()):
            return False
        labels = self._labels(column)
        return len({(self.group[program], labels[program]) for program in column}) > len(
            {self.group[program] for program in column}
        )

    def _note(self, strategy: str, text: str, column: dict[int, Execution]) -> None:
        """Keep what all programs did on `text`."""
        statuses = {run.status for run in column.values()}
        failed = sum(self.copies[program] for program, run in column.items() if run.status is not Status.OK)
        is_valid = 2 * failed <= self.copies.total()
        record = self.records[strategy]
        record.invalid += not is_valid
        self.lost += Status.IE in statuses
        if Status.IE in statuses or Status.OK not in statuses:
            return
        labels = self._labels(column)
        before = len(set(self.group.values()))
        self.group = {program: (*self.group[program], labels[program]) for program in column}
        splits = len(set(labels.values())) > 1
        record.split += splits
        if len(set(self.group.values())) > before:
            record.refined += 1
            if strategy != "retyped":
                self.mutations.learn(text)
        self.tried.append(_Tried(text, splits, is_valid, self.mutations.contract.admits(text)))


def charge_s(run: Execution, most_s: float) -> float:
    """CPU seconds charged for `run`, which was allowed `most_s`."""
    return next((charge for below, charge in _CHARGES_S if run.cpu_s < below), most_s)


async def find_free_inputs(
    pool: Pool, members: Sequence[int], ledger: Ledger, *, max_runs: int = 1200
) -> list[str]:
    """Mutations of the public inputs that are not too costly, the most telling ones first.

    First come those inside the contract that split the programs of `members`, then others inside it, then
    those beyond it, last those on which most candidates fail. All programs have run on all that is
    returned. At most about `max_runs` runs (distinct program and input) and a few CPU seconds are spent.
    """
    copies = Counter(sorted(pool.board.program_of[index] for index in members))
    codes = [pool.candidates[program].code for program in copies]
    problem = pool.problem
    contract = Contract.of(problem)
    shown = any(text.strip() for text in public_inputs(problem))
    if contract.form is None and problem.kind is Kind.STDIN and not shown:
        limits = replace(limits_for(problem), cpu_s=min(limits_for(problem).cpu_s, _CPU_S))
        samples = await find_form(lambda texts: pool.board.run(copies, texts, ledger, limits), copies)
        if samples:
            ledger.notes.append(f"no public test: inputs like {samples[0].strip()!r} are guessed")
            problem = replace(problem, public_tests=tuple(map(Test, samples)))
            contract = Contract.of(problem)
    mutations = Mutations(problem, pool.seed_for("mutate"), contract, codes)
    search = _Search(pool, ledger, mutations, copies, max_runs, group=dict.fromkeys(copies, ()))
    await search.broad()
    await search.focus(random.Random(pool.seed_for("focus")))
    await search.large()
    if search.lost:
        ledger.notes.append(f"{search.lost} free inputs dropped: the sandbox failed on them")
    if search.cpu_s >= _MOST_CPU_S:
        ledger.notes.append(f"free inputs: stopped after about {search.cpu_s:.0f} CPU seconds")
    return [item.text for item in sorted(search.tried, key=lambda item: item.rank)]
