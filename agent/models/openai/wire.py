"""The chat-completions format: how a request is written and how an answer is read, whoever the server is.

Reading is tolerant. Servers differ in where thinking stands (`reasoning`, `reasoning_content`, inline tags),
in which counts they give and in what an empty answer looks like; none of that may cost an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from sstar_code.agent.models.request import Answer, Message, Usage

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Request

SystemRole = Literal["system", "developer", "user"]
MaxTokensField = Literal["max_tokens", "max_completion_tokens"]

_OPEN = "<think>"
# A quote right after the tag means that the answer talks about it, as a program that parses tags does.
_CLOSE = re.compile(r"</think>(?![\"'`])")


def _drop_surrogates(text: str) -> str:
    """Text that UTF-8 can carry: programs print, and models escape, halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _place_system(messages: tuple[Message, ...], role: SystemRole) -> list[dict[str, str]]:
    """System messages under the `role` that the model takes; `user`: before the first user message's text."""
    plain = [{"role": message.role, "content": _drop_surrogates(message.content)} for message in messages]
    if role != "user":
        return [message | {"role": role} if message["role"] == "system" else message for message in plain]
    system = [message["content"] for message in plain if message["role"] == "system"]
    rest = [message for message in plain if message["role"] != "system"]
    if not system:
        return rest
    first = next((message for message in rest if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": "\n\n".join(system)}, *rest]
    first["content"] = "\n\n".join([*system, first["content"]])
    return rest


def build_body(
    request: Request, model: str, *, system_role: SystemRole, max_tokens_field: MaxTokensField
) -> dict[str, Any]:
    """The JSON body for `request`; what is None or empty is left to the server."""
    body: dict[str, Any] = {"model": model, "messages": _place_system(request.messages, system_role)}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        body[max_tokens_field] = request.max_tokens
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    return body | request.extra


def split_thinking(content: str) -> tuple[str, str]:
    """`content` as (text, thinking), where the model thinks aloud between `<think>` and `</think>`.

    A closing tag alone ends thinking that the chat template began. An opening tag alone is thinking that was
    cut: there is no text. Content without tags is the text, unchanged.
    """
    thoughts: list[str] = []
    text = content
    while True:
        opened = text.lstrip().startswith(_OPEN)
        closing = _CLOSE.search(text)
        if not opened and (closing is None or thoughts):
            return text, "\n".join(thoughts)
        start = text.index(_OPEN) + len(_OPEN) if opened else 0
        if closing is None:
            thoughts.append(text[start:].strip())
            return "", "\n".join(thoughts)
        thoughts.append(text[start : closing.start()].strip())
        text = text[closing.end() :].lstrip()


def _read_text(content: object) -> str:
    if isinstance(content, str):
        return _drop_surrogates(content)
    if isinstance(content, list):  # some servers answer in parts
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return _drop_surrogates("".join(part for part in parts if isinstance(part, str)))
    return ""


def _read_count(data: Any, *path: str) -> int | None:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, int) and not isinstance(data, bool) else None


def read_answer(data: dict[str, Any], *, model: str, seconds: float, opened: bool = False) -> Answer:
    """The answer in a chat-completions response; no choice or no content is an empty text, never an error.

    Args:
        data: the response's JSON object.
        model: the name asked for, kept where the response has none.
        seconds: how long the call took.
        opened: the model's template opens `<think>`, so an answer that was cut before any `</think>` is all
            thinking.
    """
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    choice = choice if isinstance(choice, dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    text = _read_text(message.get("content"))
    reasoning = _read_text(message.get("reasoning") or message.get("reasoning_content"))
    finish_reason = str(choice.get("finish_reason") or "unknown")
    if not reasoning:
        if opened and finish_reason == "length" and not _CLOSE.search(text):
            text = _OPEN + text.lstrip().removeprefix(_OPEN)
        text, reasoning = split_thinking(text)
    usage = data.get("usage")
    return Answer(
        text=text,
        reasoning=reasoning,
        finish_reason=finish_reason,
        usage=Usage(
            prompt=_read_count(usage, "prompt_tokens"),
            cached=_read_count(usage, "prompt_tokens_details", "cached_tokens"),
            output=_read_count(usage, "completion_tokens"),
            reasoning=_read_count(usage, "completion_tokens_details", "reasoning_tokens"),
        ),
        model=str(data.get("model") or model),
        seconds=seconds,
    )
