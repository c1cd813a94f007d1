"""Explains an HTTP refusal in one line that says what to do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.models.errors import CallError, ContextError, ModelUserError

if TYPE_CHECKING:
    from sstar_code.problems import SstarError

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
