"""What goes over the wire: addresses, requests, answers, and what a refusal means.

Reading is tolerant. Servers differ in where thinking stands (`reasoning`, `reasoning_content`, inline tags),
in which counts they give and in what an empty answer looks like; none of that may cost an answer.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from sstar_code.agent.models.request import Answer, CallError, ContextError, Message, ModelUserError, Usage

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Request
    from sstar_code.problems import SstarError

DEFAULT_BASE_URL = "http://localhost:8000/v1"


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The answer of a server that was asked what it serves."""

    url: str
    """Base URL, without credentials."""
    models: tuple[str, ...]
    """Empty where the server does not list them."""
    max_model_len: int | None
    """Tokens that prompt and answer of the chosen model may have together."""
    version: str | None
    """`vllm 0.32.0`; None for a server that does not say."""
    seconds: float
    """Seconds that the answer took."""

    def as_json(self) -> dict[str, Any]:
        """The part that the manifest keeps."""
        return {"url": self.url, "version": self.version, "max_model_len": self.max_model_len}


def parse_base_url(base_url: str) -> str:
    """`base_url` without a closing slash.

    Raises:
        ModelUserError: not an http or https address.
    """
    text = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ModelUserError(f"--base-url {base_url!r} is not an address like {DEFAULT_BASE_URL}")
    return text


def show_url(base_url: str) -> str:
    """`base_url` fit for a message: no user name, password or query."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_loopback(base_url: str) -> bool:
    """Whether the server is on this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_private(base_url: str) -> bool:
    """Whether the server's address is one that only its own network knows."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return is_loopback(base_url) or "." not in host or host.endswith((".local", ".internal", ".lan"))


def read_models(body: str) -> dict[str, dict[str, Any]]:
    """The models in a `GET /models` response by name, in its order; empty where it is not one."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    entries = data.get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return {}
    return {
        entry["id"]: entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


def serves(name: str, served: Iterable[str]) -> bool:
    """Whether `name` is among the `served`, with or without a gateway's prefix or variant suffix."""
    plain = name.partition(":")[0]
    return any(known in (name, plain) or known.endswith(f"/{name}") for known in served)


_MAX_MESSAGE = 300
_MAX_LISTED = 20
_TOO_LONG = re.compile(
    r"context (?:length|size|window)|max_model_len|too many tokens|prompt is too long|supports at most",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:context (?:length|size|window)|max_model_len|supports at most)[^\d]{0,12}(\d{2,})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response, read."""

    status: int
    message: str
    """One line, capped."""
    code: str = ""
    param: str = ""


def read_refusal(status: int, body: str, *, secret: str = "") -> Refusal:
    """The refusal in `body`: OpenAI's error object, FastAPI's `detail`, or any text, without the `secret`."""
    code = param = ""
    message: object = body
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if isinstance(data, dict):
        inner = data.get("error", data)
        if isinstance(inner, dict):
            message = inner.get("message") or inner.get("detail") or body
            code, param = str(inner.get("code") or ""), str(inner.get("param") or "")
        else:
            message = inner
    line = " ".join(str(message).split())
    if secret:
        line = line.replace(secret, "***")
    short = line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"
    return Refusal(status, short or "no message", code, param)


def refuses_field(refusal: Refusal, field: str) -> bool:
    """Whether the server does not know `field` at all, as distinct from not liking its value."""
    if refusal.status not in (400, 422):
        return False
    if refusal.code == "unsupported_parameter":
        return refusal.param == field
    return re.search(rf"['\"`]?{field}['\"`]? is not supported", refusal.message) is not None


def _is_too_long(refusal: Refusal) -> bool:
    """Whether prompt and answer do not fit the model."""
    if refusal.status == 413 or refusal.code in ("context_length_exceeded", "exceed_context_size_error"):
        return True
    return refusal.status in (400, 422) and (
        refusal.param == "input_tokens" or _TOO_LONG.search(refusal.message) is not None
    )


def _explain_too_long(refusal: Refusal, url: str, max_tokens: int | None) -> SstarError:
    found = _LIMIT.search(refusal.message)
    limit = int(found[1]) if found else None
    takes = f"the model takes {limit} tokens" if limit else "longer than the model takes"
    if limit and max_tokens and max_tokens >= limit:
        return ModelUserError(
            f"{url}: {takes}, prompt and answer together, and {max_tokens} are asked for the answer alone: "
            "lower --max-tokens or serve the model with a larger --max-model-len"
        )
    asked = f" with --max-tokens {max_tokens}" if max_tokens else ""
    return ContextError(
        f"prompt too long{asked}: {takes}; lower --max-tokens or --rounds, or serve the model with a larger "
        f"--max-model-len ({refusal.message})",
        limit,
    )


def explain(
    refusal: Refusal, *, url: str, key_name: str, has_key: bool, max_tokens: int | None
) -> SstarError:
    """The error for a `refusal` that no retry mends; 404 is the client's, who can list what is served.

    Args:
        refusal: what the server said.
        url: the base URL, without credentials.
        key_name: where the key comes from, like `OPENAI_API_KEY`.
        has_key: whether a key was sent.
        max_tokens: what was asked for.
    """
    status, message = refusal.status, refusal.message
    if status in (401, 403):
        advice = (
            f"the key in {key_name} is wrong or may not use this model"
            if has_key
            else f"it wants a key: set {key_name}"
        )
        return ModelUserError(f"{url} answered {status}: {advice} ({message})")
    if refusal.code == "insufficient_quota" or status == 402:
        return ModelUserError(f"{url} answered {status}: no quota left for the key in {key_name} ({message})")
    if _is_too_long(refusal):
        return _explain_too_long(refusal, url, max_tokens)
    if refusal.code == "content_filter":
        return CallError(f"{url} refused the prompt: {message}")
    if 300 <= status < 400:
        return ModelUserError(
            f"{url} answered {status}, a redirect: give the address it leads to as --base-url"
        )
    return ModelUserError(f"{url} refused the request ({status}): {message}")


def explain_missing(refusal: Refusal, url: str, name: str, served: tuple[str, ...]) -> str:
    """Explain in one line that a model or address is not there; `served` are the models that are."""
    if not served:
        return (
            f"{url} answered 404 ({refusal.message}): wrong model name {name!r}, or not the "
            "address of an OpenAI-compatible server, which mostly ends in /v1"
        )
    more = f" and {len(served) - _MAX_LISTED} more" if len(served) > _MAX_LISTED else ""
    return f"{url} does not serve {name!r}; it serves: {', '.join(served[:_MAX_LISTED])}{more}"


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
