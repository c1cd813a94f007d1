"""Beam search over debug states: a state is a complete program, its reward what it does on the public tests.

Source: beam search against a process reward model (arXiv 2408.03314) with N beams, of which the best N/M are
kept and expanded M times each; constants of the open implementation (huggingface/search-and-learn): M = 4, a
lookahead at temperature 0, finished beams set aside, duplicates filtered; DVTS is its form with N/M
independent subtrees, in each of which the best state is kept.

Departures: a step is a repair by `debug.j2`, so N is `--n` and the depth `--rounds`. The reward is
execution: the share of public tests passed, ties by the first failing test, its output and the length.
Programs with one syntax tree are one state. A kept state stays a candidate for the next step beside its
children, so a step that only makes things worse is rolled back. Every beam stands for one program to
select from, its best. With `steps` the states are steps of a plan instead (`steps`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import Target, has_ended, next_round
from sstar_code.agent.generation.lineage import Lineage
from sstar_code.agent.strategies.sample import grow_together
from sstar_code.agent.strategies.score import score_round
from sstar_code.agent.strategies.search.steps import StepSearch
from sstar_code.selection.evidence.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sstar_code.agent.generation.lineage import Round
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.agent.strategies.protocol import OnSample
    from sstar_code.agent.strategies.score import Score
    from sstar_code.problems import Problem


@dataclass(frozen=True, slots=True)
class Node:
    """A state of the search."""

    path: tuple[Round, ...]
    """The programs from a first sample to this one, which is the last."""
    beam: int
    """The beam that it was made in."""
    score: Score

    @property
    def target(self) -> Target:
        """The repair that expands it."""
        return Target(self.beam, self.path[-1], self.path)


@dataclass(frozen=True, slots=True)
class Beam:
    """`n` beams, repaired for up to `rounds` steps from the best states of all."""

    width: int = 4
    """M: one of so many states is kept, and has about as many children."""
    lookahead: int = 0
    """Further repairs at temperature 0, by whose end a new state is scored."""
    dvts: bool = False
    """Diverse verifier tree search: `n / width` subtrees that do not compete."""
    steps: int = 0
    """Steps of a plan, which are searched in place of debug states; 0: debug states. 40 is published."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.lookahead < 0 or self.steps < 0:
            raise ValueError("width must be at least 1, and lookahead and steps at least 0")

    async def __call__(
        self, problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> tuple[Lineage, ...]:
        """The beams of every subtree; without `dvts` there is one."""
        beams = context.settings.n
        size = self.width if self.dvts else beams
        search = self._search_steps if self.steps else self.search
        trees = await grow_together(
            range(0, beams, size),
            lambda start: search(
                [Lineage(number, ()) for number in range(start, min(start + size, beams))],
                problem,
                context,
                on_sample,
            ),
        )
        return tuple(beam for tree in trees for beam in tree)

    def most_calls(self, settings: Settings) -> int:
        """A state of each beam at each step, and the repairs or steps that look ahead of it."""
        if self.steps:
            return settings.n * ((self.steps - 1) * (1 + self.lookahead) + 1 + settings.rounds)
        return settings.n * (settings.rounds + 1) * (1 + self.lookahead)

    async def _search_steps(
        self, begun: Sequence[Lineage], problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> list[Lineage]:
        """As `search`, over the steps of plans."""
        search = StepSearch(
            problem, context, self.width, self.steps, lookahead=self.lookahead, keeps_one=self.dvts
        )
        made = await search.search([beam.sample for beam in begun])
        for beam in made:
            on_sample(beam)
        return made

    async def search(
        self, begun: Sequence[Lineage], problem: Problem, context: SolveContext, on_sample: OnSample
    ) -> list[Lineage]:
        """The beams after up to `rounds` steps: in each the best states are expanded into those that go on.

        Beams that are `begun` with a first sample go on from there; empty ones get it first.
        """
        beams = {beam.sample: beam for beam in begun}
        kept: list[Node] = []
        parents: dict[int, Node | None] = {number: None for number in beams if not beams[number].rounds}
        states = await grow_together([*beams], partial(self._see, beams, problem, context))
        for step in range(context.settings.rounds + 1):
            if step or parents:
                told = context.remember(beams.values())
                states = await grow_together(
                    list(parents), partial(self._expand, beams, parents, problem, told)
                )
            for number in parents:
                if beams[number].survives:
                    on_sample(beams[number])
            going = [number for number in beams if not has_ended(beams[number], problem)]
            kept = self._keep_best([*kept, *filter(None, states)], len(going))
            parents = {number: kept[place % len(kept)] for place, number in enumerate(going) if kept}
        for beam in beams.values():
            if not beam.survives:
                on_sample(beam)
        return list(beams.values())

    def _keep_best(self, nodes: Sequence[Node], going: int) -> list[Node]:
        """The best states, best first; as many as N/M says for the beams that are `going` on."""
        distinct: dict[str, Node] = {}
        for node in sorted(nodes, key=lambda node: node.score, reverse=True):
            distinct.setdefault(fingerprint(node.path[-1].code or ""), node)
        return list(distinct.values())[: 1 if self.dvts else -(-going // self.width)]

    async def _see(
        self, beams: Mapping[int, Lineage], problem: Problem, context: SolveContext, number: int
    ) -> Node | None:
        """The state that a beam begins with; None where it is empty, has ended or has no program."""
        beam = beams[number]
        if not beam.rounds or has_ended(beam, problem) or beam.code is None:
            return None
        return Node((beam.best,), number, await score_round(beam.best, problem, context))

    async def _expand(
        self,
        beams: dict[int, Lineage],
        parents: Mapping[int, Node | None],
        problem: Problem,
        context: SolveContext,
        number: int,
    ) -> Node | None:
        """Put a child of its parent, or a first sample, into a beam; the new state unless it has ended."""
        parent, beam = parents[number], beams[number]
        beam = await next_round(beam, problem, context, target=parent.target if parent else None)
        path = (*(parent.path if parent else ()), beam.rounds[-1])
        depth = len(path)
        for _ in range(self.lookahead):
            if has_ended(beam, problem):
                break
            target = Target(number, beam.rounds[-1], path)
            beam = await next_round(beam, problem, context, target=target, temperature=0.0)
            path = (*path, beam.rounds[-1])
        beams[number] = beam
        if has_ended(beam, problem):
            return None
        return Node(path[:depth], number, await score_round(beam.rounds[-1], problem, context))
