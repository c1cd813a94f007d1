"""Chat completions and text completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.agent.serving.forms.protocol import (
    DONE,
    count_usage,
    make_id,
    now,
    write_comment,
    write_event,
)

if TYPE_CHECKING:
    from sstar_code.agent.serving.errors import RefusedError
    from sstar_code.agent.serving.solver import Solved, Tally


class ChatWriter:
    """Writes `chat.completion` objects, or `text_completion` ones.

    Args:
        model: the name that was asked for.
        text: whether a text completion is asked for.
        with_usage: whether a stream ends with the usage (`stream_options.include_usage`).
    """

    def __init__(self, model: str, *, text: bool = False, with_usage: bool = False) -> None:
        self._text = text
        self._with_usage = with_usage
        self._id = make_id("cmpl-" if text else "chatcmpl-")
        self._model = model
        self._created = now()

    def whole(self, solved: Solved, tally: Tally) -> dict[str, Any]:
        """As `Writer.whole`."""
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": _reason(solved),
            "logprobs": None,
            "sstar": solved.report,
        }
        if self._text:
            choice["text"] = solved.text
        else:
            choice["message"] = {"role": "assistant", "content": solved.text, "refusal": None}
        return {**self._head(""), "choices": [choice], "usage": count_usage(tally)}

    def begin(self) -> bytes:
        """As `Writer.begin`."""
        return b"" if self._text else self._chunk({"role": "assistant", "content": ""})

    def progress(self, line: str) -> bytes:
        """As `Writer.progress`."""
        return write_comment(line) if self._text else self._chunk({"reasoning_content": f"{line}\n"})

    def end(self, solved: Solved, tally: Tally) -> bytes:
        """As `Writer.end`."""
        pieces = [
            self._chunk({"content": solved.text}),
            self._chunk({}, _reason(solved), sstar=solved.report),
        ]
        if self._with_usage:
            pieces.append(write_event({**self._head(".chunk"), "choices": [], "usage": count_usage(tally)}))
        return b"".join([*pieces, DONE])

    def fail(self, error: RefusedError) -> bytes:
        """As `Writer.fail`: clients of the openai SDK raise it."""
        return write_event(error.body) + DONE

    def _head(self, kind: str) -> dict[str, Any]:
        name = "text_completion" if self._text else f"chat.completion{kind}"
        return {"id": self._id, "object": name, "created": self._created, "model": self._model}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "finish_reason": reason, "logprobs": None, **more}
        if self._text:
            choice["text"] = delta.get("content", "")
        else:
            choice["delta"] = delta
        usage = {"usage": None} if self._with_usage else {}
        return write_event({**self._head(".chunk"), "choices": [choice], **usage})


def _reason(solved: Solved) -> str:
    """The word of the API: `length` where a limit ended the work before its end."""
    return "length" if solved.is_limited else "stop"
