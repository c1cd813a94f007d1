"""Finds inputs that tell the candidates apart, with no model and within a budget of CPU time and runs."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sstar_code.problems import Kind, Test
from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import behaviour_of, compare_with, label
from sstar_code.selection.evidence.cpu_budget import CPU_S, CpuBudget
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.inputs.search.generated import find_generated_inputs
from sstar_code.selection.inputs.strategies.streams import Mutations, large_inputs

if TYPE_CHECKING:
    from sstar_code.sandbox.outcome import Execution
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

_MOST_CPU_S = 3.2
"""CPU seconds per problem for small inputs."""
_MOST_LARGE_CPU_S = 1.0
"""CPU seconds per problem reserved for large inputs."""
_PROBE_CPU_S, _MOST_PROBE_CPU_S = 0.1, 1.2
"""CPU limit in seconds of one run to find out what standard input looks like, and of all such runs together;
they are paid out of the seconds for small inputs."""
_PROBED_PROGRAMS = 9
"""Programs, the most frequent ones, with which it is found out what standard input looks like."""
_BROAD_INPUTS = 100
"""Most inputs that all programs run on before the search turns to programs that still look alike."""
_BROAD_SHARE = 0.6
"""Share of the runs for inputs that all programs run on."""
_LARGE_INPUTS = 6
_SAMPLES = 3
"""Inputs of the problem's generator that stand for public ones where there are none."""
_CHUNK = 6
_COSTLY = (Status.TLE, Status.MLE)


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
    mutations: Mutations
    copies: Counter[int]
    """Program -> how many candidates are it."""
    max_runs: int
    budget: CpuBudget
    group: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Program -> what it did so far, as labels."""
    tried: list[_Tried] = field(default_factory=list)
    records: defaultdict[str, _Record] = field(default_factory=lambda: defaultdict(_Record))
    lost: int = 0
    stops_at_split: bool = False
    most_broad: int = _BROAD_INPUTS
    is_split: bool = False
    """Whether programs that end well have done different things on an input."""
    generated: frozenset[str] = frozenset()
    """Inputs of the problem's own generator, which are what the problem allows."""

    @property
    def runs_left(self) -> int:
        """Runs left without those kept for the large inputs."""
        return self.max_runs - self.budget.runs - _LARGE_INPUTS * len(self.copies)

    @property
    def is_over(self) -> bool:
        return self.runs_left <= 0 or self.budget.is_empty or (self.stops_at_split and self.is_split)

    def unresolved(self) -> list[int]:
        """The programs that look like another one."""
        sizes = Counter(self.group.values())
        return [program for program in self.copies if sizes[self.group[program]] > 1]

    async def own(self, inputs: Sequence[str]) -> None:
        """The inputs of the problem's own generator, every program on every one."""
        self.generated = frozenset(inputs)
        for start in range(0, len(inputs), _CHUNK):
            if self.is_over:
                return
            chunk = [("generated", text) for text in inputs[start : start + _CHUNK]]
            await self._try(chunk, list(self.copies))

    async def broad(self) -> None:
        """Strategies in turn, every program on every input."""
        turn: list[str] = []

        def pick() -> str | None:
            turn.extend(() if turn else self._open())
            return turn.pop(0) if turn else None

        wanted = max(1, min(self.most_broad, int(_BROAD_SHARE * self.max_runs / len(self.copies))))
        while len(self.tried) < wanted and not self.is_over:
            if not (chunk := self._take(wanted - len(self.tried), pick)):
                return
            await self._try(chunk, list(self.copies))

    async def focus(self, rng: random.Random) -> None:
        """More inputs for the programs that look alike, from the strategies that have told most apart."""

        def pick() -> str | None:
            names = self._open()
            return rng.choices(names, [self.records[name].score for name in names])[0] if names else None

        while not self.is_over and (alike := self.unresolved()):
            if not (chunk := self._take(self.runs_left // len(alike), pick)):
                return
            await self._try(chunk, alike)

    def _take(self, wanted: int, pick: Callable[[], str | None]) -> list[tuple[str, str]]:
        """Up to `wanted` new inputs, at most a chunk, of strategies that `pick` names; it ends with None."""
        chunk: list[tuple[str, str]] = []
        while len(chunk) < min(_CHUNK, wanted) and (strategy := pick()) is not None:
            if (text := self.mutations.take(strategy)) is not None:
                chunk.append((strategy, text))
        return chunk

    async def large(self, budget: CpuBudget) -> None:
        """The largest inputs last, each on its own: they cost most."""
        self.budget = budget
        known = {item.text for item in self.tried}
        for text in large_inputs(self.pool.problem, _LARGE_INPUTS, self.mutations.contract):
            if text not in known:
                await self._try([("large", text)], list(self.copies))

    def _open(self) -> list[str]:
        return [name for name in self.mutations.strategies if not self.records[name].is_hopeless]

    async def _try(self, chunk: Sequence[tuple[str, str]], programs: Sequence[int]) -> None:
        """Run `programs` on new inputs, and all others on those that split them.

        The first goes first, and the last tries what the first was too slow for: an input on which both
        run out of time or memory is left out. So is one on which some have not run when the budget is empty.
        """
        slow = await self._find_costly(programs[0], [text for _, text in chunk])
        costly = await self._find_costly(programs[-1], slow or [])
        if slow is None or costly is None:
            return
        if len(programs) * len(slow) > self.budget.runs_affordable():
            costly = slow  # if others are as slow as the first, it costs too much to find out
        for strategy, text in chunk:
            record = self.records[strategy]
            record.tried += 1
            record.costly += text in costly
        fit = [(strategy, text) for strategy, text in chunk if text not in costly]
        runs = await self.budget.run(programs, [text for _, text in fit])
        if runs is None:
            return
        everyone = len(programs) == len(self.copies)
        for place, (strategy, text) in enumerate(fit):
            column = {program: runs[program][place] for program in programs}
            if not everyone:
                if not self._splits_a_group(column):
                    continue
                others = [item for item in self.copies if item not in column]
                if (rest := await self.budget.run(others, [text])) is None:
                    return
                column |= {program: executions[0] for program, executions in rest.items()}
            self._note(strategy, text, column)

    async def _find_costly(self, program: int, texts: Sequence[str]) -> list[str] | None:
        if (runs := await self.budget.run([program], texts)) is None:
            return None
        return [text for text, run in zip(texts, runs[program], strict=True) if run.status in _COSTLY]

    def _labels(self, column: dict[int, Execution]) -> dict[int, int]:
        alike = compare_with(self.pool.problem)
        return dict(zip(column, label(list(map(behaviour_of, column.values())), alike), strict=True))

    def _splits_a_group(self, column: dict[int, Execution]) -> bool:
        if all(run.status is not Status.OK for run in column.values()):
            return False
        labels = self._labels(column)
        before = {self.group[program] for program in column}
        return len({(self.group[program], labels[program]) for program in column}) > len(before)

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
        self.is_split |= splits and statuses == {Status.OK}
        if len(set(self.group.values())) > before:
            record.refined += 1
            if strategy != "retyped":
                self.mutations.learn(text)
        is_admitted = text in self.generated or self.mutations.contract.admits(text)
        self.tried.append(_Tried(text, splits, is_valid, is_admitted))


async def find_model_free_inputs(
    pool: Pool,
    members: Sequence[int],
    ledger: Ledger,
    *,
    max_runs: int = 1200,
    stops_at_split: bool = False,
    thorough_s: float | None = None,
) -> list[str]:
    """Mutations of the public inputs that are not too costly, the most telling ones first.

    With them are inputs of the problem's own generator, where it has one; where programs talk to an
    interactor there are none. First come those inside the contract that split the programs of `members`, then
    others inside it, then those beyond it, last those on which most candidates fail. All programs have run on
    all that is returned. At most about `max_runs` runs (distinct program and input) and 4.2 CPU seconds are
    spent, up to 1.5 of them on the generator. With `stops_at_split` nothing is run after the first inputs on
    which no program fails and two differ. With `thorough_s` it spends so many CPU seconds on small inputs, of
    more kinds, and half of them on inputs that all programs run on; the ledger has to have them.
    """
    copies = Counter(sorted(pool.board.program_of[index] for index in members))
    codes = [pool.candidates[program].code for program in copies]
    problem, budget = pool.problem, CpuBudget(pool, ledger, thorough_s or _MOST_CPU_S)
    if problem.interactor is not None:
        ledger.notes.append("programs that talk to an interactor are not compared")
        return []
    generated = await find_generated_inputs(pool, ledger)
    if generated and not problem.public_tests:
        problem = replace(problem, public_tests=tuple(map(Test, generated[:_SAMPLES])))
    contract = Contract.of(problem)
    shown = any(text.strip() for text in public_inputs(problem))
    if contract.form is None and problem.kind is Kind.STDIN and not shown:
        probing = CpuBudget(pool, ledger, _MOST_PROBE_CPU_S, _PROBE_CPU_S, _PROBE_CPU_S)
        some = dict(copies.most_common(_PROBED_PROGRAMS))
        samples = await find_form(lambda texts: probing.run(list(some), texts), some)
        budget.share_s -= _MOST_PROBE_CPU_S - probing.share_s
        if samples:
            ledger.notes.append(f"no public test: inputs like {samples[0].strip()!r} are guessed")
            problem = replace(problem, public_tests=tuple(map(Test, samples)))
            contract = Contract.of(problem)
    is_thorough = thorough_s is not None
    mutations = Mutations(problem, pool.seed_for("mutate"), contract, codes, thorough=is_thorough)
    group: dict[int, tuple[int, ...]] = dict.fromkeys(copies, ())
    search = _Search(pool, mutations, copies, max_runs, budget, group=group, stops_at_split=stops_at_split)
    search.most_broad = max_runs if is_thorough else _BROAD_INPUTS
    await search.own(generated)
    await search.broad()
    await search.focus(random.Random(pool.seed_for("focus")))
    if budget.is_empty:
        ledger.notes.append("model-free inputs: stopped where the CPU seconds for them were spent")
    if not (stops_at_split and search.is_split):
        await search.large(CpuBudget(pool, ledger, _MOST_LARGE_CPU_S, CPU_S, CPU_S))
    if search.lost:
        ledger.notes.append(f"{search.lost} model-free inputs dropped: the sandbox failed on them")
    return [item.text for item in sorted(search.tried, key=lambda item: item.rank)]


_FORMS: tuple[tuple[str, ...], ...] = (
    ("abc\n", "Hello World\n", "aabb c\n"),
    ("ab\nabcab\n", "a b\nabba\n"),
    ("7\n", "12\n", "1\n"),
    ("2.5\n", "3\n"),
    ("7\n3\n", "2\n5\n"),
    ("3 5\n", "7 2\n"),
    ("4 1 2 3\n", "2 2\n", "5\n"),
    ("[3, 1, 2]\n", "[5]\n", "[2, 2, 1, 7]\n"),
    ("[3, 1, 2]\n2\n", "[5, 5]\n1\n"),
    ("[3, 1, 2]\n[2, 4]\n", "[5]\n[5]\n"),
    ("abc\n2\n", "Hello World\n5\n"),
    ("[[1, 2], [3, 4]]\n", "[[5, 1]]\n"),
    ("[[1, 2], [3, 4]]\n[[2, 2], [1, 4]]\n", "[[5, 1]]\n[[1, 1]]\n"),
    ('["ab", "c"]\n', '["a"]\n'),
    ("3\n1 2 3\n", "2\n5 5\n"),
)
"""Samples of common inputs. Text comes first: a program that reads text also reads all that follows."""


async def find_form(
    run: Callable[[Sequence[str]], Awaitable[dict[int, list[Execution]] | None]], copies: Mapping[int, int]
) -> tuple[str, ...]:
    """The samples of the first common form that more than half of the candidates read without failing.

    `copies` says of how many candidates each program of `run` is the text. `run` gives None where there is
    nothing left to spend. Empty where there is none.
    """
    total = sum(copies.values())
    for samples in _FORMS:
        if (runs := await run(samples)) is None:
            break
        fine = [program for program, found in runs.items() if all(one.status is Status.OK for one in found)]
        if 2 * sum(copies[program] for program in fine) > total:
            return samples
    return ()
