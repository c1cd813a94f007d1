"""The server behind: requests go there as they came, responses come back as they are, byte for byte."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import anyio

from sstar_code.agent.models.openai.address import is_azure, join
from sstar_code.agent.models.openai.surroundings import find_proxy, make_ssl_context
from sstar_code.agent.serving.errors import RefusedError

if TYPE_CHECKING:
    import httpx2
    from starlette.types import Send

_CONNECT_TIMEOUT_S = 30.0
_TRIES = 3
"""How often a request is sent whose connection ends before a byte of a response came."""
_KEEP_S = 2.0
"""How long an idle connection is kept: less than servers keep it, so that none is used that just ends."""
_SENT_ON = (b"accept", b"accept-language", b"content-type", b"traceparent", b"user-agent", b"x-request-id")
_SENT_ON_PREFIXES = (b"openai-beta", b"x-stainless-", b"x-session-", b"x-data-parallel-")
_OF_CONNECTION = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"set-cookie",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Headers of a response that belong to the connection behind, or to our own session there."""
Headers = Iterable[tuple[bytes, bytes]]


class Upstream:
    """The server at `base_url`, asked with our own key; open while `async with` lasts.

    Nothing of a client's request but its body and a few headers is sent on: no key, no cookie, no address.

    Args:
        find_url: gives the address up to `/v1`; a server that is started again may have another one.
        key: empty where the server wants none.
        timeout_s: longest silence of the server.
    """

    def __init__(self, find_url: Callable[[], str], key: str, *, timeout_s: float) -> None:
        self._find_url = find_url
        self.key = key
        self._timeout = {
            "connect": min(_CONNECT_TIMEOUT_S, timeout_s),
            "read": timeout_s,
            "write": timeout_s,
            "pool": timeout_s,
        }
        self._make: Callable[[], httpx2.AsyncHTTPTransport]
        self._idle: deque[tuple[float, httpx2.AsyncHTTPTransport]] = deque()
        """Since when, and what: each holds one connection at most, since a pool asks the state of all that
        it holds for each request, and with 200 that costs more than the request."""

    async def __aenter__(self) -> Self:
        import httpx2

        proxy = find_proxy(self.base_url)
        context = make_ssl_context(self.base_url, proxy)
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEP_S)

        def make() -> httpx2.AsyncHTTPTransport:
            return httpx2.AsyncHTTPTransport(
                verify=context, proxy=None if proxy is None else proxy.url, trust_env=False, limits=limits
            )

        self._make = make
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close_idle(until_s=float("inf"))

    @property
    def base_url(self) -> str:
        """The address up to `/v1`."""
        return self._find_url()

    @asynccontextmanager
    async def ask(
        self, method: str, path: str, headers: Headers, body: bytes = b""
    ) -> AsyncIterator[httpx2.Response]:
        """The response, whose body is not read yet; the connection is closed where the block ends early.

        Args:
            method: of HTTP.
            path: below `/v1`, ours and never the client's.
            headers: the client's; names in lower case.
            body: what is sent.

        Raises:
            RefusedError: there is none: the server cannot be reached, or broke the connection (502, 504).
        """
        import httpx2

        request = httpx2.Request(
            method,
            _locate(self.base_url, path),
            headers=self._choose_headers(headers),
            content=body if method == "POST" else None,
            extensions={"timeout": self._timeout},
        )
        transport = self._idle.pop()[1] if self._idle else self._make()
        try:
            response = await self._send(transport, request)
            try:
                if 300 <= response.status_code < 400 and response.status_code != 304:
                    raise self._fail(
                        502, f"answers with a redirect ({response.status_code})", "its address moved"
                    )
                packed = response.headers.get("content-encoding", "identity").strip().lower()
                if self.key and response.status_code >= 400 and packed not in ("", "identity"):
                    raise self._fail(502, f"refuses ({response.status_code})", "its words are packed")
                yield response
            finally:
                await response.aclose()
        finally:
            now_s = time.monotonic()
            self._idle.append((now_s, transport))
            await self._close_idle(until_s=now_s - _KEEP_S)

    async def _close_idle(self, until_s: float) -> None:
        """Close the connections that were not used since `until_s`."""
        while self._idle and self._idle[0][0] <= until_s:
            _, transport = self._idle.popleft()
            with anyio.CancelScope(shield=True):
                await transport.aclose()

    async def _send(self, transport: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        """The response; where an idle connection ends just as it is used, over another one.

        Raises:
            RefusedError: as `ask`.
        """
        import httpx2

        for left in reversed(range(_TRIES)):
            try:
                return await transport.handle_async_request(request)
            except httpx2.TimeoutException as error:
                raise self._fail(504, "gave no answer in time", type(error).__name__) from error
            except httpx2.ConnectError as error:
                raise self._fail(502, "cannot be reached", type(error).__name__) from error
            except httpx2.TransportError as error:
                if not left:
                    raise self._fail(502, "broke the connection", type(error).__name__) from error
        raise AssertionError("the last try returns or raises")

    def _fail(self, status: int, what: str, why: str) -> RefusedError:
        """The error of a server that gives no response; its address is nobody's business but ours."""
        return RefusedError(status, f"the server behind {what} ({why})", code="upstream_failed")

    def _choose_headers(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        chosen = [
            (name, value) for name, value in headers if name in _SENT_ON or name.startswith(_SENT_ON_PREFIXES)
        ]
        # Our key is looked for in what comes back, which a packed response would hide.
        chosen.append((b"accept-encoding", b"identity"))
        if self.key:
            chosen.append((b"authorization", f"Bearer {self.key}".encode()))
            if is_azure(self.base_url):
                chosen.append((b"api-key", self.key.encode()))
        return chosen


@lru_cache(maxsize=64)
def _locate(base_url: str, path: str) -> httpx2.URL:
    """The address of a page: one of a few, so it is read once."""
    import httpx2

    return httpx2.URL(join(base_url, path))


async def send_on(response: httpx2.Response, send: Send, *, key: str = "") -> None:
    """Give a client the response of the server behind: status, headers and bytes as they come.

    Where it repeats our `key` there are as many stars.

    Raises:
        BrokenUpstreamError: it ended before its end; the client's connection has to end as well.
    """
    import httpx2

    named = {
        item.strip().lower() for item in response.headers.get("connection", "").encode("latin-1").split(b",")
    }
    headers = [
        (name.lower(), blot(value, key))
        for name, value in response.headers.raw
        if name.lower() not in _OF_CONNECTION and name.lower() not in named
    ]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    rest = b""
    try:
        async for piece in response.aiter_raw():
            given = blot(rest + piece, key)
            rest = given[len(given) - _count_begun(given, key) :]
            await send(
                {"type": "http.response.body", "body": given[: len(given) - len(rest)], "more_body": True}
            )
    except httpx2.TransportError as error:
        raise BrokenUpstreamError(type(error).__name__) from error
    # Before the client has its last piece and hangs up: so the connection behind is kept for another request.
    await response.aclose()
    await send({"type": "http.response.body", "body": rest, "more_body": False})


def blot(text: bytes, key: str) -> bytes:
    """`text` with stars in the place of `key`, as long as it was."""
    return text.replace(key.encode(), b"*" * len(key)) if key else text


def _count_begun(text: bytes, key: str) -> int:
    """Bytes at the end of `text` with which `key` may begin: they wait for what comes next."""
    whole = key.encode()
    return next((n for n in range(min(len(whole) - 1, len(text)), 0, -1) if text.endswith(whole[:n])), 0)


class BrokenUpstreamError(Exception):
    """The server behind ended its response in the middle, when the client had a part of it already."""
