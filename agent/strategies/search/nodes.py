"""The tree of programs that searches grow: the children of the root are first samples, all others repairs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sstar_code.agent.generation.develop import Target, has_ended
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.agent.strategies.sample import grow_together
from sstar_code.agent.strategies.score import share_passed

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Round
    from sstar_code.problems import Problem


@dataclass(slots=True, eq=False)
class Node:
    """A program; the root stands for none."""

    sample: int = -1
    path: tuple[Round, ...] = ()
    """The programs from a first sample to this one; empty for the root."""
    children: list[Node] = field(default_factory=list)

    @property
    def target(self) -> Target | None:
        """The repair that makes a child of it; None for the root."""
        return Target(self.sample, self.path[-1], self.path) if self.path else None

    @property
    def reward(self) -> float:
        """The share of public tests that its program passes, 0..1."""
        return share_passed(self.path[-1])

    def walk(self) -> Iterator[Node]:
        """It and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def walk_below(self) -> Iterator[Node]:
        """Everything below it."""
        for child in self.children:
            yield from child.walk()


Extend: TypeAlias = Callable[[Lineage, Node], Awaitable[Lineage]]
"""Gives the sample one round more, which makes a child of the node."""


@dataclass(slots=True)
class Growth:
    """A tree, and the samples that its programs belong to."""

    problem: Problem
    root: Node = field(default_factory=Node)
    lineages: list[Lineage] = field(default_factory=list)

    @property
    def survivors(self) -> int:
        """Samples that pass the public tests."""
        return sum(lineage.survives for lineage in self.lineages)

    def goes_on(self, node: Node) -> bool:
        """Whether `node` may get a child: neither it nor its sample has ended."""
        if node is self.root:
            return True
        ended = has_ended(Lineage(node.sample, node.path[-1:]), self.problem)
        return not ended and not self.lineages[node.sample].survives

    async def grow(self, chosen: Sequence[Node], extend: Extend) -> bool:
        """Give each of `chosen` a child; False where no call was answered.

        Repairs of one sample are asked for one after another, and not after one that passes.
        """
        work: dict[int, list[Node]] = {}
        for node in chosen:
            number = len(self.lineages) if node is self.root else node.sample
            self.lineages += [Lineage(number, ())] if node is self.root else []
            work.setdefault(number, []).append(node)

        async def extend_all(number: int) -> Lineage:
            lineage = self.lineages[number]
            for node in work[number]:
                if not lineage.rounds or not lineage.survives:
                    lineage = await extend(lineage, node)
            return lineage

        grown = await grow_together(list(work), extend_all)
        answered = False
        for lineage in grown:
            before = len(self.lineages[lineage.sample].rounds)
            self.lineages[lineage.sample] = lineage
            for node, made in zip(work[lineage.sample], lineage.rounds[before:], strict=False):
                if not made.error:
                    answered = True
                    node.children.append(Node(lineage.sample, (*node.path, made)))
        return answered
