"""The connection to one server: requests out, responses in, and why there is none."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.models.openai.address import is_azure, show_url
from sstar_code.agent.models.openai.surroundings import explain_tls, find_proxy, make_ssl_context
from sstar_code.agent.models.request import ModelUserError
from sstar_code.agent.models.retry import TransientError

if TYPE_CHECKING:
    import httpx2
    import openai

_CONNECT_TIMEOUT_S = 10.0


class Connection:
    """Sends requests to the server of `base_url`, with the `key` where there is one, and to no other.

    Args:
        base_url: the address that was given.
        key: empty where the server wants none.
        timeout_s: wall time of one request, unless another is given.
        most: connections open at once.
    """

    def __init__(self, base_url: str, key: str, *, timeout_s: float, most: int) -> None:
        self.base_url = base_url
        """May change: a server that is started again has another port."""
        self._key = key
        self._timeout_s = timeout_s
        self._most = most

    @property
    def url(self) -> str:
        """The address without credentials, for messages."""
        return show_url(self.base_url)

    @cached_property
    def _sdk(self) -> openai.AsyncOpenAI:
        """The SDK's client, without its retries; importing the SDK takes half a second.

        Raises:
            ModelUserError: proxy or certificates of the environment cannot be used.
        """
        import httpx2
        import openai

        from sstar_code.agent.models.openai.bounded_transport import BoundedTransport

        proxy = find_proxy(self.base_url)  # none for this machine's own servers, which a proxy cannot reach
        context = make_ssl_context(self.base_url, proxy)
        key = self._key or "EMPTY"
        headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
        if is_azure(self.base_url):
            headers["api-key"] = key
        client = openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=key,
            max_retries=0,
            # Said here too because the SDK would take one from OPENAI_CUSTOM_HEADERS, to whatever address.
            default_headers=headers,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=httpx2.Timeout(self._timeout_s, connect=min(_CONNECT_TIMEOUT_S, self._timeout_s)),
                follow_redirects=False,  # a key goes to the address that was given, and to no other
                trust_env=False,  # proxy and certificates are read above, where a fault of theirs is told
                transport=BoundedTransport(
                    most=self._most,
                    verify=context,
                    proxy=None if proxy is None else proxy.url,
                    trust_env=False,
                ),
            ),
        )
        if not self.base_url.startswith("https://api.openai.com/"):
            client.organization = client.project = None  # the SDK takes both from the environment
        return client

    async def close(self) -> None:
        """Close what is open; requests under way fail."""
        if "_sdk" in self.__dict__:
            await self._sdk.close()

    async def send(
        self, address: str, body: dict[str, Any] | None = None, *, timeout_s: float
    ) -> httpx2.Response:
        """The response, whatever its status, read to its end: to a POST of `body`, to a GET without one.

        Args:
            address: the whole address.
            body: a JSON object.
            timeout_s: wall time from the first byte sent to the last one read.

        Raises:
            TransientError: there is none: no connection, a broken one, or not in time.
            ModelUserError: certificates, a proxy or the kind of address are at fault.
        """
        import httpx2
        import openai

        try:
            with anyio.fail_after(timeout_s):
                if body is None:
                    return await self._sdk.get(address, cast_to=httpx2.Response)
                return await self._sdk.post(address, body=body, cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            return error.response
        except (TimeoutError, openai.APITimeoutError) as error:
            unreachable = isinstance(error.__cause__, httpx2.ConnectTimeout)
            why = f"{self.url} did not answer within {timeout_s:g} s"
            raise TransientError(why, unreachable=unreachable) from error
        except openai.APIConnectionError as error:
            raise self._explain(error.__cause__ or error) from error

    def _explain(self, cause: BaseException) -> Exception:
        import httpx2

        text = " ".join(str(cause).split()) or type(cause).__name__
        reason = explain_tls(text, self.base_url)
        if reason is not None:
            return ModelUserError(reason)
        proxy = find_proxy(self.base_url)
        if proxy is not None and isinstance(cause, httpx2.ConnectError | httpx2.ProxyError):
            return TransientError(
                f"the proxy {proxy} does not lead to {self.url} ({text}): unset {proxy.variable}, or put the "
                "host into NO_PROXY",
                broken=True,
            )
        unreachable = isinstance(cause, httpx2.ConnectError)
        what = "cannot be reached" if unreachable else "broke the connection"
        return TransientError(f"{self.url} {what}: {text}", unreachable=unreachable, broken=not unreachable)
