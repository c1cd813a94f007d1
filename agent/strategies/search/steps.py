"""Beam search over the steps of a plan, by the model's own log probabilities: `beam:steps=40`.

Source: beam search against a process reward model (arXiv 2408.03314); constants of the open implementation
(huggingface/search-and-learn): M = 4, at most 40 steps, a step ends at a blank line, a state is scored by its
last step, finished beams are set aside, equal states count once, the last step goes to the end of the answer.

Departures: no reward model is there, so the score is the mean log probability of the step's tokens. A plan
ends where its program begins, at the first fence: only whole programs are run, and nothing is pruned inside
one. The programs are then run on the public tests and repaired as samples are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from sstar_code.agent.generation.develop import first_sample
from sstar_code.agent.generation.plans import plan_for
from sstar_code.agent.generation.written import Written, write_on
from sstar_code.agent.models.request import CallError
from sstar_code.agent.strategies.found import make_sample
from sstar_code.agent.strategies.sample import develop_in_rounds, grow_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem

FLAG = "--strategy beam:steps"
BLANK, FENCE = "\n\n", "```"
"""What ends a step, and what ends a plan too."""
State: TypeAlias = tuple[float, Written]
"""A score, the larger the better, and what is written."""


@dataclass(slots=True)
class StepSearch:
    """Plans of a group of beams that compete.

    Args:
        problem: what is solved.
        context: with a model that gives token ids.
        width: M: one of so many states is kept.
        steps: those of an answer at most; the last one goes to its end.
        lookahead: further steps at temperature 0, by the last of which a new state is scored.
        keeps_one: of all states one is kept, whatever the width.
    """

    problem: Problem
    context: SolveContext
    width: int
    steps: int
    lookahead: int = 0
    keeps_one: bool = False
    _requests: dict[int, Request] = field(default_factory=dict)
    """The call that each beam answers."""

    async def search(self, beams: Sequence[int]) -> list[Lineage]:
        """The samples of `beams`, with the program of each plan run and repaired.

        Raises:
            ModelUserError: the server gives no token ids or no log probabilities.
            As `Strategy`.
        """
        for number in beams:
            plan = await plan_for(number, self.problem, self.context)
            self._requests[number] = first_sample(self.problem, self.context, number, plan)
        found: dict[int, Written | CallError] = {}
        parents = dict.fromkeys(beams, Written())
        for step in range(self.steps - 1):
            if not parents:
                break
            made = await grow_together([*parents], partial(self._extend, parents, step))
            states: list[State] = []
            for number, state in zip([*parents], made, strict=True):
                if isinstance(state, CallError):
                    found[number] = state
                elif state[1].stopped_by != BLANK:
                    found[number] = state[1]
                else:
                    states.append(state)
            kept = self._keep_best(states)
            going = [number for number in parents if number not in found]
            parents = {number: kept[place % len(kept)] for place, number in enumerate(going)}
        found |= parents
        begun = await grow_together(list(beams), partial(self._end, found))
        return list(await develop_in_rounds(begun, self.problem, self.context))

    def _keep_best(self, states: Sequence[State]) -> list[Written]:
        """The best states, best first, equal ones once."""
        distinct: dict[tuple[int, ...], Written] = {}
        for _, written in sorted(states, key=lambda state: -state[0]):  # of equals the first beam's
            distinct.setdefault(written.output, written)
        return list(distinct.values())[: 1 if self.keeps_one else -(-len(states) // self.width)]

    async def _extend(self, parents: dict[int, Written], step: int, number: int) -> State | CallError:
        """A child of a beam's parent, or why there is none."""
        request = self._requests[number]
        try:
            made = await self._write(request, parents[number], f"step-{step}")
            last = made
            for ahead in range(self.lookahead):
                if last.stopped_by != BLANK:
                    break
                cold = replace(request, temperature=0.0)
                last = await self._write(cold, last, f"step-{step}/ahead-{ahead}")
        except CallError as error:
            return error
        return last.logprob, made

    async def _write(self, request: Request, written: Written, ordinal: str) -> Written:
        purpose = replace(request.purpose, ordinal=ordinal)
        stops = (BLANK, FENCE)
        return await write_on(self.context.model, request, written, purpose, stops=stops, flag=FLAG)

    async def _end(self, found: dict[int, Written | CallError], number: int) -> Lineage:
        """The sample whose answer begins with what was found."""
        return await make_sample(number, self.problem, self.context, found[number], self._go_on)

    async def _go_on(self, request: Request, written: Written) -> Answer:
        if written.goes_on:
            written = await write_on(self.context.model, request, written, request.purpose, flag=FLAG)
        return written.as_answer()
