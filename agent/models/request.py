"""What a model is asked and what it answers, and the ways in which a call fails.

Which error a call raises decides what becomes of the run:

    ModelError (infrastructure, exit 3)  no answer after every retry; other calls will likely fail too
    `-- CallError                        this call alone failed; the run goes on without its answer
        |-- ContextError                 prompt and answer do not fit the model
        `-- ReplayMissError              the recording does not hold this call
    ModelUserError (user, exit 2)        key, model name, URL or setting is wrong; no call can succeed
    `-- UnclearRefusalError              of a single call where others are answered: then a CallError
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from sstar_code.problems import InfrastructureError, UserError


class ModelError(InfrastructureError):
    """The endpoint gave no answer; the message says what to do."""


class CallError(ModelError):
    """This call can never be answered, others can: a failed call, not a failed run."""


class ContextError(CallError):
    """Prompt and answer together are longer than the model takes."""

    def __init__(self, message: str, max_length: int | None = None) -> None:
        """Keep the model's `max_length` in tokens, None where the server does not say."""
        super().__init__(message)
        self.max_length = max_length


class ReplayMissError(CallError):
    """A recording was asked for a call that it does not hold."""


class ModelUserError(UserError):
    """The endpoint refuses what the user configured; the message says what to change."""


class UnclearRefusalError(ModelUserError):
    """The endpoint refuses a request; other calls tell whether for its prompt or for what all calls have."""

    def __init__(self, message: str, alone: CallError | None = None) -> None:
        """Keep the error that it is where others are answered: `alone`, or one with the same words."""
        super().__init__(message)
        self.alone = alone or CallError(
            f"{message}; other prompts are answered, so this call alone has failed"
        )


class Stage(StrEnum):
    """Stage of the method that a call belongs to."""

    GENERATE = "generate"
    DEBUG = "debug"
    INPUTS = "inputs"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """Which call of the method this is. Unique within a run; never sent to the server."""

    problem_id: str
    stage: Stage
    sample: int = 0
    round: int = 0
    """0 for a first sample, 1.. for debugging rounds."""
    ordinal: str = ""
    """Tells apart calls of one stage, sample and round, like `pair-0-2/swapped`."""


UNSURE = "unsure"
"""The `finish_reason` of an answer that was given up while it came: its model was not sure of it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked at while an answer comes, token by token with its log probabilities."""

    window: int
    """Tokens over which confidence is a mean."""
    least: float | None = None
    """Confidence below which the answer is given up; None: it is measured only."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that is asked of a model in one call."""

    messages: tuple[Message, ...]
    purpose: Purpose
    temperature: float | None = None
    """None leaves it to the server (some hosted models refuse the field)."""
    max_tokens: int | None = None
    """Token limit of the answer, thinking included; None leaves it to the server."""
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: dict[str, object] = field(default_factory=dict)
    """Further body fields, sent as they are (`top_k`, `min_p`, ...). With `prompt`, a list of token ids and
    texts, that prompt is continued in place of messages (`continues_prompt`)."""
    priority: int | None = None
    """Which goes first at a full server that can choose, lower first; it changes no answer."""
    watch: Watch | None = None
    options: tuple[str, ...] = ()
    """Words of which the answer's last line, `ANSWER: word`, names one: how likely each is is wanted. It
    changes no answer."""

    @property
    def continues_prompt(self) -> bool:
        """It goes to the server's completions endpoint: what comes back is text as the model wrote it."""
        return "prompt" in self.extra


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; None where the server does not say."""

    prompt: int | None = None
    cached: int | None = None
    output: int | None = None
    """Thinking included."""
    reasoning: int | None = None
    estimated: bool = False
    """The server gave no counts: prompt and output are worked out from the texts."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """An answer as the server's own token ids, where it was asked for them (`return_token_ids`)."""

    prompt: tuple[int, ...] = ()
    """Those of the prompt; left out where the request gave them."""
    output: tuple[int, ...] = ()
    """All that were generated, one that ended the answer included."""
    stopped_by: str = ""
    """The stop word or the id of the token that ended it, as text; empty where it ended otherwise."""
    logprob: float | None = None
    """The mean log probability of those that were generated, natural; None where it was not asked for."""
    last: str = ""
    """The text of the last one, where `logprob` is known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one call, with its counts."""

    text: str
    """The answer's text, without thinking."""
    reasoning: str = ""
    finish_reason: str = "stop"
    """`stop`, `length` (cut), or what else the server says."""
    usage: Usage = Usage()
    model: str = ""
    seconds: float = 0.0
    tokens: Tokens | None = None
    confidence: float | None = None
    """The least mean over a window of its tokens, where it was watched: the larger, the surer."""
    likely: dict[str, float] | None = None
    """Option that was asked about -> its probability, 0..1, in the place of the one that the answer names, as
    far as the server lists them. None where it gives none."""

    @property
    def is_cut_thinking(self) -> bool:
        """It ended at its limit before anything but thinking was written."""
        return self.finish_reason == "length" and self._is_thinking

    @property
    def is_only_thinking(self) -> bool:
        """It ended by itself, or the server says so, and all that was written is thinking."""
        return self.finish_reason != "length" and self._is_thinking

    @property
    def _is_thinking(self) -> bool:
        return bool(self.reasoning) and not self.text.strip()


class Model(Protocol):
    """Anything that answers: an endpoint, a recording, a script, a cache before one of them."""

    name: str

    async def ask(self, request: Request) -> Answer:
        """Answer `request`.

        Raises:
            ModelError: the call failed for good; the message says what to do.
        """
        ...


def request_key(request: Request) -> str:
    """Content hash of what changes the answer; purpose, priority and options do not. Hex, 64 characters.

    The model's name is not part of it: a store or a recording belongs to one model.
    """
    body = as_plain(request)
    del body["purpose"], body["priority"], body["options"]
    if request.watch is None:  # as it was before there was one
        del body["watch"]
    text = json.dumps(body, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def as_plain(record: Any) -> dict[str, Any]:
    """The fields of a dataclass for JSON: as `dataclasses.asdict`, but nothing is copied that need not be."""
    names = _list_fields(type(record))  # type: ignore[arg-type]  # a class is hashable
    return {name: _write_plain(getattr(record, name)) for name in names}


def _write_plain(value: Any) -> Any:
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind in (tuple, list):
        return [_write_plain(item) for item in value]
    if kind is dict:
        return {name: _write_plain(item) for name, item in value.items()}
    return as_plain(value) if is_dataclass(kind) else value


@cache
def _list_fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))
