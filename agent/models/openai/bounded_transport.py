"""The transport below the SDK's client: a server decides what it answers, not how much memory that takes."""

from __future__ import annotations

import zlib

import httpx2

from sstar_code.agent.models.openai.watch import WATCHER

MOST_BYTES = 16 << 20
"""The longest response that is read, unpacked: several times the longest answer of any model."""
_GZIP_OR_ZLIB = 47
_LEFT_OUT = (b"content-encoding", b"content-length", b"transfer-encoding")


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Reads every response to its end before it is given on, and none that is longer than `MOST_BYTES`.

    A few bytes can unpack to as many as a server likes, and the SDK's client unpacks without a bound: so it
    gets plain bytes.
    """

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response.

        Raises:
            httpx2.RemoteProtocolError: it is too long, or packed in a way that was not asked for.
            httpx2.TransportError: there is none.
        """
        response = await super().handle_async_request(request)
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
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _LEFT_OUT]
        content = _unpack(bytes(body), response.headers.get("content-encoding", ""))
        given = httpx2.Response(
            response.status_code, headers=headers, content=content, extensions=response.extensions
        )
        given.encoding = (
            "utf-8"  # as JSON is; decoding by a name that the server chooses may fail, or never end
        )
        return given


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
