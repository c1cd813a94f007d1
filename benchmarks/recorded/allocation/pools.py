"""Recorded pools as something to draw samples from: which survive, which agree, which is chosen."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from benchmarks.recorded.allocation.behaviours import read_behaviours
from benchmarks.recorded.pools import load_pool
from sstar_code.agent.allocation.policy import Observed, Rates, choose_step, estimate_rates
from sstar_code.agent.allocation.sample import LOOK_INPUTS
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.allocate import Allocate, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sstar_code.agent.allocation.policy import SampleRange

__all__ = ["Recorded", "Trial", "in_half", "load_models"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One problem and all samples of one model for it."""

    key: str
    problem: str
    survives: tuple[bool, ...]
    right: tuple[bool, ...]
    programs: tuple[int | None, ...]
    """Number of each survivor's text."""
    columns: tuple[tuple[int, ...], ...]
    """For each input, what each text does there; negative where it fails."""

    def look(self, members: Sequence[int]) -> Observed:
        """What a wave sees of the samples `members`."""
        copies = Counter(text for index in members if (text := self.programs[index]) is not None)
        columns = [column for column in self.columns[:LOOK_INPUTS] if _is_valid(column, copies)]
        sizes: Counter[tuple[int, ...]] = Counter()
        for text, count in copies.items():
            sizes[tuple(column[text] for column in columns) if self.columns else (text,)] += count
        groups = tuple(sorted(sizes.values(), reverse=True))
        return Observed(len(members), sum(copies.values()), groups)

    def choose(self, members: Sequence[int]) -> float:
        """Share of right ones in the cluster with most agreement, as `mbr` weighs it; 0 without a survivor.

        The mean over the cluster instead of one member: which of programs that do the same is taken is luck.
        """
        copies = Counter(text for index in members if (text := self.programs[index]) is not None)
        if not copies:
            return 0.0
        weights = {text: math.sqrt(count) for text, count in copies.items()}
        scores = dict.fromkeys(copies, 0.0)
        for column in self.columns:
            if _is_valid(column, weights):
                say: defaultdict[int, float] = defaultdict(float)
                for text, weight in weights.items():
                    say[column[text]] += weight
                for text in scores:
                    scores[text] += say[column[text]]
        behaviours = {text: tuple(column[text] for column in self.columns) or (text,) for text in copies}
        sizes: Counter[tuple[int, ...]] = Counter()
        for text, count in copies.items():
            sizes[behaviours[text]] += count
        best = max(copies, key=lambda text: (round(scores[text], 9), sizes[behaviours[text]], -text))
        cluster = [
            self.right[index]
            for index in members
            if (text := self.programs[index]) is not None and behaviours[text] == behaviours[best]
        ]
        return sum(cluster) / len(cluster)


def _is_valid(column: Sequence[int], weights: dict[int, float] | Counter[int]) -> bool:
    return 2 * sum(weights[text] for text in weights if column[text] < 0) <= sum(weights.values())


def in_half(problem: str, half: str) -> bool:
    """Whether a problem is of `even`, `odd` or `all`: by the hash of its id."""
    parity = hashlib.sha256(problem.encode()).digest()[0] % 2
    return half == "all" or parity == ("even", "odd").index(half)


def load_models(pool: str, data: Path, cache: Path, sandbox: str = "auto") -> dict[str, list[Recorded]]:
    """The problems of `pool` by model: what a run of one model over the set can draw."""
    models: dict[str, list[Recorded]] = defaultdict(list)
    rows = read_behaviours(pool, data, cache, sandbox)
    for item, row in zip(load_pool(pool, data), rows, strict=True):
        assert (item.problem.id, item.draw) == (row["problem"], row["draw"])
        writers = sorted({source for candidate in item.candidates for source in candidate.sources})
        for writer in writers or [item.draw]:
            own = [
                index
                for index, candidate in enumerate(item.candidates)
                if not writers or writer in candidate.sources
            ]
            models[writer].append(
                Recorded(
                    f"{pool} {writer} {item.problem.id}",
                    item.problem.id,
                    tuple(item.candidates[index].survives for index in own),
                    tuple(bool(item.candidates[index].hidden_pass) for index in own),
                    tuple(row["programs"][index] for index in own),
                    tuple(map(tuple, row["columns"])),
                )
            )
    return dict(models)


@dataclass(slots=True)
class Trial:
    """One run of one model over a set; every sample is drawn from the recorded ones without putting back."""

    items: Sequence[Recorded]
    draw: int
    drawn: list[int] = field(init=False)
    seen: list[Observed] = field(init=False)
    _orders: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        sizes = [len(item.survives) for item in self.items]
        self._orders = [
            random.Random(f"{item.key} {self.draw}").sample(range(size), size)
            for item, size in zip(self.items, sizes, strict=True)
        ]
        self.drawn = [0] * len(self.items)
        self.seen = [Observed(0, 0) for _ in self.items]

    def score(self) -> float:
        """Right choices, summed over the problems."""
        return sum(item.choose(self._orders[place][: self.drawn[place]]) for place, item in self._items())

    def draw_all(self, count: int) -> Trial:
        """The same number for every problem, as far as it is recorded."""
        self.drawn = [min(count, len(order)) for order in self._orders]
        return self

    def draw_waves(self, plan: SampleRange) -> Trial:
        """As the rule says, problem by problem, all at the same pace."""
        open_places = set(range(len(self.items)))
        while open_places:
            rates = self._rates()
            for place in sorted(open_places):
                step = choose_step(self.seen[place], rates, plan)
                if step.kind == "stop":
                    open_places.discard(place)
                else:
                    self._take(place, step.count)
        return self

    def draw_by_rate(self, most: int) -> Trial:
        """As the strategy `allocate` does without repairs; samples with ideas are samples like the others."""
        strategy, settings = Allocate(), Settings(n=most, rounds=0)
        for place, item in self._items():
            count = min(strategy.first, most)
            while count:
                self._take(place, count)
                found = self.seen[place]
                agree = found.passed > 1 and len(found.groups) == 1
                seen = Seen(found.drawn, found.passed, bool(found.passed), agree)
                _, count = strategy.decide(seen, replace(settings, n=min(most, len(item.survives))))
        return self

    def spend(self, total: int, plan: SampleRange) -> Trial:
        """`total` samples for the whole set, each wave where it is worth most; only the total ends it."""
        left = total
        while left > 0:
            rates = self._rates()
            steps = {place: choose_step(self.seen[place], rates, plan) for place, _ in self._items()}
            wanted = [place for place, step in steps.items() if step.kind == "draw"]
            if not wanted:
                break
            wanted.sort(key=lambda place: -steps[place].value)
            for place in wanted[: max(1, len(wanted) // 4)]:
                count = min(left, steps[place].count)
                if count:
                    self._take(place, count)
                left -= count
        return self

    def _take(self, place: int, count: int) -> None:
        self.drawn[place] += count
        self.seen[place] = self.items[place].look(self._orders[place][: self.drawn[place]])

    def _items(self) -> Iterator[tuple[int, Recorded]]:
        return iter(enumerate(self.items))

    def _rates(self) -> Rates:
        return estimate_rates(self.seen, 0)
