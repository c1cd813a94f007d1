"""Ends thinking in time: by the server's own budget where it has one, else by writing the end for the model.

What a server says it does is not believed. One short question is asked with a budget, and the thinking that
comes back is counted; the other way is tried in the same manner. Where neither holds, the caller is told so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import (
    Answer,
    CallError,
    Message,
    ModelUserError,
    Purpose,
    Request,
    Stage,
    Usage,
)

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Model

END_OF_THINKING = "\n\nI have to answer now.\n</think>\n\n"
"""The text that is written for a model to end its thinking."""

QUESTION = "How many primes are there below 60? Think step by step, check each number, then answer."
_BUDGET = 24
_SLACK = 40
"""Tokens of the closing phrase, and of what a server counts otherwise."""


class Cap(StrEnum):
    """The way of ending thinking that was seen to work."""

    SERVER = "the server ends thinking itself"
    CONTINUE = "thinking is ended by writing its end and asking again"
    UNSEEN = "the model did not think when asked to, so whether a cap would hold was not seen"
    NONE = "thinking cannot be capped here"


def _with_budget(request: Request, tokens: int) -> Request:
    """`request` with vLLM's field for the thinking that a server allows."""
    return replace(request, extra={**request.extra, "thinking_token_budget": tokens})


def _count_thinking(answer: Answer) -> float:
    """Tokens that went into thinking: as the server counted, else by its share of the characters."""
    if answer.usage.reasoning is not None:
        return answer.usage.reasoning
    written = len(answer.reasoning) + len(answer.text)
    return (answer.usage.output or 0) * len(answer.reasoning) / written if written else 0.0


async def probe_cap(ask: Callable[[Request], Awaitable[Answer]]) -> Cap:
    """Which way of ending thinking works at the server behind `ask`; some hundred tokens are spent."""
    question = Request(
        (Message("user", QUESTION),),
        Purpose("", Stage.GENERATE),
        temperature=0.7,
        max_tokens=_BUDGET + 160,
        seed=0,
    )
    seen = False
    try:
        answer = await ask(_with_budget(question, _BUDGET))
    except (ModelUserError, CallError):
        pass  # it knows no budget
    else:
        seen = bool(answer.reasoning)
        if seen and _count_thinking(answer) <= _BUDGET + _SLACK:
            return Cap.SERVER
    try:
        first = await ask(replace(question, max_tokens=_BUDGET))
        if not first.is_cut_thinking:
            return Cap.NONE if seen or first.reasoning else Cap.UNSEEN
        second = await ask(_continue(question, first, 64))
    except (ModelUserError, CallError):
        return Cap.NONE
    return Cap.CONTINUE if was_read(first, second) else Cap.NONE


def _continue(request: Request, first: Answer, max_tokens: int | None) -> Request:
    """The request that goes on where `first` was cut: in the answer, or after thinking that is ended here."""
    text = f"<think>\n{first.reasoning}{END_OF_THINKING}" if first.is_cut_thinking else first.text
    return replace(
        request,
        messages=(*request.messages, Message("assistant", text)),
        max_tokens=max_tokens,
        extra={**request.extra, "continue_final_message": True, "add_generation_prompt": False},
    )


def was_read(first: Answer, second: Answer) -> bool:
    """Whether the model was shown its thinking, and answered: some templates drop what was thought before."""
    if first.usage.prompt is None or second.usage.prompt is None or first.usage.output is None:
        return False
    if first.usage.estimated or second.usage.estimated:
        return False  # what was worked out from the texts says nothing of what the model was shown
    shown = second.usage.prompt - first.usage.prompt
    return shown >= first.usage.output // 2 and bool(second.text or second.reasoning)


def _join(first: Answer, second: Answer) -> Answer:
    # A server that takes thinking out of the text takes all that follows a closed <think> for thinking too.
    rest = second.text or second.reasoning
    ended = first.is_cut_thinking
    return replace(
        second,
        text=rest if ended else first.text + rest,
        reasoning=first.reasoning + END_OF_THINKING.partition("</think>")[0] if ended else first.reasoning,
        usage=Usage(
            prompt=_add(first.usage.prompt, second.usage.prompt),
            cached=_add(first.usage.cached, second.usage.cached),
            output=_add(first.usage.output, second.usage.output),
            reasoning=first.usage.output if ended else first.usage.reasoning,
            estimated=first.usage.estimated or second.usage.estimated,
        ),
        seconds=first.seconds + second.seconds,
    )


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


class CappedModel:
    """Asks `model` so that it thinks `max_thinking` tokens at most, in the way that was seen to work."""

    def __init__(self, model: Model, cap: Cap, max_thinking: int) -> None:
        self.name = model.name
        self._model = model
        self._cap = cap
        self._max_thinking = max_thinking

    async def ask(self, request: Request) -> Answer:
        """Answer `request`; a second call ends its thinking where the server does not.

        Both calls count: their tokens and seconds are added up. An answer that does not think and is longer
        than `max_thinking` is continued in the same way.
        """
        if request.extra.get("continue_final_message") or request.continues_prompt:
            return await self._model.ask(request)  # it goes on behind what was thought
        if self._cap is Cap.SERVER:
            return await self._model.ask(_with_budget(request, self._max_thinking))
        limit, budget = request.max_tokens, self._max_thinking
        if self._cap is not Cap.CONTINUE or (limit is not None and limit <= budget):
            return await self._model.ask(request)
        first = await self._model.ask(replace(request, max_tokens=budget))
        if first.finish_reason != "length":
            return first
        rest = _continue(request, first, None if limit is None else limit - budget)
        return _join(first, await self._model.ask(rest))
