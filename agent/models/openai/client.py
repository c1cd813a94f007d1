"""A model behind any server that speaks the OpenAI chat API, vLLM first, asked with the openai SDK."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from sstar_code.agent.models.openai.address import (
    advise_address,
    complete_azure,
    has_version,
    join,
    parse_base_url,
    show_url,
)
from sstar_code.agent.models.openai.adjustments import Adjustments
from sstar_code.agent.models.openai.completion import (
    NoCompletionError,
    estimate_tokens,
    read_answer,
    read_completion,
)
from sstar_code.agent.models.openai.connection import Connection
from sstar_code.agent.models.openai.continuation import PromptEncoder, drop_known, make_text_body
from sstar_code.agent.models.openai.refusal import (
    explain,
    explain_missing,
    is_filtered,
    is_out_of_quota,
    is_too_long,
    is_wrong_path,
    read_refusal,
)
from sstar_code.agent.models.openai.served import ServerInfo, read_models, serves
from sstar_code.agent.models.openai.surroundings import speaks_tls
from sstar_code.agent.models.openai.watch import STREAMED, StreamWatcher, watching
from sstar_code.agent.models.request import ModelError, ModelUserError, Usage
from sstar_code.agent.models.retry import RetryingModel, TransientError, is_transient, read_retry_after

if TYPE_CHECKING:
    from sstar_code.agent.models.openai.adjustments import SystemRole
    from sstar_code.agent.models.openai.refusal import Refusal
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.problems import SstarError

CALL_TIMEOUT_S = 600.0
"""Wall time of one attempt, unless the user gives another."""
_PAGE_TIMEOUT_S = 15.0
_MAY_BE_OF_ONE_CALL = (400, 403, 422, 500, 501)


class OpenAIModel(RetryingModel):
    """`name` at a chat-completions endpoint.

    Args:
        name: the name that the server knows it by.
        base_url: the address up to and including `/v1`; its query, as Azure's addresses have one, goes with
            each request.
        api_key: None where the server wants none.
        key_name: where the key comes from, for messages.
        timeout_s: wall time of one attempt.
        system_role: where system messages go, for models that know no such role.
        more: further fields of the body of every call, like `top_p`.
        checks_name: whether `check` refuses a name that the server does not list.
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
        more: Mapping[str, Any] | None = None,
        checks_name: bool = True,
        **retrying: Any,
    ) -> None:
        super().__init__(name, **retrying)
        self.opens_thinking = False
        """Whether the model's template opens `<think>`; `check` finds out where the server can tell."""
        self.adjustments = Adjustments(system_role)
        """What this endpoint was found not to take."""
        self._more = dict(more or {})
        self._checks_name = checks_name
        self._key = (api_key or "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ModelUserError(f"the key in {key_name} has characters that no key has: copy it again")
        self._key_name = key_name
        self._timeout_s = timeout_s
        self._connection = Connection(
            complete_azure(parse_base_url(base_url), name),
            self._key,
            timeout_s=timeout_s,
            most=self.max_in_flight + 4,
        )  # beside the calls, a look at what is served
        self._encoder = PromptEncoder(self.read_page, name)
        self._info: ServerInfo | None = None
        self._noted: set[str] = set()

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={self.url!r})"

    @property
    def base_url(self) -> str:
        """The address up to `/v1`, with its query."""
        return self._connection.base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._connection.base_url = base_url

    @property
    def url(self) -> str:
        """The address without credentials, for messages."""
        return self._connection.url

    @property
    def key(self) -> str:
        """The key that each request carries; empty where the server wants none. Never to be shown."""
        return self._key

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls under way fail."""
        await self._connection.close()

    async def attempt(self, request: Request) -> Answer:
        """Try once; as `RetryingModel.attempt`. What the server does not take is left out and asked again."""
        while True:
            body = await self._build_body(request)
            watcher = None if request.watch is None else StreamWatcher(request.watch)
            path = "/completions" if request.continues_prompt else "/chat/completions"
            started_s = time.perf_counter()
            with watching(watcher):
                response = await self._connection.send(
                    join(self.base_url, path), body, timeout_s=self._timeout_s
                )
            seconds = time.perf_counter() - started_s
            fault: str | None = None
            if response.status_code < 300:
                try:
                    data = read_completion(response.content, is_text=request.continues_prompt)
                except NoCompletionError as error:
                    refusal, fault = self._read_fault(error), str(error)
                    is_json = error.is_json
                else:
                    answer = read_answer(
                        data,
                        model=self.name,
                        seconds=seconds,
                        opened=self.opens_thinking,
                        raw=request.continues_prompt,
                        options=request.options,
                    )
                    answer = answer if watcher is None else watcher.note(answer)
                    return self._count(drop_known(answer, request), body)
            else:
                refusal = read_refusal(response.status_code, response.text, secret=self._key)
            learnt = self.adjustments.learn(refusal, body)
            if learnt is None:
                break
            self._note(f"{self.url}: {learnt}, since the server refuses it ({refusal.message[:120]})", learnt)
        if fault is not None:
            raise await self._explain_fault(fault, refusal, request, is_json=is_json)
        about_call = refusal.status in _MAY_BE_OF_ONE_CALL and (is_filtered(refusal) or is_too_long(refusal))
        if is_transient(refusal.status) and not about_call and not is_out_of_quota(refusal):
            raise TransientError(
                f"{self.url} answered {refusal.status}: {refusal.message}",
                retry_after_s=read_retry_after(response.headers, time.time()),
                status=refusal.status,
            )
        to = response.headers.get("location", "")
        raise await self._explain(refusal, request.max_tokens, to, body["model"])

    async def _build_body(self, request: Request) -> dict[str, Any]:
        """The body of an attempt, as far as the endpoint is known to take it."""
        adjustments = self.adjustments
        body = adjustments.build_body(request, self.name, self._more)
        if request.continues_prompt:
            body = make_text_body(body, await self._encoder.encode(body["prompt"]))
        if request.watch is not None:
            body |= {name: value for name, value in STREAMED.items() if name not in adjustments.left_out}
        if self.priorities and request.priority is not None:
            body["priority"] = request.priority
        return body

    def _read_fault(self, error: NoCompletionError) -> Refusal:
        """The error inside a response that claims success, as if it had come with its own status."""
        said = error.error or {}
        inner = said.get("error")
        code = inner.get("code") if isinstance(inner, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 400
        return read_refusal(status if error.error else 200, json.dumps(said), secret=self._key)

    async def _explain_fault(
        self, fault: str, refusal: Refusal, request: Request, *, is_json: bool
    ) -> SstarError | TransientError:
        """The error for a response that claims success and holds no completion: mostly tried again."""
        if refusal.status != 200:
            if is_filtered(refusal) or is_too_long(refusal) or is_out_of_quota(refusal):
                return await self._explain(refusal, request.max_tokens)
            if is_wrong_path(refusal) and not has_version(self.base_url):
                return ModelUserError(explain_missing(refusal, self.url, self.name, ()))
        text = read_refusal(200, json.dumps({"message": fault}), secret=self._key).message
        hint = "" if has_version(self.base_url) else "; is /v1 missing at the end of the address?"
        return TransientError(f"{self.url} answered {text}{hint}", of_one_call=is_json)

    def _count(self, answer: Answer, body: Mapping[str, Any]) -> Answer:
        """The answer with its tokens, worked out where the server gives no counts."""
        usage = answer.usage
        if usage.prompt is not None and usage.output is not None:
            return answer
        self._note(f"{self.url} gives no token counts: they are worked out from the texts", None)
        texts = (message["content"] for message in body.get("messages", ()))
        prompt = len(body["prompt"]) if "prompt" in body else estimate_tokens(*texts)
        output = estimate_tokens(answer.text, answer.reasoning)
        counted = Usage(
            prompt=prompt if usage.prompt is None else usage.prompt,
            cached=usage.cached,
            output=output if usage.output is None else usage.output,
            reasoning=usage.reasoning,
            estimated=True,
        )
        return replace(answer, usage=counted)

    def _note(self, line: str, learnt: str | None) -> None:
        """Tell what the user should know of this endpoint, once; what was `learnt` changes numbers."""
        if (learnt or line) not in self._noted:
            self._noted.add(learnt or line)
            self.on_note(line, changes_answers=learnt is not None)

    async def _explain(
        self, refusal: Refusal, max_tokens: int | None, location: str = "", name: str = ""
    ) -> SstarError:
        """The error for a refusal of `name` that no retry mends; `location` is where a redirect leads."""
        name = name or self.name
        if refusal.status == 404:
            try:
                response = await self._connection.send(
                    join(self.base_url, "/models"), timeout_s=_PAGE_TIMEOUT_S
                )
                served = tuple(read_models(response.text)) if response.status_code < 300 else ()
            except TransientError:
                served = ()
            return ModelUserError(explain_missing(refusal, self.url, name, served))
        has_key = bool(self._key)
        error = explain(
            refusal, url=self.url, key_name=self._key_name, has_key=has_key, max_tokens=max_tokens, name=name
        )
        if location and 300 <= refusal.status < 400:
            return ModelUserError(f"{error} ({show_url(location)})")
        return error

    def give_up(self, fault: TransientError, seconds: float) -> ModelError:
        """The error after the last attempt; as `RetryingModel.give_up`."""
        if fault.unreachable:
            return ModelError(f"no server answers at {self.url}: {advise_address(self.name)}")
        return ModelError(f"{self.url} gave no answer in {seconds:.0f} s, last: {fault}; run again to go on")

    async def read_page(
        self, path: str, body: dict[str, Any] | None = None, *, timeout_s: float = _PAGE_TIMEOUT_S
    ) -> str | None:
        """The text at `path` beside `/v1`, like `/metrics`; None where there is none, as with most servers.

        With a `body` it is sent there. A proxy before the server may hide such pages.
        """
        address = join(self.base_url.replace("/v1?", "?").removesuffix("/v1"), path)
        try:
            response = await self._connection.send(address, body, timeout_s=timeout_s)
        except (TransientError, ModelUserError):
            return None
        return response.text if response.status_code < 300 else None

    async def read_metrics(self) -> list[str] | None:
        """The server's page of metrics; None where it shows none."""
        page = await self.read_page("/metrics")
        return None if page is None else [page]

    async def check(self, *, any_model: bool = False) -> ServerInfo:
        """Ask the server what it serves, once, without a retry; costs no tokens.

        A server that does not list its models passes, or whose list is closed to this key: the first call
        will tell. With `any_model` it does not matter whether this model is among those served. Where the
        list is found at `/v1` below the address, that is the address from then on.

        Raises:
            ModelUserError: wrong key, address, or a model that is not served.
            ModelError: nothing answers.
        """
        started_s = time.perf_counter()
        try:
            status, text, location = await self._look(self.base_url)
            found = await self._find_version(status, text)
        except TransientError as fault:
            if fault.broken and self.base_url.startswith("http:") and await speaks_tls(self.base_url):
                raise ModelUserError(f"{self.url} speaks https: give the address as https://...") from fault
            raise self.give_up(fault, time.perf_counter() - started_s) from fault
        seconds = time.perf_counter() - started_s
        note = ""
        if found is not None:
            note, self.base_url, status, text = (
                f"{self.url} has its API at /v1",
                join(self.base_url, "/v1"),
                200,
                found,
            )
        served = read_models(text) if status < 300 else {}
        if self._checks_name:
            await self._refuse(status, text, location)
            if served and not any_model and not serves(self.name, served):
                missing = explain_missing(read_refusal(404, text), self.url, self.name, tuple(served))
                raise ModelUserError(f"{missing}; --no-model-check asks it all the same")
        if not served and status >= 400 and status not in (404, 405):
            note = f"the list of models is closed ({status})"
        if note:
            self._note(f"{self.url}: {note}", None)
        entry = served.get(self.name) or served.get(f"{self.name}:latest") or {}
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
            note=note,
        )
        return self._info

    async def _look(self, base_url: str) -> tuple[int, str, str]:
        """Status, text and, for a redirect, the goal of the response to `GET /models`."""
        response = await self._connection.send(join(base_url, "/models"), timeout_s=_PAGE_TIMEOUT_S)
        return response.status_code, response.text, response.headers.get("location", "")

    async def _find_version(self, status: int, text: str) -> str | None:
        """The list of models at `/v1` below the address, where the address itself has none."""
        if has_version(self.base_url) or (status < 300 and read_models(text)) or status in (401, 429, 503):
            return None
        there, found, _ = await self._look(join(self.base_url, "/v1"))
        return found if there < 300 and read_models(found) else None

    async def _refuse(self, status: int, text: str, location: str) -> None:
        """Raise where the response to a look at the models says that no call can succeed."""
        refusal = read_refusal(status, text, secret=self._key)
        if status in (401, 402) or 300 <= status < 400:
            raise await self._explain(refusal, None, location)
        if is_transient(status) and status not in (409, 500, 501):
            raise ModelError(
                f"{self.url} is not ready: it answered {status} ({refusal.message}); try again later"
            )
        if is_out_of_quota(refusal) and status >= 400:
            raise await self._explain(refusal, None)
        if read_models(text) and status < 300:
            return
        is_page = refusal.is_page and status < 300
        if is_page or ((status == 404 or is_wrong_path(refusal)) and not has_version(self.base_url)):
            raise ModelUserError(explain_missing(refusal, self.url, self.name, ()))

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
