"""The model behind a server of our own: calls wait while it starts again, and are then asked again."""

from __future__ import annotations

import logging
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio

from sstar_code.agent.models.errors import ModelError, ModelUserError
from sstar_code.agent.models.load import read_load
from sstar_code.agent.models.openai.client import OpenAIModel
from sstar_code.agent.models.retry import RetryPolicy, Stubborn, TransientError
from sstar_code.agent.models.vllm.modelfacts import find_facts
from sstar_code.agent.models.vllm.server import KeepAlive, VllmServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sstar_code.agent.models.load import Load
    from sstar_code.agent.models.openai.endpoint import ServerInfo
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.agent.models.vllm.plan import Plan

__all__ = ["ManagedModel"]

_log = logging.getLogger(__name__)
_HEALTH_TIMEOUT_S = 5.0


class ManagedModel:
    """The model of `plan`, served while `async with` lasts.

    Args:
        plan: what to start.
        say: gets one line when the server starts, ends or starts again.
        max_in_flight: calls under way at once.
        retry_policy: how often a call that failed is sent again; waiting for a restart costs none of it.
        on_retry: gets one line before each wait.
        keep: how the server is looked after.
        options: further arguments of `OpenAIModel`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        say: Callable[[str], None] = _log.info,
        max_in_flight: int = 128,
        retry_policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        on_retry: Callable[[str], None] = _log.warning,
        keep: KeepAlive = KeepAlive(),  # noqa: B008 - frozen
        **options: Any,
    ) -> None:
        self.name = plan.served
        self.plan = plan
        self.log: Path | None = None
        """Where the server writes; None makes a file of its own, gone with the model."""
        self._say = say
        self._keep = keep
        self._max_in_flight = max_in_flight
        self._options = options
        self._stubborn = Stubborn(max_in_flight=max_in_flight, policy=retry_policy, on_retry=on_retry)
        self._clients: dict[str, OpenAIModel] = {}
        """By address; one for every start."""
        self._server: VllmServer | None = None
        self._stack = AsyncExitStack()
        self._on_busy: Callable[[], None] = _ignore
        self._info: ServerInfo | None = None
        self.max_num_seqs: int | None = None
        """Sequences that the server runs at once; None: its own default, seen in its load."""
        words = " ".join(plan.words(0)).replace("=", " ")
        self.priorities = "--scheduling-policy priority" in words
        """Whether the server puts requests of a lower `priority` first."""

    def __repr__(self) -> str:
        return f"ManagedModel({self.name!r})"

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often a call that failed is sent again."""
        return self._stubborn.policy

    @retry_policy.setter
    def retry_policy(self, policy: RetryPolicy) -> None:
        self._stubborn.policy = policy

    @property
    def on_busy(self) -> Callable[[], None]:
        """Called when the server refuses a call because of its load."""
        return self._on_busy

    @on_busy.setter
    def on_busy(self, heard: Callable[[], None]) -> None:
        self._on_busy = heard
        for client in self._clients.values():
            client.on_busy = heard

    @property
    def server(self) -> VllmServer:
        """The server; only inside `async with`."""
        if self._server is None:
            raise ModelError(f"vLLM with {self.name} has not been started")
        return self._server

    @property
    def client(self) -> OpenAIModel:
        """The client of the present start."""
        return self._client_at(self.server.base_url)

    def _client_at(self, base_url: str) -> OpenAIModel:
        if base_url not in self._clients:
            client = self._clients[base_url] = OpenAIModel(
                self.name,
                base_url=base_url,
                api_key=self.plan.key,
                key_name="the key made for this server",
                max_in_flight=self._max_in_flight,
                **self._options,
            )
            client.on_busy, client.priorities = self._on_busy, self.priorities
        return self._clients[base_url]

    async def __aenter__(self) -> Self:
        """Start the server and wait for it.

        Raises:
            ModelUserError: vLLM does not take its arguments.
            ModelError: it did not come up.
        """
        async with AsyncExitStack() as undo:
            if self.log is None:
                folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="sstar-vllm-"))
                self.log = Path(folder) / "vllm.log"
            undo.push_async_callback(self._close_clients)
            self._server = VllmServer(
                self.plan, log=self.log, say=self._say, is_healthy=self._is_healthy, keep=self._keep
            )
            await undo.enter_async_context(self._server)
            self._stack = undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _close_clients(self) -> None:
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()

    async def _is_healthy(self, base_url: str) -> bool:
        return await self._client_at(base_url).read_page("/health", timeout_s=_HEALTH_TIMEOUT_S) is not None

    async def check(self, *, any_model: bool = False) -> ServerInfo:
        """As `OpenAIModel.check`."""
        self._info = await self.client.check(any_model=any_model)
        return self._info

    async def ask(self, request: Request) -> Answer:
        """Answer `request`; a server that dies meanwhile is started again first.

        Raises:
            ModelError: as `OpenAIModel.ask`, or the server died too often.
        """
        return await self._stubborn.call(lambda: self._attempt(request), self._give_up)

    async def _attempt(self, request: Request) -> Answer:
        while True:
            generation = await self.server.ready()
            try:
                return await self.client.attempt(request)
            except TransientError as fault:
                if not fault.is_outage or not await self.server.is_lost(generation):
                    raise

    def _give_up(self, fault: TransientError, seconds: float) -> ModelError:
        return ModelError(
            f"vLLM gave no answer in {seconds:.0f} s, last: {fault.why}; its log is {self.server.log}; "
            "run again to go on"
        )

    async def read_metrics(self) -> list[str] | None:
        """The server's page of metrics, once it can be asked; None when it will never be again."""
        while True:
            try:
                await self.server.ready()
            except ModelError:
                return None
            if (pages := await self.client.read_metrics()) is not None:
                return pages
            await anyio.sleep(1.0)

    async def read_load(self) -> Load | None:
        """How busy the server says it is."""
        pages = await self.read_metrics()
        return read_load(pages[0]) if pages else None

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for the manifest; a model that had to be fetched has its revision now."""
        plan = self.server.plan
        facts = plan.facts
        if facts.folder is None:
            try:
                facts = find_facts(facts.name)
            except ModelUserError:
                facts = plan.facts  # only the record is poorer
        return [
            {**plan.as_json(), "revision": facts.revision, **(self._info.as_json() if self._info else {})}
        ]


def _ignore() -> None:
    pass
