"""A model whose answers are written down beforehand: for tests and experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anyio.lowlevel import checkpoint

from sstar_code.agent.models.request import Answer, CallError, Request

Scripted = str | Answer | Exception
"""An answer's text, an answer, or what `ask` raises."""


class ScriptedModel:
    """Answers with `answers`: a function of the request, or a sequence in the order of asking.

    Args:
        answers: what to answer; a sequence that has run out is a failed call.
        name: the model's name.
    """

    def __init__(
        self, answers: Callable[[Request], Scripted] | Sequence[Scripted], *, name: str = "scripted"
    ) -> None:
        self.name = name
        self.requests: list[Request] = []
        """Everything asked, in order."""
        self._answers = answers

    async def ask(self, request: Request) -> Answer:
        """The scripted answer.

        Raises:
            Exception: the scripted one, or CallError where the script has run out.
        """
        place = len(self.requests)
        self.requests.append(request)
        await checkpoint()
        if callable(self._answers):
            answer = self._answers(request)
        elif place < len(self._answers):
            answer = self._answers[place]
        else:
            raise CallError(f"the script has {len(self._answers)} answers, this is call {place + 1}")
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(text=answer, model=self.name)
