"""The server behind: requests go there as they came, responses come back as they are, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

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
_SENT_ON = (
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"content-type",
    b"traceparent",
    b"user-agent",
    b"x-request-id",
)
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
        most: connections at once.
    """

    def __init__(self, find_url: Callable[[], str], key: str, *, timeout_s: float, most: int) -> None:
        self._find_url = find_url
        self.key = key
        self._timeout_s = timeout_s
        self._most = most
        self._transport: httpx2.AsyncHTTPTransport

    async def __aenter__(self) -> Self:
        import httpx2

        proxy = find_proxy(self.base_url)
        self._transport = httpx2.AsyncHTTPTransport(
            verify=make_ssl_context(self.base_url, proxy),
            proxy=None if proxy is None else proxy.url,
            trust_env=False,
            limits=httpx2.Limits(
                max_connections=self._most, max_keepalive_connections=self._most, keepalive_expiry=_KEEP_S
            ),
        )
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

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
            join(self.base_url, path),
            headers=self._choose_headers(headers),
            content=body if method == "POST" else None,
            extensions={"timeout": self._timeout},
        )
        response = await self._send(request)
        try:
            if 300 <= response.status_code < 400 and response.status_code != 304:
                raise self._fail(
                    502, f"answers with a redirect ({response.status_code})", "its address moved"
                )
            yield response
        finally:
            await response.aclose()

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        """The response; where an idle connection ends just as it is used, over another one.

        Raises:
            RefusedError: as `ask`.
        """
        import httpx2

        for left in reversed(range(_TRIES)):
            try:
                return await self._transport.handle_async_request(request)
            except httpx2.TimeoutException as error:
                raise self._fail(504, "gave no answer in time", type(error).__name__) from error
            except httpx2.ConnectError as error:
                raise self._fail(502, "cannot be reached", type(error).__name__) from error
            except httpx2.TransportError as error:
                if not left:
                    raise self._fail(502, "broke the connection", type(error).__name__) from error
        raise AssertionError("the last try returns or raises")

    @property
    def _timeout(self) -> Mapping[str, float]:
        return {
            "connect": min(_CONNECT_TIMEOUT_S, self._timeout_s),
            "read": self._timeout_s,
            "write": self._timeout_s,
            "pool": self._timeout_s,
        }

    def _fail(self, status: int, what: str, why: str) -> RefusedError:
        """The error of a server that gives no response; its address is nobody's business but ours."""
        return RefusedError(status, f"the server behind {what} ({why})", code="upstream_failed")

    def _choose_headers(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        chosen = [
            (name, value) for name, value in headers if name in _SENT_ON or name.startswith(_SENT_ON_PREFIXES)
        ]
        if self.key:
            chosen.append((b"authorization", f"Bearer {self.key}".encode()))
            if is_azure(self.base_url):
                chosen.append((b"api-key", self.key.encode()))
        return chosen


async def send_on(response: httpx2.Response, send: Send, *, key: str = "") -> None:
    """Give a client the response of the server behind: status, headers and bytes as they come.

    A refusal that repeats our `key` is given with stars in its place.

    Raises:
        BrokenUpstreamError: it ended before its end; the client's connection has to end as well.
    """
    import httpx2

    named = {
        item.strip().lower() for item in response.headers.get("connection", "").encode("latin-1").split(b",")
    }
    headers = [
        (name.lower(), value)
        for name, value in response.headers.raw
        if name.lower() not in _OF_CONNECTION and name.lower() not in named
    ]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    try:
        async for piece in response.aiter_raw():
            if key and response.status_code >= 400:
                piece = piece.replace(key.encode(), b"*" * len(key))  # noqa: PLW2901 - the same piece, blotted
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except httpx2.TransportError as error:
        raise BrokenUpstreamError(type(error).__name__) from error
    # Before the client has its last piece and hangs up: so the connection behind is kept for another request.
    await response.aclose()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class BrokenUpstreamError(Exception):
    """The server behind ended its response in the middle, when the client had a part of it already."""
