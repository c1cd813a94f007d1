"""The transport below the SDK's client: a server decides what it answers, not how much memory that takes."""

from __future__ import annotations

import time
import zlib
from collections import deque
from typing import Any

import anyio
import httpx2

from sstar_code.agent.models.openai.watch import WATCHER

MOST_BYTES = 16 << 20
"""The longest response that is read, unpacked: several times the longest answer of any model."""
_GZIP_OR_ZLIB = 47
_LEFT_OUT = (b"content-encoding", b"content-length", b"transfer-encoding")


_IDLE_S = 5.0
"""A connection that was not used for so long is closed, as httpx's own pool does it."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Reads every response to its end before it is given on, and none that is longer than `MOST_BYTES`.

    A few bytes can unpack to as many as a server likes, and the SDK's client unpacks without a bound: so it
    gets plain bytes.

    Each connection is a pool of its own: a pool looks at all of its connections whenever a request begins and
    ends, so hundreds at once would cost several times what is sent over them.

    Args:
        most: connections open at once; more requests wait.
        options: those of each `httpx2.AsyncHTTPTransport`.
    """

    def __init__(self, *, most: int, **options: Any) -> None:
        self._options = options
        self._places = anyio.Semaphore(most, fast_acquire=True)
        self._all: set[httpx2.AsyncHTTPTransport] = set()
        self._idle: deque[tuple[httpx2.AsyncHTTPTransport, float]] = deque()
        """Those that no request uses, with when the last one ended, in this order."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response.

        Raises:
            httpx2.RemoteProtocolError: it is too long, or packed in a way that was not asked for.
            httpx2.TransportError: there is none.
        """
        async with self._places:
            connection = self._idle.pop()[0] if self._idle else self._make()
            try:
                response, body = await _receive(connection, request)
            finally:
                self._idle.append((connection, time.monotonic()))
            await self._close_unused()
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _LEFT_OUT]
        content = _unpack(bytes(body), response.headers.get("content-encoding", ""))
        given = httpx2.Response(
            response.status_code, headers=headers, content=content, extensions=response.extensions
        )
        given.encoding = (
            "utf-8"  # as JSON is; decoding by a name that the server chooses may fail, or never end
        )
        return given

    def _make(self) -> httpx2.AsyncHTTPTransport:
        one = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_IDLE_S)
        connection = httpx2.AsyncHTTPTransport(limits=one, **self._options)
        self._all.add(connection)
        return connection

    async def _close_unused(self) -> None:
        """Close the connection that was left alone for longest, where that is too long."""
        connection, since_s = self._idle[0]
        if time.monotonic() - since_s > _IDLE_S:
            self._idle.popleft()
            self._all.discard(connection)
            await connection.aclose()

    async def aclose(self) -> None:
        """Close every connection; requests under way fail."""
        self._idle.clear()
        while self._all:
            await self._all.pop().aclose()


async def _receive(
    connection: httpx2.AsyncHTTPTransport, request: httpx2.Request
) -> tuple[httpx2.Response, bytearray]:
    """The response over this connection, and its body as it came."""
    response = await connection.handle_async_request(request)
    body = bytearray()
    watcher = WATCHER.get() if response.status_code < 300 else None
    try:
        async for piece in response.aiter_raw():
            body += piece if watcher is None else watcher.feed(piece)
            if watcher is not None and watcher.has_enough:
                break  # closing the connection ends the server's work on it
            if len(body) > MOST_BYTES:
                raise httpx2.RemoteProtocolError(f"its response is longer than {MOST_BYTES >> 20} MB")
    finally:
        await response.aclose()
    body += b"" if watcher is None else watcher.end()
    return response, body


def _unpack(body: bytes, encoding: str) -> bytes:
    kind = encoding.strip().lower()
    if kind in ("", "identity") or not body:
        return body
    if kind not in ("gzip", "x-gzip", "deflate"):
        raise httpx2.RemoteProtocolError("its response is packed in a way that was not asked for")
    try:
        content = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, MOST_BYTES + 1)
    except zlib.error as error:
        raise httpx2.RemoteProtocolError(f"its response cannot be unpacked ({error})") from error
    if len(content) > MOST_BYTES:
        raise httpx2.RemoteProtocolError(f"its response is longer than {MOST_BYTES >> 20} MB")
    return content
