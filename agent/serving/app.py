"""The server's pages: which request is solved, which is passed through, and what a client sees of each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
from starlette.exceptions import HTTPException
from starlette.routing import Route, Router

from sstar_code.agent.serving.answer import Asked, Parts, answer_task, send_json, while_connected
from sstar_code.agent.serving.errors import RefusedError, bad_request
from sstar_code.agent.serving.forms.protocol import make_id, now
from sstar_code.agent.serving.guard import ClientGoneError, parse_body
from sstar_code.agent.serving.task import find_instructions, find_text, read_task
from sstar_code.agent.serving.technique import PREFIX, read_wish, split_tag
from sstar_code.agent.serving.upstream import BrokenUpstreamError, blot, send_on
from sstar_code.agent.telemetry.events import log_event
from sstar_code.problems.errors import show

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sstar_code.agent.serving.task import Form, Task
    from sstar_code.agent.serving.technique import Wish

_PATHS: Mapping[str, Form] = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/responses": "responses",
}
_ONLY_PASSED = ("/embeddings",)
_MODEL_NAME = re.compile(r"[\w:@+-][\w.:@+-]*(?:/[\w:@+-][\w.:@+-]*)*")
"""Names of models that are looked up: no segment begins with a dot."""
_BEAT_S = 10.0
"""Seconds after which a client is told again that its request is worked on."""
_MOST_LISTED = 1 << 22
"""Bytes of the longest list of models that is read."""


def make_app(parts: Parts) -> ASGIApp:
    """The application: every page, with the guard before it."""
    routes = [
        Route("/health", _Page(_health, parts), methods=["GET"]),
        Route("/metrics", _Page(_metrics, parts), methods=["GET"]),
    ]
    for start in ("/v1", "/sstar/{technique}/v1"):
        routes += [Route(start + path, _Page(_answer, parts), methods=["POST"]) for path in _PATHS]
        routes += [Route(start + path, _Page(_pass_only, parts), methods=["POST"]) for path in _ONLY_PASSED]
        routes.append(Route(f"{start}/models", _Page(_list_models, parts), methods=["GET"]))
        routes.append(Route(f"{start}/models/{{name:path}}", _Page(_show_model, parts), methods=["GET"]))
    return _Entrance(Router(routes, redirect_slashes=False), parts)


class _Entrance:
    """Looks at each request first and counts it at its end."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no lifespan and no web sockets here
        parts, started_s = self._parts, time.monotonic()
        status, complete = 0, False

        async def note(message: Any) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        scope["sstar.kind"], scope["app"] = "own", self  # with an `app` the router raises what it refuses
        outcome = "aborted"
        try:
            parts.guard.check(scope)
            try:
                await self._app(scope, receive, note)
            except HTTPException as error:
                raise _explain_missing(error) from error
            outcome = f"{status // 100}xx"
        except RefusedError as error:
            scope["sstar.kind"], outcome = "refused", f"{error.status // 100}xx"
            await send_json(note, error.status, error.content, error.headers)
        except ClientGoneError:
            outcome = f"{status // 100}xx" if complete else outcome
        except BrokenUpstreamError:
            outcome = "broken"
            raise  # the connection ends without an end of the body: the client sees that a part is missing
        except Exception as error:
            outcome = "5xx"
            parts.say(f"sstar: a request failed: unexpected {type(error).__name__}: {error}")
            if status:
                raise
            failed = RefusedError(500, "an unexpected error in this server", code="server_failed")
            await send_json(note, 500, failed.content)
        finally:
            kind, seconds = scope["sstar.kind"], time.monotonic() - started_s
            parts.metrics.count(kind, outcome)
            log_event("request.ended", kind=kind, outcome=outcome, status=status, seconds=round(seconds, 3))


class _Page:
    """A function of the parts and the request as an application."""

    def __init__(self, function: Callable[..., Awaitable[None]], parts: Parts) -> None:
        self._function = function
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._function(self._parts, scope, receive, send)


def _explain_missing(error: HTTPException) -> RefusedError:
    """What the router refuses, as a refusal of ours."""
    what = "this method is not taken here" if error.status_code == 405 else "there is no such page here"
    pages = ", ".join(f"/v1{path}" for path in (*_PATHS, *_ONLY_PASSED, "/models"))
    return RefusedError(
        error.status_code, f"{what}; the pages are {pages}, /health and /metrics", code="not_found"
    )


async def _health(_parts: Parts, _scope: Scope, _receive: Receive, send: Send) -> None:
    await send_json(send, 200, b'{"status": "ok"}')


async def _metrics(parts: Parts, _scope: Scope, _receive: Receive, send: Send) -> None:
    content = parts.metrics.render(parts.gate).encode()
    headers = [
        (b"content-type", b"text/plain; version=0.0.4"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _our_model(parts: Parts) -> dict[str, Any]:
    return {"id": PREFIX + parts.model, "object": "model", "created": now(), "owned_by": "sstar"}


async def _list_models(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    """What the server behind serves, and ours at the end."""
    headers = scope["headers"]
    with parts.gate.pass_through():
        async with while_connected(receive), parts.upstream.ask("GET", "/models", headers) as response:
            content = b""
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > _MOST_LISTED:
                    raise RefusedError(502, "the server behind lists too many models", code="upstream_failed")
        content = blot(content, parts.upstream.key)
        body = parse_body(content) if response.status_code == 200 else None
        if body is not None and isinstance(body.get("data"), list):
            body["data"].append(_our_model(parts))
            content = json.dumps(body).encode()
        await send_json(send, response.status_code, content)


async def _show_model(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    """One model: ours, or as the server behind shows it."""
    name = scope["path_params"]["name"]
    if name == PREFIX + parts.model:
        await send_json(send, 200, json.dumps(_our_model(parts)).encode())
        return
    if not _MODEL_NAME.fullmatch(name):
        raise _no_model(name, parts)
    path = f"/models/{quote(name, safe='/:@+')}"
    with parts.gate.pass_through():
        async with while_connected(receive), parts.upstream.ask("GET", path, scope["headers"]) as response:
            await send_on(response, send, key=parts.upstream.key)


def _no_model(name: Any, parts: Parts) -> RefusedError:
    shown = show(name, 100)
    return RefusedError(
        404,
        f"tasks are solved with {parts.model!r} alone, called {PREFIX + parts.model!r}; not with {shown}",
        code="model_not_found",
        param="model",
    )


def _find_page(scope: Scope) -> str:
    """The page below `/v1`, of ours; a technique may be called `v1`, too."""
    return next(page for page in (*_PATHS, *_ONLY_PASSED) if scope["path"].endswith(f"/v1{page}"))


async def _pass_only(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    with parts.bodies.holding() as add:
        content = await parts.bodies.read(scope, receive, add)
        await _pass(parts, scope, receive, send, content)


async def _pass(parts: Parts, scope: Scope, receive: Receive, send: Send, content: bytes) -> None:
    """Pass a request through as it is."""
    path = _find_page(scope)
    with parts.gate.pass_through():
        scope["sstar.kind"] = "passed"
        async with (
            while_connected(receive),
            parts.upstream.ask("POST", path, scope["headers"], content) as response,
        ):
            await send_on(response, send, key=parts.upstream.key)


async def _answer(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    """Solve the request's task, or pass the request through."""
    with parts.bodies.holding() as add:
        content = await parts.bodies.read(scope, receive, add)
        body = parse_body(content)
        technique = scope["path_params"].get("technique")
        form = _PATHS[_find_page(scope)]
        found = None if body is None else await _find_task(parts, form, body, technique)
        if body is not None and found is None and _names_us(body):
            content = _write_plain(body)
        if body is None or found is None:
            await _pass(parts, scope, receive, send, content)
            return
    scope["sstar.kind"] = "solved"
    await answer_task(parts, Asked(form, body, *found), receive, send)


def _write_plain(body: Mapping[str, Any]) -> bytes:
    """The request for the model itself.

    Raises:
        RefusedError: it holds an integer that Python reads and does not write.
    """
    plain = {name: value for name, value in body.items() if name != "sstar"}
    if isinstance(plain.get("model"), str):
        plain["model"] = plain["model"].removeprefix(PREFIX)
    try:
        return json.dumps(plain).encode()
    except ValueError as error:
        raise bad_request("the request holds an integer of too many digits") from error


def _names_us(body: Mapping[str, Any]) -> bool:
    return "sstar" in body or str(body.get("model", "")).startswith(PREFIX)


async def _find_task(
    parts: Parts, form: Form, body: Mapping[str, Any], technique: str | None
) -> tuple[Task, Wish] | None:
    """The task that has to be solved, and how; None where the request is passed through.

    Raises:
        RefusedError: it asks for the method in a way that cannot be.
    """
    model, field = body.get("model"), body.get("sstar")
    if field is False:
        return None
    text = find_text(form, body)
    tag, text = (None, None) if text is None else split_tag(text)
    named = isinstance(model, str) and model.startswith(PREFIX)
    if not named and field is None and technique is None and tag is None:
        return None
    _write_plain(body)  # what is answered repeats parts of it
    if (model.removeprefix(PREFIX) if isinstance(model, str) else model) != parts.model:
        raise _no_model(model, parts)
    wish = read_wish(field, technique, tag, parts.settings)
    task = None
    if text is not None:
        explicit = field is not None or tag is not None
        told = find_instructions(form, body)

        def read() -> Task | None:
            return read_task(text, wish, id=make_id("request-"), explicit=explicit, instructions=told)

        task = await anyio.to_thread.run_sync(read)
    if task is None:
        if wish.tests is not None:
            raise RefusedError(
                400,
                "`sstar.tests` need a task: a last message of the user, as text, without tools or images",
                code="invalid_request",
                param="sstar.tests",
            )
        return None
    if body.get("n") not in (None, 1):
        raise RefusedError(
            400,
            "a task has one answer: leave `n` out (candidates are `sstar.n`)",
            code="invalid_request",
            param="n",
        )
    return task, wish
