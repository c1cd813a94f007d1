"""Serves the tools over streamable HTTP: to programs of this machine, or to who presents the key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecuritySettings

from sstar_code.agent.serving.answer import send_json
from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.guard import Guard
from sstar_code.agent.serving.run import check_host, in_url, running

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.types import ASGIApp, Receive, Scope, Send

_PATH = "/mcp"
_MOST_SESSIONS = 200
_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Door:
    """Where and whom is served. An address that others reach without a key is a UserError."""

    host: str = "127.0.0.1"
    port: int = 8801
    """0 takes a free one."""
    key: str | None = None
    """What clients have to present; None: nothing."""
    most_bytes: int = 4 << 20
    """Length of the longest request that is read."""

    def __post_init__(self) -> None:
        check_host(self.host, self.key, "run programs and spend your tokens")


@asynccontextmanager
async def serving_over_http(server: MCPServer, door: Door, listening: socket) -> AsyncIterator[str]:
    """Serve at the socket of `listen` while the block lasts; gives the address. The end of it ends calls."""
    app = server.streamable_http_app(
        streamable_http_path=_PATH,
        host=door.host,
        max_request_body_size=door.most_bytes,
        max_sessions=_MOST_SESSIONS,
        transport_security=_make_security(door.key),
    )
    guarded = app if door.key is None else _Guarded(app, Guard(door.key))
    host, port = listening.getsockname()[:2]
    async with running(guarded, listening), server.session_manager.run():
        yield f"http://{in_url(host)}:{port}{_PATH}"


def _make_security(key: str | None) -> TransportSecuritySettings:
    """The SDK's checks of `Host` and `Origin`.

    Without a key: no name but this machine's own, which a page that rebinds a name of its own does not have,
    and no page of a browser at all. Who has the key may come by any name, through a proxy for one.
    """
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=key is None,
        allowed_hosts=[*_OWN_NAMES, *(f"{name}:*" for name in _OWN_NAMES)],
    )


class _Guarded:
    """An application that is shown only what the guard lets through."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            self._guard.check(scope)
        except RefusedError as error:
            await send_json(send, error.status, error.content, error.headers)
        else:
            await self._app(scope, receive, send)
