"""Monte Carlo tree search with an associative memory: before a repair, one thing is recalled that may help.

Source: CoAT (arXiv 2502.02390, no public code): MCTS with an association step, AM(n) = LLM(Q | G(n)), from
which and from the path above the child is generated; selection by UCT, back-propagation of the visit-weighted
mean; V(n) = F_g(Q, G) + beta * F_a(G, AM); a bounded depth. An outside memory may feed the associations.
Constants: beta = 0.1 and UCT's C = 1.4 are those commonly given, depth 5.

Departures: a node is a program with its executions. The association is one line, an algorithm, a bound, a
pitfall or a line of a failing run. F_g is the share of public tests passed, and F_a is 1 where the repair
with the association passes more of them than the program before: no model judges either. Such associations
are kept, and shown to all later steps; those that did not help are shown to the next association alone. First
samples are made without one, so that pass@1 is that of other strategies. A node gets `width` children at
most, the root `--n`. `batch` nodes are chosen at once, each of which counts as visited before its reward is
known; 1 is the published form.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import next_round, seed_for
from sstar_code.agent.generation.memory import choose_notes, clean_note
from sstar_code.agent.models.request import CallError, Purpose, Request, Stage
from sstar_code.agent.strategies.search.nodes import Growth, Node

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.generation.memory import Shown
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.problems import Problem

_STEP = 750_019
"""Added to the seed of a repair for that of its association: no sample or repair has one of these."""
_ITEM = re.compile(
    r"^[\s>*_`#-]*(algorithm|bound|pitfall|trace)[*_`]*\s*:[*_`\s]*(\S.*)$", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Coat:
    """A tree of at most `n * (rounds + 1)` programs, and an association before each repair."""

    batch: int = 4
    """Programs that are asked for at once."""
    width: int = 3
    """Repairs of one program at most."""
    depth: int = 5
    """Programs from a first sample to its last repair at most."""
    c: float = 1.4
    """UCT's weight of what was seldom visited."""
    beta: float = 0.1
    """Weight of an association that helped."""
    programs: int = 0
    """Programs in all; 0: `n * (rounds + 1)`."""

    def __post_init__(self) -> None:
        if min(self.batch, self.width, self.depth) < 1 or self.programs < 0:
            raise ValueError("batch, width and depth must be at least 1, and programs at least 0")
        if not (self.c >= 0 and self.beta >= 0):
            raise ValueError("c and beta must be at least 0")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """Choose nodes by UCT, recall something for each and repair it, until all is spent or found."""
        settings, growth = context.settings, Growth(problem)
        search = _Search(self, growth, settings.n)
        left = self.programs or settings.n * (settings.rounds + 1)
        while (wanted := min(self.batch, left, settings.n - growth.survivors)) > 0:
            chosen = search.choose_many(wanted)
            left -= len(chosen)
            memory = _Memory(problem, context.remember(growth.lineages))
            if not chosen or not await growth.grow(chosen, memory.extend):
                break  # no node may get a child, or every call failed
        for lineage in growth.lineages:
            on_sample(lineage)
        return tuple(growth.lineages)

    def most_calls(self, settings: Settings) -> int:
        """The programs of the tree, and an association for each that is no first sample."""
        programs = self.programs or settings.n * (settings.rounds + 1)
        return programs + max(0, programs - 1)


@dataclass(slots=True)
class _Search:
    """Selection by UCT; values are counted from the tree, whose nodes are few."""

    told: Coat
    growth: Growth
    n: int
    pending: Counter[Node] = field(default_factory=Counter)
    """Children that are chosen and not made yet."""

    def choose_many(self, wanted: int) -> list[Node]:
        """Up to so many nodes that get a child each; fewer where no more are open."""
        self.pending.clear()
        while self.pending.total() < wanted and self._is_open(self.growth.root):
            self.pending[self._choose()] += 1
        return list(self.pending.elements())

    def _choose(self) -> Node:
        node = self.growth.root
        while not self._has_room(node):
            visits = self._count_visits(node)
            going = [child for child in node.children if self._is_open(child)]
            node = max(going, key=lambda child: self._rate(child, visits))  # the first wins a tie
        return node

    def _has_room(self, node: Node) -> bool:
        """Whether the node itself may get another child; it is expanded fully before those below it."""
        made, most = len(node.children), self.told.width
        if not node.path:
            made, most = len(self.growth.lineages), self.n  # a first sample whose call failed is one of them
        deep = len(node.path) >= self.told.depth
        return not deep and self.growth.goes_on(node) and made + self.pending[node] < most

    def _is_open(self, node: Node) -> bool:
        """Whether it or a node below it may get a child."""
        return self._has_room(node) or any(self._is_open(child) for child in node.children)

    def _rate(self, child: Node, visits: int) -> float:
        own = self._count_visits(child)
        mean = math.fsum(self._value(node) for node in child.walk()) / own
        return mean + self.told.c * math.sqrt(math.log(max(1, visits)) / own)

    def _count_visits(self, node: Node) -> int:
        return sum((1 if below.path else 0) + self.pending[below] for below in node.walk())

    def _value(self, node: Node) -> float:
        """V(n) = F_g + beta * F_a."""
        return node.reward + self.told.beta * node.path[-1].helped


@dataclass(frozen=True, slots=True)
class _Memory:
    """What is known when a batch is chosen; all its associations and repairs rest on the same."""

    problem: Problem
    context: SolveContext

    @property
    def shown(self) -> Shown:
        return choose_notes(self.context.notes, self.context.others)

    async def extend(self, lineage: Lineage, node: Node) -> Lineage:
        """A first sample; or a repair of `node` that is told what was recalled, and what helped before."""
        if node.target is None:
            return await next_round(lineage, self.problem, self.context)
        note = await self._associate(lineage, node)
        told = replace(self.shown, tried=(), recalled=note)
        context = replace(self.context, told=told)
        return await next_round(lineage, self.problem, context, target=node.target, note=note)

    async def _associate(self, lineage: Lineage, node: Node) -> str:
        """One line, like `pitfall: ...`; empty where the call failed or another thing was said."""
        settings, index, made = self.context.settings, len(lineage.rounds), node.path[-1]
        request = Request(
            messages=self.context.prompts.render(
                "associate",
                self.problem,
                environment=self.context.environment,
                lessons=self.shown,
                code=made.code,
                failures=made.failures,
                summary=made.summary,
            ),
            purpose=Purpose(self.problem.id, Stage.DEBUG, lineage.sample, index, ordinal="associate"),
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=seed_for(settings.seed, lineage.sample, index) + _STEP,
        )
        try:
            found = _ITEM.search((await self.context.model.ask(request)).text)
        except CallError:
            return ""
        return clean_note(f"{found[1].lower()}: {found[2]}") if found else ""
