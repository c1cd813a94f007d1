"""The model behind a server of our own: calls wait while it starts again, and are then asked again."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio

from sstar_code.agent.models.openai.client import OpenAIModel
from sstar_code.agent.models.request import ModelError, ModelUserError
from sstar_code.agent.models.retry import TransientError
from sstar_code.agent.models.vllm.facts import find_facts
from sstar_code.agent.models.vllm.server import KeepAlive, VllmServer

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.agent.models.vllm.plan import Plan

_log = logging.getLogger(__name__)
_HEALTH_TIMEOUT_S = 5.0


class ManagedModel(OpenAIModel):
    """The model of `plan`, served while `async with` lasts; waiting for a restart costs no attempt.

    Args:
        plan: what to start.
        say: gets one line when the server starts, ends or starts again.
        keep: how the server is looked after.
        options: further arguments of `OpenAIModel`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        say: Callable[[str], None] = _log.info,
        keep: KeepAlive = KeepAlive(),  # noqa: B008 - frozen
        **options: Any,
    ) -> None:
        super().__init__(
            plan.served,
            base_url=plan.base_url(plan.port or 1),
            api_key=plan.key,
            key_name="the key made for this server",
            **options,
        )
        self.priorities = "--scheduling-policy priority" in " ".join(plan.words(0)).replace("=", " ")
        self.plan = plan
        self.log: Path | None = None
        """The file that the server writes to; None makes one that is gone with the model."""
        self._say = say
        self._keep = keep
        self._server: VllmServer | None = None
        self._stack = AsyncExitStack()

    def __repr__(self) -> str:
        return f"ManagedModel({self.name!r})"

    @property
    def server(self) -> VllmServer:
        """The server; only inside `async with`."""
        if self._server is None:
            raise ModelError(f"vLLM with {self.name} has not been started")
        return self._server

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
            undo.push_async_callback(self.aclose)
            self._server = VllmServer(
                self.plan, log=self.log, say=self._say, is_healthy=self._is_healthy, keep=self._keep
            )
            await undo.enter_async_context(self._server)
            self._stack = undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _is_healthy(self, base_url: str) -> bool:
        self.base_url = self.url = base_url  # each start may have another port
        return await self.read_page("/health", timeout_s=_HEALTH_TIMEOUT_S) is not None

    async def attempt(self, request: Request) -> Answer:
        """Try once; a server that dies meanwhile is started again first.

        Raises:
            TransientError: another try may do better.
            ModelError: as `ask`, or the server died too often.
        """
        while True:
            generation = await self.server.ready()
            try:
                return await super().attempt(request)
            except TransientError as fault:
                if not fault.is_outage or not await self.server.is_lost(generation):
                    raise

    def give_up(self, fault: TransientError, seconds: float) -> ModelError:
        """The error after the last attempt; as `RetryingModel.give_up`."""
        return ModelError(
            f"vLLM gave no answer in {seconds:.0f} s, last: {fault}; its log is {self.log}; "
            "run again to go on"
        )

    async def read_metrics(self) -> list[str] | None:
        """The server's page of metrics, once it can be asked; None when it will never be again."""
        while True:
            try:
                await self.server.ready()
            except ModelError:
                return None
            if (pages := await super().read_metrics()) is not None:
                return pages
            await anyio.sleep(1.0)

    def describe(self) -> list[dict[str, Any]]:
        """The server that runs, for the manifest; a model that had to be fetched has its revision now."""
        plan = self.server.plan
        facts = plan.facts
        if facts.folder is None:
            try:
                facts = find_facts(facts.name)
            except ModelUserError:
                facts = plan.facts  # only the record is poorer
        (said,) = super().describe() or [{}]
        return [{**plan.as_json(), "revision": facts.revision, **said}]
