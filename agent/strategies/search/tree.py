"""Tree search over debug states that goes wider or deeper by Thompson sampling.

Source: AB-MCTS-A (arXiv 2503.04412; SakanaAI/treequest). At each node one more child (GEN) is weighed
against going on below the children that are there (CONT): a value is drawn from the posterior of each and
the larger wins; below CONT the child is drawn likewise, until a node gets a new child. GEN has seen the
rewards of the node's own children, CONT those of everything deeper. Posteriors are Beta with
Jeffreys' prior (1/2, 1/2), one of the two published forms; a reward r counts as r of a success.

Departures: the children of the root are first samples, every other child a repair of its parent by
`debug.j2`; the reward is the share of public tests passed. A child's own reward counts for it when one child
is drawn, since it is known. A sample that passes has ended: nothing is repaired below it, and the search ends
with `n` of these or after `n * (rounds + 1)` programs, as many as sampling with repair may write. Decisions
are made `batch` at a time on the same posteriors, and seen together when all of them have ended; 1 is
the published form.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import next_round
from sstar_code.agent.strategies.search.nodes import Growth, Node

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem

_PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of at most `n * (rounds + 1)` programs."""

    batch: int = 4
    """Programs that are asked for at once."""
    programs: int = 0
    """Programs in all; 0: `n * (rounds + 1)`."""

    def __post_init__(self) -> None:
        if self.batch < 1 or self.programs < 0:
            raise ValueError("batch must be at least 1, and programs at least 0")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """Choose nodes, give each a child, see the rewards; until nothing is left to spend or to find."""
        settings = context.settings
        growth = Growth(problem)
        search = _Search(random.Random(f"{settings.seed}:{problem.id}:tree"), growth)
        left = self.programs or settings.n * (settings.rounds + 1)
        while (wanted := min(self.batch, left, settings.n - growth.survivors)) > 0:
            chosen = [search.choose() for _ in range(wanted)]
            left -= wanted
            told = context.remember(growth.lineages)
            if not await growth.grow(chosen, partial(_extend, problem, told)):
                break  # every call failed: the tokens of this problem are spent, or it is refused
        for lineage in growth.lineages:
            on_sample(lineage)
        return tuple(growth.lineages)

    def most_calls(self, settings: Settings) -> int:
        """The programs of the tree."""
        return self.programs or settings.n * (settings.rounds + 1)


async def _extend(problem: Problem, context: SolveContext, lineage: Lineage, node: Node) -> Lineage:
    return await next_round(lineage, problem, context, target=node.target)


@dataclass(slots=True)
class _Search:
    draws: random.Random
    growth: Growth

    def choose(self) -> Node:
        """The node that gets the next child."""
        node = self.growth.root
        while going := [child for child in node.children if self.growth.goes_on(child)]:
            wider = self._draw(child.reward for child in node.children)
            deeper = self._draw(below.reward for child in node.children for below in child.walk_below())
            if wider >= deeper:
                break
            values = [self._draw(below.reward for below in child.walk()) for child in going]
            node = going[values.index(max(values))]
        return node

    def _draw(self, rewards: Iterable[float]) -> float:
        seen = list(rewards)
        yes = math.fsum(seen)
        return self.draws.betavariate(_PRIOR + yes, _PRIOR + len(seen) - yes)
