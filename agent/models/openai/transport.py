"""Sends requests through the openai SDK and hands back whatever came: a response, or why there is none.

Importing this module takes half a second, the SDK's: `openai_client` imports it with the first call.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx2
import openai

from sstar_code.agent.models.openai.endpoint import is_loopback, show_url
from sstar_code.agent.models.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Transport"]

_CONNECT_TIMEOUT_S = 10.0
_CHECK_TIMEOUT_S = 15.0


class Transport:
    """The connections to one server, for tasks of one event loop.

    Args:
        base_url: as `endpoint.parse_base_url` returned it.
        api_key: empty where the server wants none.
        max_connections: open at once.
        timeout_s: wall time of one chat request.
        headers: sent with each request.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str,
        max_connections: int,
        timeout_s: float,
        headers: Mapping[str, str],
    ) -> None:
        self.base_url = base_url
        self.url = show_url(base_url)
        self.timeout_s = timeout_s
        key = api_key or "EMPTY"
        client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key,
            max_retries=0,
            # Said here too because the SDK would take one from OPENAI_CUSTOM_HEADERS, to whatever address.
            default_headers={"Authorization": f"Bearer {key}", **headers},
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=httpx2.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
                limits=httpx2.Limits(
                    max_connections=max_connections, max_keepalive_connections=max_connections
                ),
                follow_redirects=False,
                trust_env=not is_loopback(base_url),  # a proxy cannot reach this machine's own servers
            ),
        )
        if not base_url.startswith("https://api.openai.com/"):
            client.organization = client.project = None  # the SDK takes both from the environment
        self._client = client

    async def aclose(self) -> None:
        """Close the connections; requests under way fail."""
        await self._client.close()

    async def post_chat(self, body: dict[str, Any]) -> httpx2.Response:
        """The response to a chat request, whatever its status, read to its end.

        Raises:
            TransientError: there is none: no connection, a broken one, or not in time.
        """
        rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
        try:
            with self._breaks_explained(self.timeout_s), anyio.fail_after(self.timeout_s):
                raw = await self._client.chat.completions.with_raw_response.create(
                    model=body["model"], messages=cast("Any", body["messages"]), extra_body=rest
                )
        except openai.APIStatusError as error:
            return error.response
        return raw.http_response

    async def get_models(self) -> httpx2.Response:
        """The response to `GET /models`; raises as `post_chat` does."""
        try:
            with self._breaks_explained(_CHECK_TIMEOUT_S), anyio.fail_after(_CHECK_TIMEOUT_S):
                raw = await self._client.models.with_raw_response.list()
        except openai.APIStatusError as error:
            return error.response
        return raw.http_response

    async def get_page(self, path: str, *, timeout_s: float = _CHECK_TIMEOUT_S) -> str | None:
        """What stands at `path` beside `/v1`, like `/metrics`; None where there is nothing of use."""
        address = f"{self.base_url.removesuffix('/v1')}{path}"
        try:
            with anyio.fail_after(timeout_s):
                raw = await self._client.get(address, cast_to=httpx2.Response)
        except (TimeoutError, openai.OpenAIError, httpx2.HTTPError, ValueError):
            return None  # a proxy before the server may hide it
        return raw.text

    async def post_page(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON that `path` beside `/v1` answers to `body`; None where there is nothing of use."""
        address = f"{self.base_url.removesuffix('/v1')}{path}"
        try:
            with anyio.fail_after(_CHECK_TIMEOUT_S):
                raw = await self._client.post(address, body=body, cast_to=httpx2.Response)
            return json.loads(raw.text)
        except (TimeoutError, openai.OpenAIError, httpx2.HTTPError, ValueError):
            return None  # most servers have no such page

    async def get_version(self) -> str | None:
        """What vLLM says at `/version`; None where nothing is said, then only the record is poorer."""
        try:
            data = json.loads(await self.get_page("/version") or "")
        except ValueError:
            return None
        version = data.get("version") if isinstance(data, dict) else None
        return version if isinstance(version, str) else None

    async def opens_thinking(self, model: str) -> bool:
        """Whether the prompt as the model sees it ends with `<think>`; False where vLLM does not tell."""
        asked = {"model": model, "messages": [{"role": "user", "content": "x"}], "return_token_strs": True}
        data = await self.post_page("/tokenize", {**asked, "add_generation_prompt": True})
        pieces = data.get("token_strs") if isinstance(data, dict) else None
        if not isinstance(pieces, list):
            return False
        end = "".join(piece for piece in pieces[-16:] if isinstance(piece, str))
        return end.rstrip("\n\u010a \u0120\u2581").endswith("<think>")  # how tokenizers write blanks

    @contextmanager
    def _breaks_explained(self, timeout_s: float) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, openai.APITimeoutError) as error:
            unreachable = isinstance(error.__cause__, httpx2.ConnectTimeout)
            raise TransientError(
                f"{self.url} did not answer within {timeout_s:g} s", unreachable=unreachable
            ) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            unreachable = isinstance(cause, httpx2.ConnectError)
            what = "cannot be reached" if unreachable else "broke the connection"
            text = " ".join(str(cause).split()) or type(cause).__name__
            raise TransientError(
                f"{self.url} {what}: {text}", unreachable=unreachable, broken=not unreachable
            ) from error
