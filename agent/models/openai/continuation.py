"""Prompts that are continued as they are: token ids and texts in, the text that follows out.

The endpoint is `/v1/completions`, which takes a list of token ids as its prompt. Texts among them are turned
into ids by the server's own `/tokenize`, as vLLM has it: what was generated stays token for token what it
was, and only what is written for the model is tokenized.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from sstar_code.agent.models.request import CallError

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Request


class PromptEncoder:
    """Makes one list of token ids of pieces; a text that was seen before is not asked for again.

    Args:
        read_page: gives the text that the server answers to a body at a path beside `/v1`, or None.
        model: the model's name.
    """

    def __init__(self, read_page: Callable[[str, dict[str, Any]], Awaitable[str | None]], model: str) -> None:
        self._read_page = read_page
        self._model = model
        self._known: dict[str, list[int]] = {}

    async def encode(self, pieces: Iterable[object]) -> list[int]:
        """The ids of `pieces`, ids and texts, in order.

        Raises:
            CallError: the server does not say how it tokenizes.
        """
        ids: list[int] = []
        for piece in pieces:
            ids += [piece] if isinstance(piece, int) else await self._encode_text(str(piece))
        return ids

    async def _encode_text(self, text: str) -> list[int]:
        if text not in self._known:
            body = {"model": self._model, "prompt": text, "add_special_tokens": False}
            try:
                ids = json.loads(await self._read_page("/tokenize", body) or "{}").get("tokens")
            except (ValueError, AttributeError):
                ids = None
            if not isinstance(ids, list) or not all(isinstance(item, int) for item in ids):
                raise CallError("the server has no /tokenize beside /v1, so nothing can be put into a prompt")
            self._known[text] = ids
        return self._known[text]


def make_text_body(body: dict[str, Any], prompt: list[int]) -> dict[str, Any]:
    """The body of a completion, from that of a chat call with the same settings."""
    kept = {name: value for name, value in body.items() if name not in ("messages", "prompt")}
    if kept.get("logprobs") is True:
        kept["logprobs"] = kept.pop("top_logprobs", 0)
    if "max_completion_tokens" in kept:
        kept["max_tokens"] = kept.pop("max_completion_tokens")
    return {**kept, "prompt": prompt}


def drop_known(answer: Answer, request: Request) -> Answer:
    """The answer without the ids of a prompt that the request holds as ids: the store has them once."""
    prompt = cast("list[object]", request.extra.get("prompt", ()))
    if answer.tokens is None or not any(isinstance(piece, int) for piece in prompt):
        return answer
    return replace(answer, tokens=replace(answer.tokens, prompt=()))
