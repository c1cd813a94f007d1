"""A model behind any server that speaks the OpenAI chat API, vLLM first, asked with the openai SDK."""

from __future__ import annotations

import json
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import anyio

from sstar_code.agent.models.openai.wire import (
    ServerInfo,
    build_body,
    explain,
    explain_missing,
    is_loopback,
    parse_base_url,
    read_answer,
    read_models,
    read_refusal,
    refuses_field,
    serves,
    show_url,
)
from sstar_code.agent.models.request import ModelError, ModelUserError
from sstar_code.agent.models.retry import RetryingModel, TransientError, is_transient, read_retry_after

if TYPE_CHECKING:
    import httpx2
    import openai

    from sstar_code.agent.models.openai.wire import MaxTokensField, Refusal, SystemRole
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.problems import SstarError

CALL_TIMEOUT_S = 600.0
"""Wall time of one attempt, unless the user gives another."""
_CONNECT_TIMEOUT_S = 10.0
_PAGE_TIMEOUT_S = 15.0


class OpenAIModel(RetryingModel):
    """`name` at a chat-completions endpoint.

    Args:
        name: the name that the server knows it by.
        base_url: the address up to and including `/v1`.
        api_key: None where the server wants none.
        key_name: where the key comes from, for messages.
        timeout_s: wall time of one attempt.
        system_role: where system messages go, for models that know no such role.
        retrying: further arguments of `RetryingModel`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str | None = None,
        key_name: str = "OPENAI_API_KEY",
        timeout_s: float = CALL_TIMEOUT_S,
        system_role: SystemRole = "system",
        **retrying: Any,
    ) -> None:
        super().__init__(name, **retrying)
        self.base_url = parse_base_url(base_url)
        self.url = show_url(self.base_url)
        """The address without credentials, for messages."""
        self.opens_thinking = False
        """Whether the model's template opens `<think>`; `check` finds out where the server can tell."""
        self._system_role: SystemRole = system_role
        self._max_tokens_field: MaxTokensField = "max_tokens"
        self._key = (api_key or "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ModelUserError(f"the key in {key_name} has characters that no key has: copy it again")
        self._key_name = key_name
        self._timeout_s = timeout_s
        self._info: ServerInfo | None = None

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={self.url!r})"

    @cached_property
    def _sdk(self) -> openai.AsyncOpenAI:
        """The SDK's client, without its retries; importing the SDK takes half a second."""
        import httpx2
        import openai

        key = self._key or "EMPTY"
        connections = self.max_in_flight + 4  # beside the calls, a look at what is served
        client = openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=key,
            max_retries=0,
            # Said here too because the SDK would take one from OPENAI_CUSTOM_HEADERS, to whatever address.
            default_headers={"Authorization": f"Bearer {key}"},
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=httpx2.Timeout(self._timeout_s, connect=min(_CONNECT_TIMEOUT_S, self._timeout_s)),
                limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
                follow_redirects=False,
                trust_env=not is_loopback(self.base_url),  # a proxy cannot reach this machine's own servers
            ),
        )
        if not self.base_url.startswith("https://api.openai.com/"):
            client.organization = client.project = None  # the SDK takes both from the environment
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls under way fail."""
        if "_sdk" in self.__dict__:
            await self._sdk.close()

    async def attempt(self, request: Request) -> Answer:
        """Try once; as `RetryingModel.attempt`."""
        field = self._max_tokens_field
        body = build_body(request, self.name, system_role=self._system_role, max_tokens_field=field)
        if self.priorities and request.priority is not None:
            body["priority"] = request.priority
        started_s = time.perf_counter()
        response = await self._send(f"{self.base_url}/chat/completions", body, timeout_s=self._timeout_s)
        seconds = time.perf_counter() - started_s
        if response.status_code < 300:
            data = _read_object(response, self.url)
            return read_answer(data, model=self.name, seconds=seconds, opened=self.opens_thinking)
        refusal = read_refusal(response.status_code, response.text, secret=self._key)
        if request.max_tokens is not None and refuses_field(refusal, field):
            other: MaxTokensField = "max_completion_tokens" if field == "max_tokens" else "max_tokens"
            if other not in body:
                self._max_tokens_field = other
                raise TransientError(f"{self.url} wants {other}", retry_after_s=0.0)
        if is_transient(refusal.status) and refusal.code != "insufficient_quota":
            raise TransientError(
                f"{self.url} answered {refusal.status}: {refusal.message}",
                retry_after_s=read_retry_after(response.headers, time.time()),
                status=refusal.status,
            )
        raise await self._explain(refusal, request.max_tokens)

    async def _send(
        self, address: str, body: dict[str, Any] | None = None, *, timeout_s: float
    ) -> httpx2.Response:
        """The response, whatever its status, read to its end: to a POST of `body`, to a GET without one.

        Args:
            address: the whole address.
            body: a JSON object.
            timeout_s: wall time from the first byte sent to the last one read.

        Raises:
            TransientError: there is none: no connection, a broken one, or not in time.
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
            cause = error.__cause__ or error
            unreachable = isinstance(cause, httpx2.ConnectError)
            what = "cannot be reached" if unreachable else "broke the connection"
            text = " ".join(str(cause).split()) or type(cause).__name__
            why = f"{self.url} {what}: {text}"
            raise TransientError(why, unreachable=unreachable, broken=not unreachable) from error

    async def _explain(self, refusal: Refusal, max_tokens: int | None) -> SstarError:
        """The error for a refusal that no retry mends."""
        if refusal.status == 404:
            try:
                response = await self._send(f"{self.base_url}/models", timeout_s=_PAGE_TIMEOUT_S)
                served = tuple(read_models(response.text)) if response.status_code < 300 else ()
            except TransientError:
                served = ()
            return ModelUserError(explain_missing(refusal, self.url, self.name, served))
        return explain(
            refusal, url=self.url, key_name=self._key_name, has_key=bool(self._key), max_tokens=max_tokens
        )

    def give_up(self, fault: TransientError, seconds: float) -> ModelError:
        """The error after the last attempt; as `RetryingModel.give_up`."""
        if fault.unreachable:
            return ModelError(
                f"no server answers at {self.url}: start one with `vllm serve {self.name}` or give --base-url"
            )
        return ModelError(f"{self.url} gave no answer in {seconds:.0f} s, last: {fault}; run again to go on")

    async def read_page(
        self, path: str, body: dict[str, Any] | None = None, *, timeout_s: float = _PAGE_TIMEOUT_S
    ) -> str | None:
        """The text at `path` beside `/v1`, like `/metrics`; None where there is none, as with most servers.

        With a `body` it is sent there. A proxy before the server may hide such pages.
        """
        address = f"{self.base_url.removesuffix('/v1')}{path}"
        try:
            response = await self._send(address, body, timeout_s=timeout_s)
        except TransientError:
            return None
        return response.text if response.status_code < 300 else None

    async def read_metrics(self) -> list[str] | None:
        """The server's page of metrics; None where it shows none."""
        page = await self.read_page("/metrics")
        return None if page is None else [page]

    async def check(self, *, any_model: bool = False) -> ServerInfo:
        """Ask the server what it serves, once, without a retry; costs no tokens.

        A server that does not list its models passes: the first call will tell. With `any_model` it does
        not matter whether this model is among those served.

        Raises:
            ModelUserError: wrong key, address, or a model that is not served.
            ModelError: nothing answers.
        """
        started_s = time.perf_counter()
        try:
            response = await self._send(f"{self.base_url}/models", timeout_s=_PAGE_TIMEOUT_S)
        except TransientError as fault:
            raise self.give_up(fault, time.perf_counter() - started_s) from fault
        seconds = time.perf_counter() - started_s
        status = response.status_code
        refusal = read_refusal(status, response.text, secret=self._key)
        if is_transient(status) and status != 500:
            raise ModelError(
                f"{self.url} is not ready: it answered {status} ({refusal.message}); try again later"
            )
        if status == 404 and not self.base_url.rpartition("/")[2].startswith("v"):
            raise ModelUserError(explain_missing(refusal, self.url, self.name, ()))
        if 300 <= status < 500 and status not in (404, 405):
            raise await self._explain(refusal, None)
        served = read_models(response.text) if status < 300 else {}
        if served and not any_model and not serves(self.name, served):
            raise ModelUserError(explain_missing(refusal, self.url, self.name, tuple(served)))
        entry = served.get(self.name, {})
        length = entry.get("max_model_len") or entry.get("context_length") or entry.get("context_window")
        version = await self._read_version() if entry.get("owned_by") == "vllm" else None
        if version is not None:
            self.opens_thinking = await self._asks_to_think()
        self._info = ServerInfo(
            url=self.url,
            models=tuple(served),
            max_model_len=length if isinstance(length, int) else None,
            version=f"vllm {version}" if version else None,
            seconds=seconds,
        )
        return self._info

    def describe(self) -> list[dict[str, Any]]:
        """The answer to `check`, for the manifest; empty before it."""
        return [] if self._info is None else [self._info.as_json()]

    async def _read_version(self) -> str | None:
        """The version that vLLM shows at `/version`; None elsewhere, then only the record is poorer."""
        data = _read_json(await self.read_page("/version") or "")
        version = data.get("version") if isinstance(data, dict) else None
        return version if isinstance(version, str) else None

    async def _asks_to_think(self) -> bool:
        """Whether the prompt as the model sees it ends with `<think>`; False where vLLM does not tell."""
        asked = {"model": self.name, "messages": [{"role": "user", "content": "x"}]}
        options = {"return_token_strs": True, "add_generation_prompt": True}
        data = _read_json(await self.read_page("/tokenize", asked | options) or "")
        pieces = data.get("token_strs") if isinstance(data, dict) else None
        if not isinstance(pieces, list):
            return False
        end = "".join(piece for piece in pieces[-16:] if isinstance(piece, str))
        return end.rstrip("\n\u010a \u0120\u2581").endswith("<think>")  # how tokenizers write blanks


def _read_json(text: str | bytes) -> Any:
    """The JSON value of `text`; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _read_object(response: httpx2.Response, url: str) -> dict[str, Any]:
    """The JSON object of a response that claims success; what a proxy may put in its place is tried again."""
    data = _read_json(response.content)
    if not isinstance(data, dict) or ("error" in data and not data.get("choices")):
        start = " ".join(response.text[:100].split())
        raise TransientError(f"{url} answered something that is not a chat completion: {start!r}")
    return data
