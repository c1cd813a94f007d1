"""An input made ready to be asked about: as small as it gets while the outputs shown still differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import behaviour_of, compare_with, label
from sstar_code.selection.evidence.cpu_budget import CpuBudget
from sstar_code.selection.inputs.search.shrink import shrink_input

if TYPE_CHECKING:
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.evidence.clustering import Behaviour, Clustering
    from sstar_code.selection.evidence.posterior import Beliefs
    from sstar_code.selection.pool import Pool

_SHRINK_TRIES = 150
_SHRINK_SHARE = 0.5
"""Share of the CPU seconds left that making one input smaller may use."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """Prepares inputs of `found` to be asked about, within the CPU time that `ledger` has left."""

    pool: Pool
    found: Clustering
    ledger: Ledger

    async def prepare(
        self, place: int, groups: Sequence[int | None], beliefs: Beliefs, known: Collection[str]
    ) -> tuple[str, list[Behaviour]]:
        """The input at `place`, made small, and what each cluster does on it.

        `groups` are the outputs that it has to keep apart. What is `known` would tell nothing new: then it is
        left as it is.
        """
        board, whole = self.pool.board, self.found.inputs[place]
        text = await self._shrink(place, groups, beliefs)
        if text in known:
            text = whole
        first = [cluster[0] for cluster in self.found.clusters]
        budget = CpuBudget(self.pool, self.ledger)
        if await budget.run(board.programs(first), [text]) is None:
            text = whole  # on which all have run
        runs = await board.run(first, [text], self.ledger)
        return text, [behaviour_of(runs[index][0]) for index in first]

    async def _shrink(self, place: int, groups: Sequence[int | None], beliefs: Beliefs) -> str:
        """A smaller input on which the likeliest clusters of the outputs shown still do different things."""
        leaders: dict[int, int] = {}
        for cluster in sorted(range(len(groups)), key=lambda number: -beliefs.clusters[number]):
            group = groups[cluster]
            if group is not None:
                leaders.setdefault(group, cluster)
        members = [self.found.clusters[cluster][0] for cluster in leaders.values()]
        statuses = [self.found.behaviours[place][cluster].status for cluster in leaders.values()]
        text, pool = self.found.inputs[place], self.pool
        if Status.TLE in statuses or Status.MLE in statuses:
            return text  # every try would take as long again
        alike = compare_with(pool.problem)
        budget = CpuBudget(pool, self.ledger, _SHRINK_SHARE * self.ledger.left_s)

        async def splits(texts: Sequence[str]) -> list[bool]:
            if await budget.run(pool.board.programs(members), texts) is None:
                return [False] * len(texts)
            runs = await pool.board.run(members, texts, self.ledger)
            columns = (
                [behaviour_of(runs[index][column]) for index in members] for column in range(len(texts))
            )
            return [
                [item.status for item in seen] == statuses and len(set(label(seen, alike))) == len(members)
                for seen in columns
            ]

        return await shrink_input(pool.problem, text, splits, max_tries=_SHRINK_TRIES)
