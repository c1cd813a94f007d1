"""As much of HTTP/1.1 as the test server needs, over an anyio stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import ByteStream

__all__ = ["Connection", "Page", "Received", "make_json"]

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
_MAX_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One response that is there as a whole."""

    body: bytes
    status: int = 200
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def make_json(data: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Page:
    """A page of JSON."""
    return Page(json.dumps(data).encode(), status, headers=headers)


class Connection:
    """Requests and responses of one client, one after another."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._rest = b""

    async def read(self) -> Received | None:
        """The next request; None where the client has gone or does not speak HTTP."""
        try:
            while b"\r\n\r\n" not in self._rest:
                if len(self._rest) > _MAX_HEAD:
                    return None
                self._rest += await self._stream.receive()
            head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            method, path, _ = first.split(" ")
            length = int(headers.get("content-length", "0"))
            while len(self._rest) < length:
                self._rest += await self._stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ValueError):
            return None
        body, self._rest = self._rest[:length], self._rest[length:]
        return Received(method, path.partition("?")[0], headers, body)

    async def wait_until_gone(self) -> None:
        """Return when the client closes the connection; what it sends meanwhile is kept."""
        try:
            while True:
                self._rest += await self._stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def send(self, page: Page) -> None:
        """Send `page`."""
        headers = (("content-type", page.kind), ("content-length", str(len(page.body))), *page.headers)
        await self._send(_write_head(page.status, headers) + page.body)

    async def begin_events(self) -> None:
        """Begin a stream of server-sent events."""
        headers = (("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
        await self._send(_write_head(200, headers))

    async def send_event(self, data: Any) -> None:
        """Send one event; text goes as it is."""
        text = data if isinstance(data, str) else json.dumps(data)
        event = f"data: {text}\n\n".encode()
        await self._send(b"%x\r\n%s\r\n" % (len(event), event))

    async def end_events(self) -> None:
        """End the stream well."""
        await self._send(b"0\r\n\r\n")

    async def _send(self, data: bytes) -> None:
        await self._stream.send(data)


def _write_head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
