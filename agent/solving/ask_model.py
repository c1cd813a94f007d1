"""Selection's questions put to a model: the prompt is rendered, a failed call is no evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.models import Purpose, Request, Stage
from sstar_code.agent.models.errors import CallError
from sstar_code.selection import Question, Reply

if TYPE_CHECKING:
    from sstar_code.agent.models import Model
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.problems import Problem

__all__ = ["Asking"]

_STAGES = {
    Question.INPUTS: Stage.INPUTS,
    Question.DISTINGUISH: Stage.INPUTS,
    Question.TESTS: Stage.INPUTS,
    Question.JUDGE: Stage.JUDGE,
    Question.COMPARE: Stage.JUDGE,
    Question.KIT: Stage.INPUTS,
    Question.REFERENCE: Stage.INPUTS,
    Question.CHOOSE: Stage.JUDGE,
}


@dataclass(frozen=True, slots=True)
class Asking:
    """Implements `selection.Ask` over a model and the prompt templates."""

    model: Model
    prompts: Prompts
    seed: int
    max_tokens: int
    temperature: float = 0.0
    """Questions want the likeliest answer, not a varied one."""

    async def __call__(
        self, question: Question, problem: Problem, ordinal: str, **values: Any
    ) -> Reply | None:
        """The reply, or None where this call failed for good; an endpoint that is down raises."""
        request = Request(
            messages=self.prompts.render(question.value, problem=problem, **values),
            purpose=Purpose(problem.id, _STAGES[question], ordinal=f"{question.value}/{ordinal}"),
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            seed=self.seed,
        )
        try:
            answer = await self.model.ask(request)
        except CallError:
            return None
        return Reply(answer.text, (answer.usage.prompt or 0) + (answer.usage.output or 0))
