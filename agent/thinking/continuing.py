"""Thinking that is continued piece by piece on a stock server, in the best way that the server offers.

The exact way needs the server's token ids (vLLM: `return_token_ids`, and a list of ids as the prompt of
`/v1/completions`): what was generated is never tokenized again, so a thought that is cut and gone on with is
the one that would have been written in one go. The other way is a text: the server continues the last
message (`continue_final_message`), which it tokenizes again.

Every piece is a call of its own, so a model with a store keeps each.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sstar_code.agent.calls.stored_model import NotAskedError
from sstar_code.agent.models.request import CallError, Message, ModelUserError, Purpose, Request, Stage, Usage
from sstar_code.agent.models.think_tags import OPEN_TAG, split_thinking
from sstar_code.agent.models.thinking import QUESTION, was_read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.agent.models.request import Answer, Model

END_TAG = "</think>"
_PROBE_TOKENS = 24
_NEAR = 8
"""Tokens at the end of a prompt, or the start of an answer, among which thinking is opened."""
_TOKEN_FIELDS: Mapping[str, object] = {"return_token_ids": True, "skip_special_tokens": False}
"""The tags of thinking are special tokens in some vocabularies."""
_CONTINUES: Mapping[str, object] = {"continue_final_message": True, "add_generation_prompt": False}


@dataclass(frozen=True, slots=True)
class Way:
    """How thinking is continued at a server, as it was seen to work."""

    open_id: int | None = None
    """The token that opens thinking; None: texts are continued, not tokens."""
    end_id: int | None = None
    """The token that ends it."""

    @property
    def is_exact(self) -> bool:
        """Tokens are continued as they are."""
        return self.end_id is not None


async def find_way(model: Model, problem_id: str) -> Way:
    """The best way that works at the server behind `model`; two short calls, or three.

    Raises:
        ModelUserError: the model does not think, or the server continues nothing.
        ModelError: the endpoint is down, or nothing may be asked any more.
    """
    question = Request(
        (Message("user", QUESTION),),
        Purpose(problem_id, Stage.GENERATE, ordinal="can-think"),
        temperature=0.7,
        max_tokens=_PROBE_TOKENS,
        seed=0,
        extra=dict(_TOKEN_FIELDS),
    )
    first = await model.ask(question)
    tokens = first.tokens
    if tokens is not None and tokens.prompt and tokens.output:
        ids = await _find_tags(model, problem_id)
        if len(ids) == 2 and _has(ids[0], tokens.prompt, tokens.output):
            return Way(*ids)
    if not first.is_cut_thinking:
        raise ModelUserError(
            f"--think-...: {model.name} did not think when asked to, or its thinking does not end with "
            f"{END_TAG}; leave these options out, or switch its thinking on (--extra-body)"
        )
    again = _continue_message(question, first.reasoning, _PROBE_TOKENS, {})
    try:
        second = await model.ask(again)
    except NotAskedError:
        raise
    except (CallError, ModelUserError) as error:
        raise ModelUserError(f"{_CANNOT}: it refuses to ({error})") from error
    if not was_read(first, second):
        raise ModelUserError(f"{_CANNOT}: the model is not shown what it thought")
    return Way()


_CANNOT = (
    "--think-...: the server does not continue thinking; serve the model with vLLM, or leave these "
    "options out"
)


async def _find_tags(model: Model, problem_id: str) -> tuple[int, ...]:
    """The tokens of the tags of thinking; empty where the server does not continue tokens."""
    question = Request(
        (),
        Purpose(problem_id, Stage.GENERATE, ordinal="can-continue"),
        temperature=0.0,
        max_tokens=1,
        extra={"return_token_ids": True, "prompt": [OPEN_TAG + END_TAG]},
    )
    try:
        tokens = (await model.ask(question)).tokens
    except NotAskedError:
        raise
    except (CallError, ModelUserError):
        return ()
    return () if tokens is None else tokens.prompt


def _has(open_id: int, prompt: tuple[int, ...], output: tuple[int, ...]) -> bool:
    return open_id in prompt[-_NEAR:] or open_id in output[:_NEAR]


def _continue_message(
    request: Request, text: str, max_tokens: int | None, extra: Mapping[str, object]
) -> Request:
    message = Message("assistant", f"{OPEN_TAG}\n{text}")
    return replace(
        request,
        messages=(*request.messages, message),
        max_tokens=max_tokens,
        extra={**request.extra, **_CONTINUES, **extra},
    )


@dataclass(slots=True)
class Draft:
    """An answer that is being written: what there is of it, and how it goes on."""

    model: Model
    request: Request
    """The call that it answers."""
    way: Way
    thinking: str = ""
    pieces: list[object] = field(default_factory=list)
    """The prompt and all that follows it as token ids, and as texts where something was written for the
    model; only in the exact way."""
    answers: list[Answer] = field(default_factory=list)
    """Those of the calls so far."""
    thinks: bool = True
    """Whether the model began to think; else the first answer is the whole."""
    ended: bool = False
    """Whether it ended its thinking with its last words."""
    age: int = 0
    """Tokens since its present thought began, where that is watched."""
    loops: bool = False
    """Whether it repeats itself."""
    is_over: bool = False
    """Whether it stopped writing by itself, at the end of its thinking or in the middle."""

    @property
    def used(self) -> int:
        """Tokens generated so far."""
        return sum(answer.usage.output or 0 for answer in self.answers)

    async def think(self, max_tokens: int | None, fields: Mapping[str, Any] = MappingProxyType({})) -> Answer:
        """Let the model think on for up to `max_tokens`, or until it ends its thinking.

        `fields` are added to the body of the call; with stop words among them it may also end at one.

        Raises:
            As `Model.ask`.
        """
        request = self._next_request(max_tokens, fields)
        answer = await self.model.ask(request)
        is_first = not self.answers
        self.answers.append(answer)
        if self.way.is_exact:
            self._add_exactly(answer, is_first=is_first)
        else:
            self._add_text(answer, is_first=is_first)
        by = "" if answer.tokens is None else answer.tokens.stopped_by
        self.is_over = self.ended or (answer.finish_reason != "length" and by not in fields.get("stop", ()))
        return answer

    def _next_request(self, max_tokens: int | None, fields: Mapping[str, object]) -> Request:
        request = replace(self.request, max_tokens=max_tokens)
        if self.answers:
            request = replace(request, purpose=self._next_purpose(f"think-{len(self.answers)}"))
        if not self.way.is_exact:
            request = replace(request, stop=(END_TAG,))
            if not self.answers:
                return replace(request, extra={**request.extra, **fields})
            return _continue_message(request, self.thinking, max_tokens, fields)
        fields = {**_TOKEN_FIELDS, "stop_token_ids": [self.way.end_id], **fields}
        if self.answers:
            return self._continue_tokens(request, fields)
        return replace(request, extra={**request.extra, **fields})

    def _continue_tokens(self, request: Request, fields: Mapping[str, object]) -> Request:
        extra = {**request.extra, **fields, "prompt": list(self.pieces)}
        return replace(request, messages=(), extra=extra)

    def _next_purpose(self, name: str) -> Purpose:
        purpose = self.request.purpose
        return replace(purpose, ordinal=f"{purpose.ordinal}/{name}" if purpose.ordinal else name)

    def _add_exactly(self, answer: Answer, *, is_first: bool) -> None:
        tokens = answer.tokens
        assert self.way.open_id is not None
        assert self.way.end_id is not None
        if tokens is None or not tokens.output:
            self.thinks = not is_first
            self.ended = True
            return
        if is_first:
            self.pieces += tokens.prompt
            self.thinks = _has(self.way.open_id, tokens.prompt, tokens.output)
        self.pieces += tokens.output
        self.ended = tokens.output[-1] == self.way.end_id
        text = answer.reasoning + answer.text
        self.thinking += text.lstrip().removeprefix(OPEN_TAG).lstrip("\n") if is_first else text
        self.thinking = self.thinking.removesuffix(END_TAG)

    def _add_text(self, answer: Answer, *, is_first: bool) -> None:
        text, thought = answer.text, answer.reasoning
        if not is_first and not thought:
            # A server that keeps the stop word, or knows none, gives more than the rest of the thinking.
            before, _, _ = text.partition(END_TAG)
            text, thought = "", before
        elif not is_first:
            text, thought = "", thought + ("" if END_TAG not in thought else thought.partition(END_TAG)[0])
        elif not thought and answer.tokens is not None and answer.tokens.stopped_by == END_TAG:
            text, thought = "", split_thinking(text + END_TAG)[1]
        self.thinks = self.thinks and (bool(thought) or not is_first)
        self.thinking += thought
        self.ended = answer.finish_reason != "length" or bool(text.strip())

    def write(self, text: str) -> None:
        """Have the model go on behind `text`, which takes the place of the end of its thinking."""
        if self.way.is_exact and self.pieces and self.pieces[-1] == self.way.end_id:
            self.pieces.pop()
        if self.way.is_exact:
            self.pieces.append(text)
        self.thinking += text
        self.ended = False
        self.age = 0

    async def answer(self, max_tokens: int | None) -> Answer:
        """The whole answer, with what the model writes behind its thinking; the thinking has to be ended.

        Raises:
            As `Model.ask`.
        """
        request = replace(self.request, max_tokens=max_tokens, purpose=self._next_purpose("answer"))
        if self.way.is_exact:
            last = await self.model.ask(self._continue_tokens(request, {}))
            rest = last.text
        else:
            is_closed = self.thinking.rstrip().endswith(END_TAG)
            ended = self.thinking if is_closed else f"{self.thinking.rstrip()}\n{END_TAG}\n\n"
            last = await self.model.ask(_continue_message(request, ended, max_tokens, {}))
            rest = last.text or last.reasoning
        thought = self.used
        self.answers.append(last)
        return self._close(last, rest.lstrip("\n"), thought)

    def close(self, finish_reason: str) -> Answer:
        """The answer as it stands, all thinking: there is no room for more, or it ended in the middle."""
        return self._close(replace(self.answers[-1], finish_reason=finish_reason), "", self.used)

    def _close(self, last: Answer, text: str, thought: int) -> Answer:
        """The answer of all calls, with what they cost together."""
        usages = [answer.usage for answer in self.answers]
        return replace(
            last,
            text=text,
            reasoning=self.thinking.removesuffix("\n\n").removesuffix(END_TAG).strip("\n"),
            usage=Usage(
                prompt=_add_up([usage.prompt for usage in usages]),
                cached=_add_up([usage.cached for usage in usages]),
                output=_add_up([usage.output for usage in usages]),
                reasoning=thought,
                estimated=any(usage.estimated for usage in usages),
            ),
            seconds=sum(answer.seconds for answer in self.answers),
            tokens=None,
        )


def _add_up(counts: list[int | None]) -> int | None:
    """The sum; None where one is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
