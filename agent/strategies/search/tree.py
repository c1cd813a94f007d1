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

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import Target, has_ended, next_round
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.agent.strategies.sample import grow_together
from sstar_code.agent.strategies.score import share_passed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.generation.lineage import Round
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
        search = _Search(problem, context, random.Random(f"{settings.seed}:{problem.id}:tree"))
        left = self.programs or settings.n * (settings.rounds + 1)
        while (wanted := min(self.batch, left, settings.n - search.survivors)) > 0:
            chosen = [search.choose() for _ in range(wanted)]
            left -= wanted
            if not await search.grow(chosen):
                break  # every call failed: the tokens of this problem are spent, or it is refused
        for lineage in search.lineages:
            on_sample(lineage)
        return tuple(search.lineages)

    def most_calls(self, settings: Settings) -> int:
        """The programs of the tree."""
        return self.programs or settings.n * (settings.rounds + 1)


@dataclass(slots=True, eq=False)
class _Node:
    """A program; the root stands for none."""

    sample: int = -1
    path: tuple[Round, ...] = ()
    """The programs from a first sample to this one; empty for the root."""
    ancestors: tuple[_Node, ...] = ()
    """From the root to its parent."""
    children: list[_Node] = field(default_factory=list)
    wider: list[float] = field(default_factory=list)
    """Rewards of its children."""
    deeper: list[float] = field(default_factory=list)
    """Rewards of everything below its children."""
    own: list[float] = field(default_factory=list)
    """Its own reward, and those of everything below it."""

    @property
    def target(self) -> Target:
        """The repair that makes a child of it."""
        return Target(self.sample, self.path[-1], self.path)


@dataclass(slots=True)
class _Search:
    problem: Problem
    context: SolveContext
    draws: random.Random
    root: _Node = field(default_factory=_Node)
    lineages: list[Lineage] = field(default_factory=list)

    @property
    def survivors(self) -> int:
        return sum(lineage.survives for lineage in self.lineages)

    def choose(self) -> _Node:
        """The node that gets the next child."""
        node = self.root
        while going := [child for child in node.children if self._goes_on(child)]:
            wider, deeper = self._draw(node.wider), self._draw(node.deeper)
            if wider >= deeper:
                break
            values = [self._draw(child.own) for child in going]
            node = going[values.index(max(values))]
        return node

    def _goes_on(self, node: _Node) -> bool:
        """Whether `node` may get a child: neither it nor its sample has ended."""
        ended = has_ended(Lineage(node.sample, node.path[-1:]), self.problem)
        return not ended and not self.lineages[node.sample].survives

    def _draw(self, rewards: Sequence[float]) -> float:
        yes = sum(rewards)
        return self.draws.betavariate(_PRIOR + yes, _PRIOR + len(rewards) - yes)

    async def grow(self, chosen: Sequence[_Node]) -> bool:
        """Give each of `chosen` a child; False where no call was answered.

        Repairs of one sample are asked for one after another, and not after one that passes.
        """
        told = self.context.remember(self.lineages)
        work: dict[int, list[_Node]] = {}
        for node in chosen:
            fresh = node is self.root
            number = len(self.lineages) if fresh else node.sample
            self.lineages += [Lineage(number, ())] if fresh else []
            work.setdefault(number, []).append(node)

        async def extend(number: int) -> Lineage:
            lineage = self.lineages[number]
            for node in work[number]:
                if not lineage.rounds or not lineage.survives:
                    target = None if node is self.root else node.target
                    lineage = await next_round(lineage, self.problem, told, target=target)
            return lineage

        grown = await grow_together(list(work), extend)
        answered = False
        for lineage in grown:
            before = len(self.lineages[lineage.sample].rounds)
            self.lineages[lineage.sample] = lineage
            for node, made in zip(work[lineage.sample], lineage.rounds[before:], strict=False):
                if not made.error:
                    answered = True
                    self._see(node, made, lineage.sample)
        return answered

    def _see(self, parent: _Node, made: Round, sample: int) -> None:
        """Put a child under `parent` and carry its reward up to the root."""
        reward = share_passed(made)
        ancestors = (*parent.ancestors, parent)
        parent.children.append(_Node(sample, (*parent.path, made), ancestors, own=[reward]))
        parent.wider.append(reward)
        for above, node in pairwise(ancestors):
            above.deeper.append(reward)
            node.own.append(reward)
