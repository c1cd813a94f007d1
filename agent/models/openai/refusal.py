"""What a refusal of a server means, in whatever words it comes.

The words are those of vLLM, SGLang, TGI, llama.cpp, LM Studio, Ollama, LiteLLM, OpenRouter, OpenAI, Azure,
Anthropic, Gemini, Bedrock, Mistral, DeepSeek, DashScope, Zhipu, Moonshot, MiniMax, xAI, Groq, Together,
Cohere, Volcengine and Fireworks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.agent.models.request import CallError, ContextError, ModelUserError, UnclearRefusalError
from sstar_code.agent.models.scrub import scrub

if TYPE_CHECKING:
    from sstar_code.problems import SstarError

_MAX_MESSAGE = 300
_MOST_READ = 8_000
"""Characters of each of its parts that are read: servers repeat whole prompts after what they have to say."""
_MAX_LISTED = 20
REQUEST_STATUSES = frozenset({400, 403, 406, 409, 413, 422, 451, 500, 501})
"""Statuses of a response that may be about this one request; a server of poor manners says 500."""

_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window|limit)|max_model_len|max(?:imum)? model length"
    r"|too many (?:input )?tokens"
    r"|(?:prompt|inputs?|request|messages?|content|sequence|query)\b.{0,40}\btoo (?:long|large)"
    r"|supports at most(?! \d+ (?:completion|output|new) tokens)"
    r"|token count.{0,40}exceed"
    r"|max(?:imum)? (?:prompt|input|sequence|message|context|allowed content)[ _-]?(?:length|tokens|size)"
    r"|range of input length|model token limit|inputs?`? tokens \+|`inputs` must have"
    r"|reduce the length|longer than the (?:model|maximum)|number of tokens to keep|context the overflows"
    r"|(?:prompt|input|tokens)\b.{0,60}\bexceeds?\b.{0,40}\b(?:tokens|length|context|limit)"
    r"|length exceeds the|max_seq_len|max_total_tokens|tokens in request"
    r"|input length.{0,20}exceed|too large for model|超长|(?:输入|长度|token).{0,12}(?:超过|超出|过长)",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:context (?:length|size|window)|max_model_len|supports at most|model token limit)[^\d]{0,12}(\d{2,})",
    re.IGNORECASE,
)
_ANSWER_LIMIT = re.compile(
    r"max_(?:completion_|new_|output_)?tokens.{0,60}"
    r"(?:\bmaximum\b|too large|at most|range|less than|exceed|>)"
    r"|range of max_tokens",
    re.IGNORECASE,
)
_TOO_LONG_CODES = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",
        "string_above_max_length",
        "1261",
        "contextwindowexceedederror",
    }
)
_FILTERED = re.compile(
    r"content[ _-]?(?:filter|polic|moderat|inspection|management|safety|violat|exists risk)|moderation"
    r"|was flagged|flagged (?:as|by|for)|inappropriate content|data_?inspection_?failed"
    r"|usage (?:polic|guidelines)|safety (?:system|check|filter|polic|reason|setting)|safety_check|guardrail"
    r"|prohibited[ _]content|high risk|responsible ?ai|unsafe content"
    r"|(?:input|output|text|prompt).{0,20}\bsensitive|sensitivecontent|sensitive (?:word|content|information)"
    r"|blocked.{0,30}\b(?:safety|policy|content|prompt)|prompt.{0,20}\bblocked|harmful content|\bcsam\b"
    r"|(?:reject|block|refus|denied)\w*.{0,30}\bsafety|illegal (?:content|information)"
    r"|敏感|不安全|违规|违法|审核|安全策略",
    re.IGNORECASE,
)
_FILTER_CODES = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "data_inspection_failed",
        "invalid_prompt",
        "moderation_blocked",
        "cyber_policy_violation",
        "censorship_blocked",
        "prohibited_content",
        "safety",
        "1301",
        "1026",
        "1027",
    }
)
_QUOTA = re.compile(
    r"insufficient[ _](?:quota|balance|credits?|funds)|exceeded[ _](?:your )?current[ _]quota|arrearage"
    r"|out of credits"
    r"|requires more credits|credit balance is too low|billing (?:hard )?limit|余额不足|欠费",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?:invalid|incorrect|wrong|missing|expired|no) (?:api|authentication|auth)[ _-]?(?:key|token)"
    r"|api[ _-]?key.{0,30}\b(?:not valid|invalid|incorrect|expired|missing|required|not provided)"
    r"|api_key_invalid",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model\b.{0,80}\b(?:does not exist|not exist|not found|is not a valid model|not available)"
    r"|(?:invalid|unknown|no such) model\b|not a valid model",
    re.IGNORECASE,
)
_NO_SYSTEM = re.compile(
    r"system (?:role|prompt|message|instruction)s?\b.{0,40}(?:not|n't|unsupported|un?able)"
    r"|roles? must alternate|(?:unsupported|invalid|unknown|unexpected) role\W{0,4}(?:system|developer)"
    r"|(?:not|n't) support.{0,20}['\"`]?system|(?:developer|system) instructions? (?:is|are) not"
    r"|unsupported.{0,30}system role|only.{0,10}user.{0,20}assistant.{0,20}roles?|unexpected role.{0,5}system"
    r"|role.{0,40}['\"`](?:system|developer)['\"`]|role\b.{0,60}'user'(?: or |, ?)'assistant'",
    re.IGNORECASE,
)
_WANTS_STREAM = re.compile(
    r"only supports? (?:the )?stream|stream.{0,20}must be (?:set to )?true|仅支持流式", re.IGNORECASE
)
_WRONG_SCHEME = re.compile(r"http request (?:was sent )?to (?:an )?https (?:port|server)", re.IGNORECASE)
_WRONG_PATH = re.compile(
    r"unexpected endpoint|unknown (?:url|route|path)|no route|cannot post|not found", re.IGNORECASE
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response, read."""

    status: int
    message: str
    """One line, capped."""
    code: str = ""
    param: str = ""
    words: str = ""
    """All that the response says, capped far later: message, codes, names of fields."""
    fields: tuple[str, ...] = ()
    """Fields of the body that a validator names, like `seed` for `["body", "seed"]`."""
    is_page: bool = False
    """The response is a web page: a proxy, a firewall, or another kind of server."""

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern occurs in what the response says."""
        return pattern.search(self.words or self.message) is not None


def read_refusal(status: int, body: str, *, secret: str = "") -> Refusal:
    """The refusal in `body`: an error object in any of its forms, FastAPI's `detail`, or any text.

    What looks like a secret is blotted out, and the `secret` is.
    """
    data = _read(body)
    code = param = ""
    fields: list[str] = []
    parts: list[str] = []
    if isinstance(data, list) and data and isinstance(data[0], dict):
        data = data[0]  # Gemini
    message: object = body
    if isinstance(data, dict):
        inner = data.get("error", data)
        if isinstance(inner, str):
            inner = {**data, "message": inner}
        inner = inner if isinstance(inner, dict) else {"message": inner}
        reply = data.get("base_resp")  # MiniMax
        if isinstance(reply, dict):
            inner = {"message": reply.get("status_msg"), "code": reply.get("status_code"), **inner}
        message = inner.get("message") or inner.get("detail") or inner.get("msg") or body
        message = _flatten(message, fields)
        raw = inner.get("metadata")
        if isinstance(raw, dict):  # OpenRouter: the words of the provider behind it
            parts.append(json.dumps(raw, ensure_ascii=False))
            if raw.get("raw"):
                message = f"{message}: {raw['raw']}"
        code, param = str(inner.get("code") or ""), str(inner.get("param") or "")
        parts += [
            str(inner.get(name)) for name in ("type", "innererror", "status", "details") if inner.get(name)
        ]
        parts += [str(data.get(name)) for name in ("error_type", "code", "type") if data.get(name)]
    text = str(message)
    is_page = (
        data is None and re.match(r"\s*(?:<!doctype|<html|<\?xml|<head)", body, re.IGNORECASE) is not None
    )
    title = _TITLE.search(body[:_MOST_READ]) if is_page else None
    if title and title[1].strip():
        text = f"a web page: {title[1]}"
    line = " ".join(text[:_MOST_READ].split())
    line = scrub(line, [secret] if secret else ())
    if secret:
        line = line.replace(secret, "***")
    short = line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"
    words = " ".join([line, *(part[:_MOST_READ] for part in (code, param, *parts))])
    return Refusal(status, short or "no message", code, param, words, tuple(fields), is_page)


def _read(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _flatten(message: object, fields: list[str]) -> object:
    """A validator's list of faults as one text; the fields that it names are put into `fields`."""
    if isinstance(message, dict):
        return _flatten(message.get("detail") or message.get("message") or json.dumps(message), fields)
    if not isinstance(message, list):
        return message
    lines = []
    for fault in message:
        if not isinstance(fault, dict):
            lines.append(str(fault))
            continue
        place = fault.get("loc")
        steps = [str(step) for step in place] if isinstance(place, list) else []
        steps = steps[1:] if steps[:1] == ["body"] else steps
        if len(steps) == 1:
            fields.append(steps[0])
        says = fault.get("msg") or fault.get("message") or fault.get("type") or ""
        lines.append(f"{'.'.join(steps)}: {says}" if steps else str(says))
    return "; ".join(lines)


def is_too_long(refusal: Refusal) -> bool:
    """Whether prompt and answer do not fit the model."""
    if refusal.status == 413 or refusal.code.lower() in _TOO_LONG_CODES:
        return True
    return refusal.status in (400, 422, 500) and (
        refusal.param == "input_tokens" or "exceed_context_size" in refusal.words or refusal.says(_TOO_LONG)
    )


def is_filtered(refusal: Refusal) -> bool:
    """Whether a filter refuses this prompt."""
    if refusal.code.lower() in _FILTER_CODES:
        return True
    return (400 <= refusal.status <= 403 or refusal.status in REQUEST_STATUSES) and refusal.says(_FILTERED)


def is_out_of_quota(refusal: Refusal) -> bool:
    """Whether nothing is left to pay calls with."""
    if refusal.status == 402 or refusal.code in ("insufficient_quota", "exceeded_current_quota_error"):
        return True
    return refusal.says(_QUOTA)


def refuses_system(refusal: Refusal) -> bool:
    """Whether the model's template knows no system message."""
    return refusal.status in (400, 422, 500, 501) and refusal.says(_NO_SYSTEM)


def wants_stream(refusal: Refusal) -> bool:
    """Whether the model answers only in a stream."""
    return refusal.status in (400, 422) and refusal.says(_WANTS_STREAM)


def is_wrong_path(refusal: Refusal) -> bool:
    """Whether the response says that there is nothing at this path, whatever its status."""
    return refusal.says(_WRONG_PATH)


def _explain_too_long(refusal: Refusal, url: str, max_tokens: int | None) -> SstarError:
    found = _LIMIT.search(refusal.message)
    limit = int(found[1]) if found else None
    takes = f"the model takes {limit} tokens" if limit else "longer than the model takes"
    asked = f" with --max-tokens {max_tokens}" if max_tokens else ""
    alone = ContextError(
        f"prompt too long{asked}: {takes}; lower --max-tokens or --rounds, or serve the model with a larger "
        f"--max-model-len ({refusal.message})",
        limit,
    )
    if limit and max_tokens and max_tokens >= limit:
        return UnclearRefusalError(
            f"{url}: {takes}, prompt and answer together, and {max_tokens} are asked for the answer alone: "
            "lower --max-tokens or serve the model with a larger --max-model-len",
            alone,
        )
    return alone


def explain(  # noqa: PLR0911 - a return for each kind of refusal
    refusal: Refusal, *, url: str, key_name: str, has_key: bool, max_tokens: int | None, name: str = ""
) -> SstarError:
    """The error for a `refusal` that no retry mends; 404 is the client's, who can list what is served.

    A refusal of a kind that is not known is an `UnclearRefusalError`: other calls tell whether it is about
    the prompt or about the settings.

    Args:
        refusal: what the server said.
        url: the base URL, without credentials.
        key_name: where the key comes from, like `OPENAI_API_KEY`.
        has_key: whether a key was sent.
        max_tokens: what was asked for.
        name: the model's.
    """
    status, message = refusal.status, refusal.message
    if status != 401 and is_filtered(refusal):
        return CallError(f"{url} refused the prompt: {message}")
    if is_out_of_quota(refusal):
        return ModelUserError(f"{url} answered {status}: no quota left for the key in {key_name} ({message})")
    if status == 401 or (status == 403 and not refusal.is_page) or (status == 400 and refusal.says(_KEY)):
        advice = (
            f"the key in {key_name} is wrong or may not use this model"
            if has_key
            else f"it wants a key: set {key_name}"
        )
        return ModelUserError(f"{url} answered {status}: {advice} ({message})")
    if is_too_long(refusal):
        return _explain_too_long(refusal, url, max_tokens)
    if max_tokens and refusal.says(_ANSWER_LIMIT):
        return ModelUserError(f"{url} refused --max-tokens {max_tokens} ({status}): lower it ({message})")
    if 300 <= status < 400:
        return ModelUserError(
            f"{url} answered {status}, a redirect: give the address it leads to as --base-url"
        )
    if refusal.says(_WRONG_SCHEME):
        return ModelUserError(f"{url} speaks https: give the address as https://... ({message})")
    if name and refusal.says(_NO_MODEL):
        return ModelUserError(f"{url} refused the model {name!r} ({status}): {message}")
    hint = "; if it takes no system message, give --system-role user" if "role" in message.lower() else ""
    if "enable_thinking" in message:
        hint = """; give --extra-body '{"enable_thinking": false}'"""
    return UnclearRefusalError(f"{url} refused the request ({status}): {message}{hint}")


def explain_missing(refusal: Refusal, url: str, name: str, served: tuple[str, ...]) -> str:
    """Explain in one line that a model or address is not there; `served` are the models that are."""
    if not served:
        return (
            f"{url} answered {refusal.status} ({refusal.message}): wrong model name {name!r}, or not the "
            "address of an OpenAI-compatible server, which mostly ends in /v1"
        )
    more = f" and {len(served) - _MAX_LISTED} more" if len(served) > _MAX_LISTED else ""
    return f"{url} does not serve {name!r}; it serves: {', '.join(served[:_MAX_LISTED])}{more}"
