"""A model behind any server that speaks the OpenAI chat API, vLLM first."""

from __future__ import annotations

import json
import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from sstar_code.agent.models.errors import ModelError, ModelUserError
from sstar_code.agent.models.load import read_load
from sstar_code.agent.models.openai.endpoint import ServerInfo, parse_base_url, read_models, serves, show_url
from sstar_code.agent.models.openai.refusals import explain, explain_missing, read_refusal, refuses_field
from sstar_code.agent.models.openai.wire import build_body, read_answer
from sstar_code.agent.models.retry import (
    RetryPolicy,
    Stubborn,
    TransientError,
    is_transient,
    read_retry_after,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

    from sstar_code.agent.models.load import Load
    from sstar_code.agent.models.openai.refusals import Refusal
    from sstar_code.agent.models.openai.transport import Transport
    from sstar_code.agent.models.openai.wire import MaxTokensField, SystemRole
    from sstar_code.agent.models.request import Answer, Request

__all__ = ["OpenAIModel"]

_log = logging.getLogger(__name__)


class OpenAIModel:
    """`name` at a chat-completions endpoint, asked by many tasks of one event loop at once.

    Args:
        name: as the server knows it.
        base_url: up to and including `/v1`.
        api_key: None where the server wants none.
        key_name: where the key comes from, for messages.
        max_in_flight: calls under way at once, waits between attempts included; more wait their turn.
        timeout_s: wall time of one attempt.
        retry_policy: how often a call that failed is sent again.
        system_role: where system messages go, for models that know no such role.
        max_tokens_field: how the answer's limit is called; changed by itself where the server says so.
        headers: sent with each request.
        jitter_seed: makes the waits between attempts repeatable.
        on_retry: gets one line before each wait; by default it is logged.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str | None = None,
        key_name: str = "OPENAI_API_KEY",
        max_in_flight: int = 128,
        timeout_s: float = 600.0,
        retry_policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        system_role: SystemRole = "system",
        max_tokens_field: MaxTokensField = "max_tokens",
        headers: Mapping[str, str] | None = None,
        jitter_seed: int = 0,
        on_retry: Callable[[str], None] = _log.warning,
    ) -> None:
        self.name = name
        self.base_url = parse_base_url(base_url)
        self.url = show_url(self.base_url)
        self.system_role: SystemRole = system_role
        self.max_tokens_field: MaxTokensField = max_tokens_field
        self._key = (api_key or "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ModelUserError(f"the key in {key_name} has characters that no key has: copy it again")
        self._key_name = key_name
        self._max_in_flight = max_in_flight
        self._timeout_s = timeout_s
        self._headers = dict(headers or {})
        self._stubborn = Stubborn(
            max_in_flight=max_in_flight, policy=retry_policy, on_retry=on_retry, jitter_seed=jitter_seed
        )
        self._answered = 0
        self._info: ServerInfo | None = None
        self.opens_thinking = False
        """Whether the model's template opens `<think>`; `check` finds out where the server can tell."""
        self.max_num_seqs: int | None = None
        """Sequences that the server runs at once, where that is known."""
        self.priorities = False
        """Whether the server orders its line by `priority` (vLLM's `--scheduling-policy priority`)."""
        self.on_busy: Callable[[], None] = _ignore
        """Called when the server refuses a call because of its load (429, 503)."""

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={self.url!r})"

    @cached_property
    def _transport(self) -> Transport:
        from sstar_code.agent.models.openai.transport import Transport

        return Transport(
            self.base_url,
            api_key=self._key,
            max_connections=self._max_in_flight + 4,  # beside the calls, a look at what is served
            timeout_s=self._timeout_s,
            headers=self._headers,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls under way fail."""
        if "_transport" in self.__dict__:
            await self._transport.aclose()

    async def ask(self, request: Request) -> Answer:
        """Answer `request`, trying again while another attempt may help.

        Raises:
            ContextError: prompt and answer do not fit the model.
            CallError: the server will not answer this prompt.
            ModelUserError: wrong key, model name, address or setting.
            ModelError: no answer after every attempt.
        """
        answered = self._answered

        async def attempt() -> Answer:
            nonlocal answered
            try:
                return await self.attempt(request)
            except TransientError as fault:
                # While other calls are being answered, a refusal says to wait and not that the server is ill.
                fault.free = fault.free and self._answered > answered
                answered = self._answered
                raise

        return await self._stubborn.call(attempt, self.give_up)

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often a call that failed is sent again."""
        return self._stubborn.policy

    @retry_policy.setter
    def retry_policy(self, policy: RetryPolicy) -> None:
        self._stubborn.policy = policy

    def give_up(self, fault: TransientError, seconds: float) -> ModelError:
        """The error for a call whose last attempt ended with `fault`, `seconds` after its first began."""
        if fault.unreachable:
            return ModelError(
                f"no server answers at {self.url}: start one with `vllm serve {self.name}` or give --base-url"
            )
        return ModelError(
            f"{self.url} gave no answer in {seconds:.0f} s, last: {fault.why}; run again to go on"
        )

    async def attempt(self, request: Request) -> Answer:
        """Try once, for one who tries again or elsewhere.

        Raises:
            TransientError: another try may do better.
            ModelError: as `ask`.
        """
        field = self.max_tokens_field
        body = build_body(request, self.name, system_role=self.system_role, max_tokens_field=field)
        if self.priorities and request.priority is not None:
            body["priority"] = request.priority
        started = time.perf_counter()
        response = await self._transport.post_chat(body)
        if response.status_code < 300:
            data = _read_object(response, self.url)
            self._answered += 1
            seconds = time.perf_counter() - started
            return read_answer(data, model=self.name, seconds=seconds, opened=self.opens_thinking)
        refusal = read_refusal(response.status_code, response.text, secret=self._key)
        if request.max_tokens is not None and refuses_field(refusal, field):
            other: MaxTokensField = "max_completion_tokens" if field == "max_tokens" else "max_tokens"
            if other not in body:
                self.max_tokens_field = other
                raise TransientError(f"{self.url} wants {other}", retry_after_s=0.0)
        await self._raise_refusal(response, refusal, request.max_tokens)
        raise AssertionError("unreachable")

    async def _raise_refusal(
        self, response: httpx2.Response, refusal: Refusal, max_tokens: int | None
    ) -> None:
        status = refusal.status
        if is_transient(status) and refusal.code != "insufficient_quota":
            busy = status in (429, 503)
            if busy:
                self.on_busy()
            raise TransientError(
                f"{self.url} answered {status}: {refusal.message}",
                retry_after_s=read_retry_after(response.headers, time.time()),
                status=status,
                free=busy,
            )
        if status == 404:
            raise ModelUserError(
                explain_missing(refusal, self.url, self.name, tuple(await self._list_quietly()))
            )
        raise explain(
            refusal,
            url=self.url,
            key_name=self._key_name,
            has_key=bool(self._key),
            max_tokens=max_tokens,
        )

    async def read_load(self) -> Load | None:
        """How busy the server says it is; None where it does not say (vLLM does, at `/metrics`)."""
        text = await self.read_page("/metrics")
        return read_load(text) if text is not None else None

    async def read_metrics(self) -> list[str] | None:
        """The server's page of metrics; None where it shows none."""
        page = await self.read_page("/metrics")
        return None if page is None else [page]

    async def read_page(self, path: str, *, timeout_s: float = 15.0) -> str | None:
        """What the server shows at `path` beside `/v1`, like `/metrics`; None where it shows nothing."""
        return await self._transport.get_page(path, timeout_s=timeout_s)

    async def _list_quietly(self) -> dict[str, dict[str, Any]]:
        try:
            response = await self._transport.get_models()
        except TransientError:
            return {}
        return read_models(response.text) if response.status_code < 300 else {}

    async def check(self, *, any_model: bool = False) -> ServerInfo:
        """Ask the server what it serves, once, without a retry; costs no tokens.

        A server that does not list its models passes: the first call will tell. With `any_model` it does
        not matter whether this model is among those served.

        Raises:
            ModelUserError: wrong key, address, or a model that is not served.
            ModelError: nothing answers.
        """
        started = time.perf_counter()
        try:
            response = await self._transport.get_models()
        except TransientError as fault:
            raise self.give_up(fault, time.perf_counter() - started) from fault
        seconds = time.perf_counter() - started
        status = response.status_code
        refusal = read_refusal(status, response.text, secret=self._key)
        if status in (429, 502, 503, 504):
            raise ModelError(
                f"{self.url} is not ready: it answered {status} ({refusal.message}); try again later"
            )
        if status == 404 and not self.base_url.rpartition("/")[2].startswith("v"):
            raise ModelUserError(explain_missing(refusal, self.url, self.name, ()))
        if 300 <= status < 500 and status not in (404, 405):
            await self._raise_refusal(response, refusal, None)
        served = read_models(response.text) if status < 300 else {}
        if served and not any_model and not serves(self.name, served):
            raise ModelUserError(explain_missing(refusal, self.url, self.name, tuple(served)))
        entry = served.get(self.name, {})
        length = entry.get("max_model_len") or entry.get("context_length") or entry.get("context_window")
        version = await self._transport.get_version() if entry.get("owned_by") == "vllm" else None
        if version is not None:
            self.opens_thinking = await self._transport.opens_thinking(self.name)
        self._info = ServerInfo(
            url=self.url,
            models=tuple(served),
            max_model_len=length if isinstance(length, int) else None,
            version=f"vllm {version}" if version else None,
            seconds=seconds,
        )
        return self._info

    def describe(self) -> list[dict[str, Any]]:
        """What `check` found, for the manifest."""
        return [] if self._info is None else [self._info.as_json()]


def _ignore() -> None:
    pass


def _read_object(response: httpx2.Response, url: str) -> dict[str, Any]:
    """The JSON object of a response that claims success; what a proxy may put in its place is tried again."""
    try:
        data = json.loads(response.content)
    except ValueError:
        data = None
    if not isinstance(data, dict) or ("error" in data and not data.get("choices")):
        start = " ".join(response.text[:100].split())
        raise TransientError(f"{url} answered something that is not a chat completion: {start!r}")
    return data
