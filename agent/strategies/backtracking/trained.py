"""Self-backtracking by a model that was trained to write a token behind a line that it takes for wrong.

Source: Self-Backtracking (arXiv 2502.04404; LAMDASZ-ML/Self-Backtracking). k beams are sampled; of those that
end with the token the last line is dropped, and at most n = floor(sqrt(k)) of these states that were not
visited before are gone on with, b = 2 times.

Departures: k is `--n` and b is `--rounds`. The states that are kept are those whose beams have the largest
mean log probability; the beams without an answer go on behind them in turn. What ends with the token after
all steps is an answer without its last line. The answer is chosen by `--select`, which runs the programs, not
by summed log probabilities of equal ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from sstar_code.agent.generation.develop import first_sample
from sstar_code.agent.generation.plans import plan_for
from sstar_code.agent.generation.written import write_whole
from sstar_code.agent.models.request import CallError, ModelUserError
from sstar_code.agent.models.think_tags import split_thinking
from sstar_code.agent.strategies.found import make_sample
from sstar_code.agent.strategies.sample import grow_together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem


@dataclass(frozen=True, slots=True)
class Beam:
    """An answer, from its first line on."""

    prompt: tuple[int, ...]
    text: str
    logprob: float
    """The mean log probability of the tokens of the last piece."""
    steps_back: bool
    """Whether it ends with the token, which its text is without."""
    answer: Answer

    @property
    def rolled_back(self) -> str:
        """The text without its last line, which has an end or not."""
        return self.text[: self.text.rstrip("\n").rfind("\n") + 1]


@dataclass(slots=True)
class TrainedBacktracking:
    """The search for one problem.

    Args:
        problem: what is solved.
        context: with a model that gives token ids and has `token`.
        token: the token, as text.
        kept: states that are gone on with after each rollback; 0: as many as the root of `--n`, rounded down.
    """

    problem: Problem
    context: SolveContext
    token: str
    kept: int = 0
    _requests: dict[int, Request] = field(default_factory=dict)
    _visited: set[str] = field(default_factory=set)

    async def search(self) -> list[Lineage]:
        """The samples, of one program each.

        Raises:
            ModelUserError: the server gives no token ids or no log probabilities.
            As `Strategy`.
        """
        numbers = range(self.context.settings.n)
        for number in numbers:
            plan = await plan_for(number, self.problem, self.context)
            self._requests[number] = first_sample(self.problem, self.context, number, plan)
        made = await grow_together(numbers, self._begin)
        beams: dict[int, Beam | CallError] = dict(zip(numbers, made, strict=True))
        for step in range(1, self.context.settings.rounds + 1):
            going = {one: beam for one, beam in beams.items() if isinstance(beam, Beam) and beam.steps_back}
            states = self._keep_best(list(going.values()))
            if not states:
                break
            parents = dict(zip(going, cycle(states), strict=False))
            grown = await grow_together(list(going), partial(self._go_on, parents, step))
            beams |= zip(going, grown, strict=True)
        return list(await grow_together(numbers, partial(self._end, beams)))

    def _keep_best(self, beams: Sequence[Beam]) -> list[Beam]:
        """The surest beams whose state, a line back, was not visited yet; one of each state."""
        states: dict[str, Beam] = {}
        for beam in sorted(beams, key=lambda beam: -beam.logprob):  # of equals the first
            if beam.rolled_back not in self._visited:
                states.setdefault(beam.rolled_back, beam)
        best = list(states)[: self.kept or math.isqrt(self.context.settings.n)]
        self._visited.update(best)
        return [states[text] for text in best]

    async def _begin(self, number: int) -> Beam | CallError:
        return await self._ask(self._requests[number], None, "begin")

    async def _go_on(self, parents: Mapping[int, Beam], step: int, number: int) -> Beam | CallError:
        return await self._ask(self._requests[number], parents[number], f"back-{step}")

    async def _ask(self, request: Request, parent: Beam | None, name: str) -> Beam | CallError:
        """A whole answer, or what it is up to the token; behind `parent` a line back."""
        text = "" if parent is None else parent.rolled_back
        extra = {**request.extra, "return_token_ids": True, "logprobs": True, "skip_special_tokens": False}
        asked = replace(
            request,
            purpose=replace(request.purpose, ordinal=name),
            stop=(self.token,),
            extra=extra if parent is None else {**extra, "prompt": [*parent.prompt, *filter(None, [text])]},
            messages=request.messages if parent is None else (),
        )
        try:
            answer = await self.context.model.ask(asked)
        except CallError as error:
            return error
        tokens = answer.tokens
        prompt = parent.prompt if parent is not None else () if tokens is None else tokens.prompt
        if tokens is None or not prompt or tokens.logprob is None:
            raise ModelUserError(
                "--strategy backtrack:token=...: the server gives no token ids with log probabilities; serve "
                "the model with vLLM, or leave it out"
            )
        whole = write_whole(answer) if parent is None else text + answer.text
        return Beam(prompt, whole, tokens.logprob, tokens.stopped_by == self.token, answer)

    async def _end(self, beams: Mapping[int, Beam | CallError], number: int) -> Lineage:
        """The sample with the program of a beam."""
        return await make_sample(number, self.problem, self.context, beams[number], _answer_with)


async def _answer_with(_: Request, beam: Beam) -> Answer:
    text, reasoning = split_thinking(beam.rolled_back if beam.steps_back else beam.text)
    return replace(beam.answer, text=text, reasoning=reasoning, tokens=None)
