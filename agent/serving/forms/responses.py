"""The Responses API: progress is the summary of a reasoning item, the answer a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.agent.serving.forms.protocol import make_id, now, write_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.agent.serving.errors import RefusedError
    from sstar_code.agent.serving.solver import Solved, Tally

_ECHOED = ("instructions", "metadata", "temperature", "top_p", "max_output_tokens", "user")
"""Fields of a request that its response repeats."""


class ResponsesWriter:
    """Writes `response` objects.

    Args:
        model: the name that was asked for.
        body: the request's body.
    """

    def __init__(self, model: str, body: Mapping[str, Any]) -> None:
        self._model = model
        self._echo = {name: body.get(name) for name in _ECHOED}
        self._id, self._reasoning_id, self._message_id = make_id("resp_"), make_id("rs_"), make_id("msg_")
        self._created = now()
        self._told: list[str] = []
        self._number = 0

    def whole(self, solved: Solved, tally: Tally) -> dict[str, Any]:
        """As `Writer.whole`."""
        items = [self._reasoning()] if self._told else []
        response = self._response(_status(solved), [*items, self._message(solved)], tally)
        if solved.is_limited:
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        return response

    def begin(self) -> bytes:
        """As `Writer.begin`."""
        return self._event("response.created", response=self._response("in_progress", [])) + self._event(
            "response.in_progress", response=self._response("in_progress", [])
        )

    def progress(self, line: str) -> bytes:
        """As `Writer.progress`."""
        place = {"item_id": self._reasoning_id, "output_index": 0, "summary_index": 0}
        opening = b""
        if not self._told:
            item = {**self._reasoning(), "status": "in_progress"}
            opening = self._event("response.output_item.added", output_index=0, item=item) + self._event(
                "response.reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""}
            )
        self._told.append(f"{line}\n")
        return opening + self._event("response.reasoning_summary_text.delta", **place, delta=self._told[-1])

    def end(self, solved: Solved, tally: Tally) -> bytes:
        """As `Writer.end`."""
        index = 1 if self._told else 0
        place = {"item_id": self._message_id, "output_index": index, "content_index": 0}
        message = self._message(solved)
        (part,) = message["content"]
        events = [
            self._close_reasoning(),
            self._event(
                "response.output_item.added",
                output_index=index,
                item={**message, "status": "in_progress", "content": []},
            ),
            self._event("response.content_part.added", **place, part={**part, "text": ""}),
            self._event("response.output_text.delta", **place, delta=solved.text, logprobs=[]),
            self._event("response.output_text.done", **place, text=solved.text, logprobs=[]),
            self._event("response.content_part.done", **place, part=part),
            self._event("response.output_item.done", output_index=index, item=message),
            self._event(f"response.{_status(solved)}", response=self.whole(solved, tally)),
        ]
        return b"".join(events)

    def fail(self, error: RefusedError) -> bytes:
        """As `Writer.fail`."""
        response = self._response("failed", [self._reasoning()] if self._told else [])
        response["error"] = {"code": "server_error", "message": str(error)}
        return self._close_reasoning() + self._event("response.failed", response=response)

    def _close_reasoning(self) -> bytes:
        if not self._told:
            return b""
        place = {"item_id": self._reasoning_id, "output_index": 0, "summary_index": 0}
        text = "".join(self._told)
        return (
            self._event("response.reasoning_summary_text.done", **place, text=text)
            + self._event(
                "response.reasoning_summary_part.done", **place, part={"type": "summary_text", "text": text}
            )
            + self._event("response.output_item.done", output_index=0, item=self._reasoning())
        )

    def _reasoning(self) -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": "".join(self._told)}] if self._told else []
        return {"type": "reasoning", "id": self._reasoning_id, "summary": summary, "status": "completed"}

    def _message(self, solved: Solved) -> dict[str, Any]:
        part = {"type": "output_text", "text": solved.text, "annotations": [], "logprobs": []}
        return {
            "type": "message",
            "id": self._message_id,
            "role": "assistant",
            "status": "completed",
            "content": [part],
            "sstar": solved.report,
        }

    def _response(
        self, status: str, output: list[dict[str, Any]], tally: Tally | None = None
    ) -> dict[str, Any]:
        usage = None
        if tally is not None:
            usage = {
                "input_tokens": tally.prompt,
                "input_tokens_details": {"cached_tokens": tally.cached},
                "output_tokens": tally.output,
                "output_tokens_details": {"reasoning_tokens": tally.reasoning},
                "total_tokens": tally.tokens,
            }
        return {
            **self._echo,
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._model,
            "output": output,
            "usage": usage,
            "error": None,
            "incomplete_details": None,
            "parallel_tool_calls": False,
            "tool_choice": "none",
            "tools": [],
            "store": False,
        }

    def _event(self, name: str, **values: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return write_event({"type": name, "sequence_number": number, **values}, name)


def _status(solved: Solved) -> str:
    """The word of the API: `incomplete` where a limit ended the work before its end; the message is whole."""
    return "incomplete" if solved.is_limited else "completed"
