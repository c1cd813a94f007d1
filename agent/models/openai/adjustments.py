"""The body of a request, and what an endpoint was found not to take of it.

A field that a server refuses is left out from then on, or gets the name that the server knows it by. Which
fields those are is said and kept, because numbers depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sstar_code.agent.models.openai.refusal import is_filtered, is_too_long, refuses_system, wants_stream

if TYPE_CHECKING:
    from sstar_code.agent.models.openai.refusal import Refusal
    from sstar_code.agent.models.request import Message, Request

SystemRole = Literal["system", "developer", "user"]

_ESSENTIAL = frozenset(
    {
        "model",
        "messages",
        "prompt",
        "stop_token_ids",
        "logit_bias",
        "stream",
        "continue_final_message",
        "add_generation_prompt",
        "thinking_token_budget",
    }
)
"""Without these the call would be another one."""
PROBABILITIES: Mapping[str, Any] = {"logprobs": True, "top_logprobs": 5}
"""Fields of a call whose answer names an option; more than five are refused by some servers."""
_ANSWER_LIMITS = ("max_tokens", "max_completion_tokens")
_STATUSES = (400, 405, 422, 500, 501)
_CODES = frozenset(
    {
        "unsupported_parameter",
        "unsupported_value",
        "unknown_parameter",
        "invalid_parameter",
        "extra_forbidden",
        "unrecognized_parameter",
    }
)
_REFUSES = re.compile(
    r"(?:not|n't|no longer) (?:be )?(?:support|permit|allow|accept|recogni[sz]ed?|available|specified|know)"
    r"|not (?:implemented|a valid (?:field|param|arg))|unsupported|unrecogni[sz]ed|unknown|unexpected"
    r"|invalid for|forbidden|extraneous|deprecated|extra (?:inputs?|fields?)|additional propert"
    r"|invalid (?:param|arg|field|key|name|value|input)"
    r"|cannot (?:find field|both be|be (?:set|used|specified))"
    r"|only.{0,40}(?:support|allow|accept|default|valid)|may only be|does not (?:support|accept|exist)"
    r"|must be (?:set to |equal to |exactly )?(?:1|one|null)\b|instead use|use ['\"`]?max_completion_tokens"
    r"|remove (?:it|this|the)|不支持|未知|不允许|非法参数",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"must be (?:in|between|within|non-?negative|(?:strictly )?positive|[<>]|greater|less|larger|smaller|a )"
    r"|must be at (?:most|least)|should be (?:in|between|within|[<>\[(]|greater|less)|out of range|\brange\b"
    r"|too (?:large|small|high|low|big)"
    r"|(?:greater|less) than|[<>]=? ?\d|\b(?:maximum|minimum)\b|at (?:most|least) \d",
    re.IGNORECASE,
)

_WHOLE = re.compile(
    r"\bonly\b|default|unsupported param|unrecogni|unknown|not supported|extra inputs", re.IGNORECASE
)


@dataclass(slots=True)
class Adjustments:
    """What calls to one endpoint leave out or send otherwise; `learn` adds to it."""

    system_role: SystemRole = "system"
    answer_limit: str = "max_tokens"
    """Name of the field for the token limit of an answer."""
    left_out: set[str] = field(default_factory=set)
    values_left_out: set[tuple[str, str]] = field(default_factory=set)
    """Fields with the one value that is refused, like a temperature of 0."""
    streams: bool = False
    """The model answers only in a stream, which is read to its end."""
    forgoes_probabilities: bool = False
    """A request that asked for them was refused, and nothing else was found that could be why."""

    def build_body(
        self, request: Request, model: str, more: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The JSON body for `request`; what is None or empty is left to the server.

        `more` are fields that every call has; those of the request win.
        """
        body: dict[str, Any] = {"model": model, "messages": _place_system(request.messages, self.system_role)}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.max_tokens is not None:
            body[self.answer_limit] = request.max_tokens
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = list(request.stop)
        if self.streams:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.options and not self.forgoes_probabilities and self.left_out.isdisjoint(PROBABILITIES):
            body |= PROBABILITIES
        body |= {**(more or {}), **request.extra}
        return {
            name: value
            for name, value in body.items()
            if name not in self.left_out and (name, repr(value)) not in self.values_left_out
        }

    def learn(self, refusal: Refusal, body: Mapping[str, Any]) -> str | None:
        """Adjust to a refusal of `body`: what is done from now on, in a few words; None where nothing helps.

        The same words where another call had taught it meanwhile. Each time something of `body` goes, so
        asking again comes to an end.
        """
        if is_too_long(refusal) or is_filtered(refusal):
            return None
        roles = {message["role"] for message in body.get("messages", ())}
        if roles & {"system", "developer"} and refuses_system(refusal):
            self.system_role = "user"
            return "system messages are sent as part of the user's"
        if "stream" not in body and wants_stream(refusal):
            self.streams = True
            return "answers are asked for as a stream"
        name = find_refused(refusal, body)
        if name is not None:
            return self._leave_out(name, body[name], refusal)
        if body.items() >= PROBABILITIES.items() and refusal.status in _STATUSES:
            self.forgoes_probabilities = True  # servers have many words for what they do not know
            return "probabilities of answers are not asked for"
        return None

    def _leave_out(self, name: str, value: object, refusal: Refusal) -> str:
        if name in _ANSWER_LIMITS:
            other = _ANSWER_LIMITS[name == _ANSWER_LIMITS[0]]
            if name == self.answer_limit and other not in self.left_out:
                self.left_out.add(name)
                self.answer_limit = other
            elif name == self.answer_limit:
                self.left_out.add(name)
                return "no limit of the answer's length is sent"
            return f"{name} is sent as {self.answer_limit}"
        if _is_about_value(refusal, name):
            self.values_left_out.add((name, repr(value)))
            return f"{name} {value} is not sent"
        self.left_out.add(name)
        return f"{name} is not sent"


def find_refused(refusal: Refusal, body: Mapping[str, Any]) -> str | None:
    """The field of `body` that the server does not take; None where the refusal is about something else.

    A value out of its range is the user's to change, but for a temperature of 0, which is ours.
    """
    if refusal.status not in _STATUSES:
        return None
    names = [name for name in body if name not in _ESSENTIAL]
    named = [*refusal.fields, refusal.param.rpartition(".")[2]]
    known = [name for name in names if name in named]
    mentioned = sorted(
        (place, name)
        for name in names
        if name not in known and (place := _find(name, refusal.words or refusal.message)) >= 0
    )
    if _names_both(refusal) and len(mentioned) > 1:
        mentioned = [item for item in mentioned if item[1] != "temperature"]
    for name in (*known, *(name for _, name in mentioned)):
        if _refuses(refusal, name, is_named=name in known) and (
            not _is_about_value(refusal, name) or (name == "temperature" and not body[name])
        ):
            return name
    return None


def _find(name: str, text: str) -> int:
    """Where `text` speaks of the field, also as `topP` or `reasoning effort`; -1 where it does not."""
    if len(name) == 1:  # `n` is a word only between quotes
        found = re.search(rf"['\"`\[]{name}['\"`\]=]", text)
    else:
        spelled = "[_ ]?".join(re.escape(part) for part in name.split("_"))
        found = re.search(rf"(?<![\w-]){spelled}(?![\w-])", text, re.IGNORECASE)
    return found.start() if found else -1


def _names_both(refusal: Refusal) -> bool:
    return "both" in refusal.message.lower()


def _refuses(refusal: Refusal, name: str, *, is_named: bool) -> bool:
    if is_named and refusal.code in _CODES:
        return True
    return _REFUSES.search(refusal.message) is not None or _is_about_value(refusal, name)


def _is_about_value(refusal: Refusal, name: str) -> bool:
    """Whether the field is known and its value is out of range; a single value allowed is no range."""
    text = refusal.message
    if refusal.code in ("unsupported_parameter", "unknown_parameter", "extra_forbidden"):
        return False
    if _WHOLE.search(text):
        return name in _ANSWER_LIMITS and _RANGE.search(text) is not None
    return _RANGE.search(text) is not None


def _place_system(messages: Iterable[Message], role: SystemRole) -> list[dict[str, str]]:
    """System messages under the `role` that the model takes; `user`: before the first user message's text."""
    plain = [{"role": message.role, "content": drop_surrogates(message.content)} for message in messages]
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


def drop_surrogates(text: str) -> str:
    """Text that UTF-8 can carry: programs print, and models escape, halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")
