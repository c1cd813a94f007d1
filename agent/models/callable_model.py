"""A function of chat messages as a model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import Answer
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Request

Chat = Callable[[list[dict[str, str]]], Awaitable[str]]
"""The messages of a chat, each with `role` and `content` -> the answer's text."""


class CallableModel:
    """Asks `function`, and samples as it likes.

    Raises:
        UserError: it returned something else than text.
    """

    def __init__(self, function: Chat) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self._function = function

    async def ask(self, request: Request) -> Answer:
        """The answer to the messages of `request`."""
        text = await self._function(
            [{"role": message.role, "content": message.content} for message in request.messages]
        )
        if not isinstance(text, str):
            raise UserError(f"the model {self.name} returned {type(text).__name__}; it must return a str")
        return Answer(text=text, model=self.name)
