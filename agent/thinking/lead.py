"""Budget forcing: thinking that ends too early is gone on with, and thinking that is too long is ended.

Source: s1 (arXiv 2501.19393). The end of thinking is taken away and "Wait" put in its place, up to K times or
until there are enough tokens; thinking that reaches its most is ended by the tag. s1 asks for a final answer
in so many words there, which a program does not need. Two departures: a forced thought of fewer than ten
characters is the last, since the model has nothing to add; and in place of "Wait" may stand evidence, what
the draft program in the thinking does on the public tests. A draft that passes them all ends the thinking.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import anyio

from sstar_code.agent.calls.roles import role_of
from sstar_code.agent.generation.feedback import describe_failures, summarize_tests
from sstar_code.agent.models.request import Stage
from sstar_code.agent.models.thinking import END_OF_THINKING
from sstar_code.agent.prompts.templates import render_macro
from sstar_code.agent.telemetry.events import working_on
from sstar_code.agent.thinking.confidence import WatchedSamples
from sstar_code.agent.thinking.continuing import Draft, find_way
from sstar_code.agent.thinking.drafts import list_drafts
from sstar_code.agent.thinking.loops import PIECE, is_looping
from sstar_code.agent.thinking.switch import find_switch_tokens, think_on
from sstar_code.agent.thinking.uncertainty import ScaledSteps
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from collections.abc import Collection

    from sstar_code.agent.models.request import Answer, Model, Request
    from sstar_code.agent.thinking.continuing import Way
    from sstar_code.agent.thinking.options import Thinking
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox

_STAGES = (Stage.GENERATE, Stage.DEBUG)
_LEAST_ADDED = 10
"""Characters of a forced thought below which no other is forced."""
_MOST_FORCED = 32
"""Times that thinking is gone on with for the sake of its least length."""
_FEEDBACK_CHARS = 1_500
_CONTROL = re.compile(r"<(?=[|/]|think|tool|s>)|\[(?=/?INST)")
"""What may begin a token that commands a model, in a text that a program has written."""


@runtime_checkable
class _Withdrawing(Protocol):
    def cancel(self, problem_id: str, samples: Collection[int] | None = None) -> int: ...


def _is_for_program(request: Request) -> bool:
    """Whether a program is asked for, one that the model may think about first."""
    purpose = request.purpose
    is_text = purpose.ordinal == "ideas" or role_of(purpose) == "feedback"
    return purpose.stage in _STAGES and not is_text and not request.extra.get("continue_final_message")


class LedModel:
    """Asks `model` for programs of `problem` so that their thinking is as `thinking` says.

    Other questions go through as they are, and so do answers that begin with a given text. `samples` is how
    many first samples there are at most.
    """

    def __init__(
        self, model: Model, problem: Problem, sandbox: Sandbox, thinking: Thinking, *, samples: int = 1
    ) -> None:
        self.name = model.name
        self._model = model
        self._problem = problem
        self._sandbox = sandbox
        self._thinking = thinking
        plan = thinking.confidence
        self._watched = None if plan is None else WatchedSamples(model, plan, samples)
        self._way: Way | None = None
        self._switches: tuple[int, ...] = ()
        self._finding = anyio.Lock()

    def cancel(self, problem_id: str, samples: Collection[int] | None = None) -> int:
        """As `StoredModel.cancel`, where the model can; else nothing is withdrawn."""
        return self._model.cancel(problem_id, samples) if isinstance(self._model, _Withdrawing) else 0

    async def ask(self, request: Request) -> Answer:
        """Answer `request`, in several calls of the model; their tokens and seconds are added up.

        Raises:
            ModelUserError: the model does not think, or the server cannot continue.
            ModelError: as `Model.ask`.
        """
        if self._watched is not None and self._watched.wants(request):
            return await self._watched.ask(request)
        if self._watched is not None or not _is_for_program(request):
            return await self._model.ask(request)
        if self._thinking.mur is not None:
            return await ScaledSteps(self._model, request, self._thinking.mur).ask()
        return await self._lead(request)

    async def _lead(self, request: Request) -> Answer:
        """The answer to a call for a program, whose thinking is led."""
        async with self._finding:
            if self._way is None:
                self._way = await find_way(self._model, self._problem.id)
            if self._thinking.penalty is not None and not self._switches:
                self._switches = await find_switch_tokens(self._model, self._problem.id, self._way)
        limit = request.max_tokens
        most = self._thinking.most
        budget = most if limit is None else limit if most is None else min(most, limit)
        draft = Draft(self._model, request, self._way)
        await self._think(draft, budget)
        if not draft.thinks:
            return replace(draft.answers[0], tokens=None)
        await self._force(draft, budget)
        if draft.is_over and not draft.ended:
            return draft.close(draft.answers[-1].finish_reason)
        if not draft.ended:
            if (most is None or most == limit) and not draft.loops:
                return draft.close("length")
            draft.write(END_OF_THINKING)
        left = None if limit is None else limit - draft.used
        return draft.close("length") if left is not None and left <= 0 else await draft.answer(left)

    async def _think(self, draft: Draft, budget: int | None) -> None:
        """Let the model think until it ends its thinking, has `budget` tokens in all, or repeats itself."""
        thinking = self._thinking
        while True:
            end = budget
            if thinking.cuts_loops:
                end = draft.used + PIECE if budget is None else min(budget, draft.used + PIECE)
            if thinking.penalty is not None:
                await think_on(draft, end, thinking.penalty, self._switches)
            else:
                await draft.think(None if end is None else end - draft.used)
            draft.loops = thinking.cuts_loops and not draft.is_over and is_looping(draft.thinking)
            if draft.is_over or draft.loops or end == budget or not draft.thinks:
                return

    async def _force(self, draft: Draft, budget: int | None) -> None:
        """Go on with thinking that ended, as often and as long as is asked for."""
        thinking, tried, forced = self._thinking, "", 0
        while draft.ended and (budget is None or draft.used < budget):
            is_short = thinking.least is not None and draft.used < thinking.least and forced < _MOST_FORCED
            if forced >= thinking.waits and not is_short:
                return
            words, is_right = thinking.wait, False
            if thinking.executes:
                drafts = list_drafts(draft.thinking, self._problem)
                if drafts and drafts[-1].code != tried:
                    tried = drafts[-1].code
                    words, is_right = await self._execute(tried, draft.request)
            before = draft.thinking
            draft.write(("" if before.endswith("\n") else "\n") + words)
            if is_right:
                draft.write("\n</think>\n\n")
                draft.ended = True
                return
            start = len(draft.thinking)
            await self._think(draft, budget)
            forced += 1
            if len(draft.thinking[start:].strip()) < _LEAST_ADDED:
                return

    async def _execute(self, code: str, request: Request) -> tuple[str, bool]:
        """What `code` does on the public tests, in words, and whether it passes them all."""
        problem = self._problem
        with working_on(problem.id, request.purpose.stage):
            report = await run_tests(self._sandbox, problem, code, problem.public_tests)
        is_right = bool(problem.public_tests) and report.passed == report.total
        notes = describe_failures(problem, code, report, max_chars=_FEEDBACK_CHARS)
        text = render_macro(
            "feedback.j2",
            "executed",
            summarize_tests(problem, report),
            notes[:1],
            is_right,
            self._thinking.wait,
        )
        return _CONTROL.sub(lambda found: f"{found[0]} ", text), is_right
