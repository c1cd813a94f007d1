"""Reads a response that claims success: is there a completion in it, and what does it say?

Reading is tolerant of form: a byte-order mark, comments and blank lines that keep a connection alive, a whole
stream of events where one object was asked for; thinking in `reasoning`, `reasoning_content` or tags. It is
strict in one thing: a response without a completion is never taken for an empty answer.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from sstar_code.agent.models.openai.adjustments import drop_surrogates
from sstar_code.agent.models.request import Answer, Tokens, Usage
from sstar_code.agent.models.think_tags import OPEN_TAG, has_end, split_thinking

_STREAM_FIELDS = ("data:", "event:", "id:", "retry:")
_MESSAGE_KEYS = ("content", "reasoning", "reasoning_content", "tool_calls", "function_call", "refusal")
_FAILED = ("error", "abort", "aborted")
_MAX_FAULT = 100
_CHARS_PER_TOKEN = 3.5
"""Bytes of UTF-8 text to a token: prose has more, code and other alphabets fewer."""


class NoCompletionError(Exception):
    """A response that claims success holds no completion; the text says what it holds."""

    def __init__(self, what: str, error: dict[str, Any] | None = None, *, is_json: bool = False) -> None:
        """Keep the object with the server's error where there is one.

        Args:
            what: a few words.
            error: an object as error responses hold it.
            is_json: it is an object of some kind, so that a server of an API wrote it.
        """
        super().__init__(what)
        self.error = error
        self.is_json = is_json


def read_completion(content: bytes, *, is_text: bool = False) -> dict[str, Any]:
    """The chat completion in a response's body; a text completion in the form of one, where `is_text`.

    Raises:
        NoCompletionError: there is none.
    """
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise NoCompletionError(_show(content.decode("latin-1"))) from None
    values = list(_read_values(text))
    objects = [value for value in values if isinstance(value, dict)]
    for data in objects if is_text else ():
        _write_as_chat(data)
    for data in objects:
        _raise_error(data)
    whole = next((data for data in objects if _has_message(data)), None)
    if whole is not None:
        _check_choice(whole["choices"][0])
        return whole
    if _is_stream(text):
        chunks = [data for data in objects if isinstance(data.get("choices"), list)]
        if any(
            "delta" in choice for data in chunks for choice in data["choices"] if isinstance(choice, dict)
        ):
            return _join(chunks, ended="[DONE]" in text)
    if not objects:
        raise NoCompletionError(_show(text))
    raise NoCompletionError(_describe(objects[0]), is_json=True)


def _write_as_chat(data: dict[str, Any]) -> None:
    choices = data.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(choice.get("text"), str):
            choice["message"] = {"role": "assistant", "content": choice.pop("text")}


def _show(text: str) -> str:
    return f"something that is not a chat completion: {' '.join(text[:_MAX_FAULT].split())!r}"


def _describe(data: dict[str, Any]) -> str:
    """What an object is that is no completion."""
    choices = data.get("choices")
    if data.get("type") == "message" or isinstance(data.get("content"), list):
        kind = "an answer of Anthropic's own API"
    elif "message" in data and "done" in data:
        kind = "an answer of Ollama's own API: the address ends in /v1"
    elif "candidates" in data:
        kind = "an answer of Gemini's own API: the address ends in /v1beta/openai"
    elif "choices" in data and not choices:
        kind = "a completion without a choice"
    elif choices:
        kind = "a completion without a message"
    else:
        return _show(json.dumps(data, ensure_ascii=False))
    return f"{kind}, which is not a chat completion: {json.dumps(data, ensure_ascii=False)[:_MAX_FAULT]}"


def _read_values(text: str) -> Iterator[Any]:
    """The JSON values in a body: one, or those of its events, without what only keeps a connection alive."""
    value = _read_json(text)
    if value is not _NONE:
        yield value
        return
    plain: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("data:"):
            payload = stripped.removeprefix("data:").strip()
            if payload and payload != "[DONE]" and (value := _read_json(payload)) is not _NONE:
                yield value
        elif stripped and not stripped.startswith((":", *_STREAM_FIELDS)):
            plain.append(line)
    value = _read_json("\n".join(plain)) if plain else _NONE
    if value is not _NONE:
        yield value


_NONE = object()


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NONE


def _is_stream(text: str) -> bool:
    return any(line.lstrip().startswith("data:") for line in text.splitlines())


def _raise_error(data: dict[str, Any]) -> None:
    """Raise where the object, or its first choice, is an error, also one in the middle of a stream."""
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    fault = data.get("error") or first.get("error")
    reply = data.get("base_resp")
    if fault:
        said = fault if isinstance(fault, dict) else {"message": str(fault)}
        text = said.get("message") or json.dumps(said, ensure_ascii=False)
        raise NoCompletionError(
            f"an error in place of a chat completion: {str(text)[:200]}", {"error": said}, is_json=True
        )
    if isinstance(reply, dict) and reply.get("status_code"):
        text = f"an error in place of a chat completion: {reply.get('status_msg')}"
        raise NoCompletionError(text, {"base_resp": reply}, is_json=True)
    if data.get("object") == "error" or ("detail" in data and not choices):
        text = data.get("message") or data.get("detail")
        raise NoCompletionError(
            f"an error in place of a chat completion: {str(text)[:200]}", data, is_json=True
        )


def _has_message(data: dict[str, Any]) -> bool:
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return False
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        return False
    return any(name in message for name in _MESSAGE_KEYS) or choice.get("finish_reason") is not None


def _check_choice(choice: dict[str, Any]) -> None:
    reason = str(choice.get("finish_reason") or "").lower()
    if reason in _FAILED:
        raise NoCompletionError(f"a chat completion that failed on the way ({reason})", is_json=True)


def _join(chunks: list[dict[str, Any]], *, ended: bool) -> dict[str, Any]:
    """The completion that the pieces of a stream make."""
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    reason, usage, model = None, None, None
    for data in chunks:
        usage, model = data.get("usage") or usage, data.get("model") or model
        for choice in data["choices"]:
            if not isinstance(choice, dict) or choice.get("index"):
                continue
            reason = choice.get("finish_reason") or reason
            delta = choice.get("delta")
            for name, piece in (delta if isinstance(delta, dict) else {}).items():
                if name == "tool_calls" and isinstance(piece, list):
                    _add_calls(calls, piece)
                elif name in _MESSAGE_KEYS and isinstance(piece, str):
                    message[name] = message.get(name, "") + piece
    if reason is None and not ended:
        raise NoCompletionError("a stream that was cut before its end", is_json=True)
    if calls:
        message["tool_calls"] = [calls[place] for place in sorted(calls)]
    choice = {"message": message, "finish_reason": reason}
    _check_choice(choice)
    if not message and reason is None:
        raise NoCompletionError("a stream without a piece of an answer", is_json=True)
    return {"choices": [choice], "usage": usage, "model": model}


def _add_calls(calls: dict[int, dict[str, Any]], pieces: list[Any]) -> None:
    for piece in pieces:
        function = piece.get("function") if isinstance(piece, dict) else None
        if isinstance(function, dict):
            place = piece.get("index") if isinstance(piece.get("index"), int) else 0
            known = calls.setdefault(place, {"function": {"arguments": ""}})
            known["function"]["arguments"] += str(function.get("arguments") or "")


def _read_text(content: object) -> str:
    if isinstance(content, str):
        return drop_surrogates(content)
    if isinstance(content, list):  # some servers answer in parts
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return drop_surrogates("".join(part for part in parts if isinstance(part, str)))
    return ""


def _read_thinking(message: dict[str, Any]) -> str:
    """The thinking that the server tells apart: in a field, or in parts of the content."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    thinking = [part.get("thinking") for part in parts if isinstance(part, dict)]
    field = message.get("reasoning") or message.get("reasoning_content")
    return _read_text(field) or "\n".join(filter(None, map(_read_text, thinking)))


def _read_calls(message: dict[str, Any]) -> str:
    """The arguments of the tools that the model calls, a call a line: a program may be among them."""
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) else [{"function": message.get("function_call")}]
    functions = [call.get("function") for call in calls if isinstance(call, dict)]
    given = [function.get("arguments") for function in functions if isinstance(function, dict)]
    texts = [item if isinstance(item, str) else json.dumps(item) for item in given if item]
    return drop_surrogates("\n".join(texts))


def _read_count(data: Any, *path: str) -> int | None:
    """A number of tokens; some servers write `100.0`."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    if isinstance(data, float) and math.isfinite(data) and data == int(data):
        data = int(data)
    return data if isinstance(data, int) and not isinstance(data, bool) and data >= 0 else None


def _read_ids(*given: Any) -> tuple[int, ...]:
    """The first list of token ids among `given`."""
    found = next((ids for ids in given if isinstance(ids, list) and ids), [])
    return tuple(item for item in found if isinstance(item, int))


def _read_tokens(data: dict[str, Any], choice: dict[str, Any]) -> Tokens | None:
    """Token ids and the reason of the end, as vLLM gives them; None where there are none of them."""
    stop = choice.get("stop_reason", choice.get("matched_stop"))
    tokens = Tokens(
        prompt=_read_ids(data.get("prompt_token_ids"), choice.get("prompt_token_ids")),
        output=_read_ids(choice.get("token_ids")),
        stopped_by=str(stop) if isinstance(stop, str | int) else "",
        **_read_logprobs(choice.get("logprobs")),
    )
    return tokens if tokens != Tokens() else None


def _read_logprobs(data: Any) -> dict[str, Any]:
    """`logprob` and `last` of `Tokens`, in a chat's form or in that of a text completion."""
    data = data if isinstance(data, dict) else {}
    content = data.get("content")
    if isinstance(content, list):
        entries = [entry for entry in content if isinstance(entry, dict)]
        values, texts = [entry.get("logprob") for entry in entries], [entry.get("token") for entry in entries]
    else:
        values, texts = data.get("token_logprobs"), data.get("tokens")
    numbers = [value for value in values or () if isinstance(value, int | float) and math.isfinite(value)]
    if not isinstance(values, list) or not isinstance(texts, list) or not numbers:
        return {}
    last = texts[-1] if texts else None
    return {"logprob": math.fsum(numbers) / len(numbers), "last": last if isinstance(last, str) else ""}


_NAMES_OPTION = re.compile(r"answer\b[^\w\n]*[:=]\W*(?=\w)", re.IGNORECASE)


def _read_options(data: Any, options: Sequence[str]) -> dict[str, float] | None:
    """How likely each of `options` is at the token with which the last `ANSWER: word` names one.

    A word may be several tokens: one that begins an option counts for it. None where no probabilities came.
    """
    content = data.get("content") if isinstance(data, dict) else None
    entries = [entry for entry in content or () if isinstance(entry, dict)] if options else []
    texts = [str(entry.get("token") or "") for entry in entries]
    named = list(_NAMES_OPTION.finditer("".join(texts)))
    if not named:
        return None
    ends = list(accumulate(map(len, texts)))
    entry = entries[bisect_right(ends, named[-1].end())]
    top = entry.get("top_logprobs")
    found = {
        str(item.get("token")): item.get("logprob")
        for item in (entry, *(top if isinstance(top, list) else ()))
        if isinstance(item, dict)
    }
    likely: dict[str, float] = {}
    for token, value in found.items():
        begun = "".join(_WORD.findall(token))
        option = next((word for word in options if _begins(word, begun)), None)
        if option is not None and isinstance(value, int | float) and value <= 0:
            likely[option] = likely.get(option, 0.0) + math.exp(value)
    return likely or None


_WORD = re.compile(r"\w+")


def _begins(option: str, text: str) -> bool:
    """Whether `text` is a letter that is an option, or begins a longer one."""
    return text == option if len(option) == 1 else bool(text) and option.lower().startswith(text.lower())


def read_answer(
    data: dict[str, Any],
    *,
    model: str,
    seconds: float,
    opened: bool = False,
    raw: bool = False,
    options: Sequence[str] = (),
) -> Answer:
    """The answer in a chat completion; no content is an empty text, never an error.

    Where there is no content, the text is what the model gives to a tool, or its refusal; then the
    `finish_reason` is `refusal`.

    Args:
        data: the response's JSON object.
        model: the name asked for, kept where the response has none.
        seconds: how long the call took.
        opened: the model's template opens `<think>`, so an answer that was cut before any `</think>` is all
            thinking.
        raw: the text is a part of an answer, so nothing in it is taken for thinking.
        options: `Request.options`.
    """
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    choice = choice if isinstance(choice, dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    text = _read_text(message.get("content"))
    reasoning = _read_thinking(message)
    finish_reason = str(choice.get("finish_reason") or "unknown")
    if not reasoning and not raw:
        if opened and finish_reason == "length" and not has_end(text):
            text = OPEN_TAG + text.lstrip().removeprefix(OPEN_TAG)
        text, reasoning = split_thinking(text)
    if not text.strip():
        refusal = _read_text(message.get("refusal"))
        finish_reason = "refusal" if refusal else finish_reason
        text = refusal or _read_calls(message) or text
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
        tokens=_read_tokens(data, choice),
        likely=_read_options(choice.get("logprobs"), options),
    )


def estimate_tokens(*texts: str) -> int:
    """About how many tokens `texts` are, where no server counts them: one for 3.5 bytes, and 4 a text."""
    return sum(4 + math.ceil(len(text.encode("utf-8", "replace")) / _CHARS_PER_TOKEN) for text in texts)
