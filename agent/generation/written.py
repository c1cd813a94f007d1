"""An answer that is written piece by piece as the server's own token ids, with how likely each piece was.

The first piece is a chat; prompt and pieces then go back as the ids that came, so nothing is tokenized again
and what is continued without a change is what one call would have written. A piece ends behind a stop word,
at the limit or with the answer. The server has to give token ids and log probabilities, as vLLM does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import Answer, ModelUserError, Usage
from sstar_code.agent.models.think_tags import split_thinking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sstar_code.agent.models.request import Model, Purpose, Request

_FIELDS: Mapping[str, object] = {"return_token_ids": True, "logprobs": True}


@dataclass(frozen=True, slots=True)
class Written:
    """What there is of an answer."""

    prompt: tuple[int, ...] = ()
    output: tuple[int, ...] = ()
    """All tokens that were generated."""
    text: str = ""
    """As the model wrote it, tags of thinking included."""
    logprob: float = 0.0
    """The mean log probability of the tokens of the last piece."""
    stopped_by: str = ""
    """The stop word that the last piece ends with; empty where the answer is over."""
    finish_reason: str = ""
    prompted: int = 0
    """Tokens of the prompts of all its calls."""
    seconds: float = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether the model would write more."""
        return not self.finish_reason or bool(self.stopped_by)

    def as_answer(self) -> Answer:
        """The answer as it stands, thinking apart."""
        text, reasoning = split_thinking(self.text)
        usage = Usage(prompt=self.prompted, output=len(self.output))
        return Answer(text, reasoning, self.finish_reason, usage, seconds=self.seconds)


async def write_on(
    model: Model,
    request: Request,
    written: Written,
    purpose: Purpose,
    *,
    stops: Sequence[str] = (),
    flag: str,
) -> Written:
    """`written` with one piece more, up to one of `stops`, which it keeps.

    Args:
        model: what is asked.
        request: the call that the whole answers; its `max_tokens` are those of the whole.
        written: what there is of it; an empty one begins.
        purpose: that of this call.
        stops: words behind which the piece ends.
        flag: the option that wants it, for messages.

    Raises:
        ModelUserError: the server gives no token ids or no log probabilities.
        As `Model.ask`.
    """
    limit = None if request.max_tokens is None else request.max_tokens - len(written.output)
    if limit is not None and limit <= 0:
        return replace(written, stopped_by="", finish_reason="length")
    extra: dict[str, object] = {**request.extra, **_FIELDS}
    if stops:
        extra |= {"stop": list(stops), "include_stop_str_in_output": True}
    if written.output:
        extra["prompt"] = [*written.prompt, *written.output]
    messages = () if written.output else request.messages
    asked = replace(request, messages=messages, purpose=purpose, max_tokens=limit, extra=extra)
    answer = await model.ask(asked)
    tokens = answer.tokens
    if tokens is None or not tokens.output or not (written.prompt or tokens.prompt) or tokens.logprob is None:
        raise ModelUserError(
            f"{flag}: the server gives no token ids with log probabilities; serve the model with vLLM, or "
            "leave it out"
        )
    stopped_by = tokens.stopped_by if tokens.stopped_by in stops else ""
    text = answer.text if written.output else write_whole(answer)
    return Written(
        prompt=written.prompt or tokens.prompt,
        output=(*written.output, *tokens.output),
        text=written.text + text + (_find_rest(text, tokens.last) if stopped_by else ""),
        logprob=tokens.logprob,
        stopped_by=stopped_by,
        finish_reason=answer.finish_reason,
        prompted=written.prompted + (answer.usage.prompt or 0),
        seconds=written.seconds + answer.seconds,
    )


def write_whole(answer: Answer) -> str:
    """A chat's answer with its thinking between tags, as the model wrote it."""
    if not answer.reasoning:
        return answer.text
    end = f"\n</think>\n\n{answer.text}" if answer.text else ""
    return f"<think>\n{answer.reasoning}{end}"


def _find_rest(text: str, last: str) -> str:
    """What the last token holds behind the stop word, at which the server cut the text: an indentation."""
    for end in range(len(last), 0, -1):
        if text.endswith(last[:end]):
            return last[end:]
    return ""
