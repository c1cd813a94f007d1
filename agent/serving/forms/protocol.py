"""What a form of the API has to say of a request that is solved."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sstar_code.agent.serving.errors import RefusedError
    from sstar_code.agent.serving.solver import Solved, Tally


class Writer(Protocol):
    """Writes the response to one request; the bytes of a stream are whole server-sent events."""

    def whole(self, solved: Solved, tally: Tally) -> dict[str, Any]:
        """The response in one piece."""
        ...

    def begin(self) -> bytes:
        """The stream's first events."""
        ...

    def progress(self, line: str) -> bytes:
        """A line of progress as reasoning; a comment where the form has no reasoning."""
        ...

    def end(self, solved: Solved, tally: Tally) -> bytes:
        """The answer and the stream's end."""
        ...

    def fail(self, error: RefusedError) -> bytes:
        """The stream's end where there is no answer."""
        ...


def make_id(prefix: str) -> str:
    """An id that nobody can guess."""
    return prefix + secrets.token_hex(12)


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())


def write_event(data: Mapping[str, Any], name: str | None = None) -> bytes:
    """A server-sent event with JSON `data`, and its `name` where it has one."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def write_comment(line: str) -> bytes:
    """A line that clients do not show, and that keeps a connection alive."""
    return f": {' '.join(line.split())}\n\n".encode()


DONE = b"data: [DONE]\n\n"


def count_usage(tally: Tally) -> dict[str, Any]:
    """The sum of all calls, as chat and text completions give it."""
    return {
        "prompt_tokens": tally.prompt,
        "completion_tokens": tally.output,
        "total_tokens": tally.tokens,
        "prompt_tokens_details": {"cached_tokens": tally.cached},
        "completion_tokens_details": {"reasoning_tokens": tally.reasoning},
    }
