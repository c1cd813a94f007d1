"""Answers a request that holds a task: as a whole or as a stream, as long as the client is there."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.forms.chat import ChatWriter
from sstar_code.agent.serving.forms.protocol import write_comment
from sstar_code.agent.serving.forms.responses import ResponsesWriter
from sstar_code.agent.serving.guard import ClientGoneError
from sstar_code.agent.serving.solver import Solved, Tally

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from sstar_code.agent.serving.forms.protocol import Writer
    from sstar_code.agent.serving.guard import BodyReader, Guard
    from sstar_code.agent.serving.limits import Gate
    from sstar_code.agent.serving.metrics import Metrics
    from sstar_code.agent.serving.solver import Solver
    from sstar_code.agent.serving.task import Form, Task
    from sstar_code.agent.serving.technique import ProgressForm, Wish
    from sstar_code.agent.serving.upstream import Upstream
    from sstar_code.agent.solving.settings import Settings

_BEAT_S = 10.0
"""Seconds after which a client is told again that its request is worked on."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages are made from."""

    model: str
    """The model that tasks are solved with."""
    settings: Settings
    progress: ProgressForm
    solver: Solver
    upstream: Upstream
    gate: Gate
    guard: Guard
    bodies: BodyReader
    metrics: Metrics
    say: Callable[[str], None]
    """Gets a line when something unexpected happened."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is solved."""

    form: Form
    body: Mapping[str, Any]
    task: Task
    wish: Wish


async def send_json(
    send: Send, status: int, content: bytes, headers: Mapping[str, str] | None = None
) -> None:
    """Send a response in one piece."""
    raw = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    raw += [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def while_connected(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the client hangs up.

    Raises:
        ClientGoneError: it did.
    """
    gone = False

    async def watch(scope: anyio.CancelScope) -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        scope.cancel()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(watch, scope)
            try:
                yield
            except Exception as error:  # noqa: BLE001 - carried out of the group as it is
                failed: Exception | None = error
            else:
                failed = None
            group.cancel_scope.cancel()
        if failed is not None:
            raise failed
    if gone:
        raise ClientGoneError


async def answer_task(parts: Parts, asked: Asked, receive: Receive, send: Send) -> None:
    """Solve the task and answer.

    Raises:
        RefusedError: there is no room, or no answer, and nothing was sent yet.
        ClientGoneError: the client hung up; what was under way is cancelled.
    """
    form, body = asked.form, asked.body
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    writer: Writer
    if form == "responses":
        writer = ResponsesWriter(body["model"], body)
    else:
        writer = ChatWriter(body["model"], text=form == "completions", with_usage=with_usage)
    tally, started_s = Tally(), time.monotonic()
    with parts.gate.solve():
        try:
            async with while_connected(receive):
                if body.get("stream") is True:
                    await _stream(parts, writer, asked, tally, send)
                else:
                    solved = await parts.solver.solve(asked.task, asked.wish, tally, lambda _line: None)
                    content = json.dumps(writer.whole(solved, tally)).encode()
                    await send_json(send, 200, content, {"x-sstar": "solved"})
        finally:
            parts.metrics.count_solving(tally, time.monotonic() - started_s)


async def _stream(parts: Parts, writer: Writer, asked: Asked, tally: Tally, send: Send) -> None:
    """Solve with the progress, and then the answer, as events."""
    form, started_s = asked.wish.progress or parts.progress, time.monotonic()
    give, take = anyio.create_memory_object_stream[str](math.inf)
    outcome: list[Solved | RefusedError] = []

    async def write(content: bytes) -> None:
        await send({"type": "http.response.body", "body": content, "more_body": True})

    async def work() -> None:
        with give:
            try:
                outcome.append(await parts.solver.solve(asked.task, asked.wish, tally, give.send_nowait))
            except RefusedError as error:
                outcome.append(error)

    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-sstar", b"solved"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await write(writer.begin())
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        with take:
            while True:
                line = ""
                with anyio.move_on_after(_BEAT_S):
                    try:
                        line = await take.receive()
                    except anyio.EndOfStream:
                        break
                if not line:
                    seconds = time.monotonic() - started_s
                    line = f"{seconds:.0f} s: {tally.calls} calls, {tally.tokens} tokens so far"
                if form != "none":
                    await write(writer.progress(line) if form == "reasoning" else write_comment(line))
    (ended,) = outcome
    last = writer.fail(ended) if isinstance(ended, RefusedError) else writer.end(ended, tally)
    await send({"type": "http.response.body", "body": last, "more_body": False})
