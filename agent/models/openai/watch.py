"""Watches an answer while it comes: how sure the model is of its tokens, and when that is too little.

Source: DeepConf (arXiv 2508.15260). The confidence of a token is the mean of the negative log probabilities
of the likeliest tokens in its place (20 are asked for), that of a group the mean over the last `window`
tokens. An answer whose group falls below the least is given up by closing the connection, on which vLLM stops
writing.

The pieces of the stream go on without their log probabilities, which are some hundred times the text.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.agent.models.request import UNSURE

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Watch

STREAMED = {
    "stream": True,
    "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    "logprobs": True,
    "top_logprobs": 20,
}
"""Fields of a call that is watched; counts come with every piece, so that they are known at any end."""
_MOST_LINE = 1 << 20
"""Bytes of a line of the stream that are waited for."""
_PREFIX = b"data:"


class StreamWatcher:
    """Reads the stream of one answer.

    Args:
        watch: what to look at.
    """

    def __init__(self, watch: Watch) -> None:
        self.has_enough = False
        """The answer is given up; what `feed` has given ends it."""
        self.tokens = 0
        """Those whose probabilities have come."""
        self._watch = watch
        self._pending = b""
        self._last: deque[float] = deque(maxlen=watch.window)
        self._sum = 0.0
        self._least: float | None = None

    @property
    def confidence(self) -> float | None:
        """The least confidence of a group so far; of all tokens where they are fewer than a group."""
        if self._least is not None or not self._last:
            return self._least
        return self._sum / len(self._last)

    def feed(self, piece: bytes) -> bytes:
        """The stream as far as it is known by `piece`, without probabilities; an end where it is given up."""
        *lines, self._pending = (self._pending + piece).split(b"\n")
        kept = bytearray()
        for line in lines:
            kept += self._read_line(line) + b"\n"
            if self.has_enough:
                kept += _write_event({"choices": [{"index": 0, "delta": {}, "finish_reason": UNSURE}]})
                return bytes(kept + b"data: [DONE]\n\n")
        if len(self._pending) > _MOST_LINE:  # no event of a server that streams
            kept += self._pending
            self._pending = b""
        return bytes(kept)

    def end(self) -> bytes:
        """What came behind the last line."""
        rest, self._pending = self._pending, b""
        return b"" if self.has_enough else rest

    def _read_line(self, line: bytes) -> bytes:
        if not line.startswith(_PREFIX):
            return line
        try:
            data = json.loads(line.removeprefix(_PREFIX))
            probabilities = data["choices"][0].pop("logprobs", None)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return line
        content = probabilities.get("content") if isinstance(probabilities, dict) else None
        for entry in content if isinstance(content, list) else ():
            self._see(entry)
        return _write_event(data)

    def _see(self, entry: Any) -> None:
        top = entry.get("top_logprobs") if isinstance(entry, dict) else None
        found = (
            [item.get("logprob") for item in top if isinstance(item, dict)] if isinstance(top, list) else []
        )
        values = [value for value in found if isinstance(value, int | float) and math.isfinite(value)]
        if not values:
            return
        confidence = -sum(values) / len(values)
        if len(self._last) == self._watch.window:
            self._sum -= self._last[0]
        self._last.append(confidence)
        self._sum += confidence
        self.tokens += 1
        if len(self._last) == self._watch.window:
            group = self._sum / self._watch.window
            self._least = group if self._least is None else min(self._least, group)
            self.has_enough |= self._watch.least is not None and group < self._watch.least

    def note(self, answer: Answer) -> Answer:
        """The answer with its confidence, and with as many tokens as were seen where none are counted."""
        usage = answer.usage
        if usage.output is None and self.tokens:
            usage = replace(usage, output=self.tokens)
        return replace(answer, usage=usage, confidence=self.confidence)


def _write_event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


WATCHER: ContextVar[StreamWatcher | None] = ContextVar("watcher", default=None)
"""That of the call which this task makes, for the transport below the SDK's client."""


@contextmanager
def watching(watcher: StreamWatcher | None) -> Iterator[None]:
    """Have the response inside the block read by `watcher`; none reads it where that is None."""
    token = WATCHER.set(watcher)
    try:
        yield
    finally:
        WATCHER.reset(token)
