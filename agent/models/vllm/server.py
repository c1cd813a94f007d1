"""A `vllm serve` that is started, looked after and ended, and the model behind it."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio

from sstar_code.agent.models.adapters.loaded import Adapters
from sstar_code.agent.models.adapters.trainer import Trainer
from sstar_code.agent.models.openai.address import join
from sstar_code.agent.models.openai.client import OpenAIModel
from sstar_code.agent.models.request import ModelError, ModelUserError
from sstar_code.agent.models.retry import TransientError
from sstar_code.agent.models.vllm.facts import find_facts
from sstar_code.agent.models.vllm.plan import find_free_port
from sstar_code.agent.models.vllm.process import (
    ServerProcess,
    explain_end,
    find_refused_flag,
    find_step,
    reap_orphans,
)
from sstar_code.sandbox.ownership import hold_folder, reap_folders

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer, Request
    from sstar_code.agent.models.vllm.plan import Plan

_IN_USE = re.compile(r"address already in use", re.IGNORECASE)
_MAX_MENDED_STARTS = 4


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Limits and waits of keeping a server alive."""

    max_restarts: int = 3
    """Restarts in a row, that is without `settled_s` of service between them."""
    first_wait_s: float = 1.0
    """Wait before a restart; doubles with each."""
    settled_s: float = 600.0
    silent_s: float = 900.0
    """A start that writes nothing to its log for so long has failed."""
    dying_s: float = 8.0
    """A server that broke a call has so long to end before it is asked whether it is well: one whose engine
    was killed says for some seconds that it is."""
    tell_every_s: float = 10.0
    poll_s: float = 0.25
    grace_s: float = 10.0
    """Seconds between asking a server to end and killing it."""


class VllmServer:
    """The server of `plan`, for as long as `async with` lasts.

    Args:
        plan: what to start.
        log: the file that it writes to.
        say: gets one line when something happens.
        is_healthy: whether a server answers at a base URL.
        keep: how it is looked after.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        log: Path,
        say: Callable[[str], None],
        is_healthy: Callable[[str], Awaitable[bool]],
        keep: KeepAlive,
    ) -> None:
        self.plan = plan
        """The plan that runs: flags that this vLLM does not know have been left out."""
        self.log = log
        self.base_url = ""
        """Address of the present start."""
        self.generation = 0
        """Starts that came up."""
        self.restarts = 0
        self._say = say
        self._is_healthy = is_healthy
        self._keep = keep
        self._process: ServerProcess | None = None
        self._up = anyio.Event()
        self._down = anyio.Event()
        self._up_since_s = 0.0
        self._failure: str | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            ModelUserError: vLLM does not take the arguments.
            ModelError: it did not come up; the message says why.
        """
        if reaped := reap_orphans():
            self._say(f"ended {reaped} processes of a vLLM that an earlier run left")
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._stop)
            await self._bring_up()
            group = await undo.enter_async_context(anyio.create_task_group())
            undo.callback(group.cancel_scope.cancel)
            group.start_soon(self._keep_alive)
            self._open = undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _stop(self) -> None:
        if self._process is not None:
            await self._process.stop()

    async def ready(self) -> int:
        """Wait until the server can be asked; its generation.

        Raises:
            ModelError: it will not come up again.
        """
        await self._up.wait()
        if self._failure is not None:
            raise ModelError(self._failure)
        return self.generation

    async def is_lost(self, generation: int) -> bool:
        """Whether start number `generation`, which broke a call, has ended or is of no use any more."""
        down = self._down
        if self.generation != generation or down.is_set():
            return True
        with anyio.move_on_after(self._keep.dying_s):
            await down.wait()
        if down.is_set():
            return True
        if await self._is_healthy(self.base_url):
            return False
        if self._down is down and self._process is not None:
            self._say("vLLM runs but answers nothing: ending it")
            await self._process.stop()
        return True

    async def _keep_alive(self) -> None:
        in_a_row = 0
        while self._failure is None and self._process is not None:
            code = await self._process.wait()
            self._up = anyio.Event()
            self._down.set()
            if time.monotonic() - self._up_since_s >= self._keep.settled_s:
                in_a_row = 0
            why = explain_end(self._process.read_log(), code)
            in_a_row = await self._start_again(why, in_a_row)

    async def _start_again(self, why: str, in_a_row: int) -> int:
        """Until it is up or is given up; how many restarts in a row that makes."""
        while in_a_row < self._keep.max_restarts:
            wait_s = self._keep.first_wait_s * 2**in_a_row
            in_a_row += 1
            self.restarts += 1
            most = self._keep.max_restarts
            self._say(f"vLLM ended ({why}); start {in_a_row} of {most} more in {wait_s:g} s")
            await anyio.sleep(wait_s)
            try:
                await self._bring_up()
            except (ModelError, ModelUserError) as error:
                why = str(error)
                continue
            return in_a_row
        self._failure = (
            f"vLLM ended {in_a_row + 1} times, last: {why}; its log is {self.log}; run again to go on"
        )
        self._up.set()
        return in_a_row

    async def _bring_up(self) -> None:
        for _ in range(_MAX_MENDED_STARTS):
            port = self.plan.port or find_free_port(self.plan.host)
            self.base_url = self.plan.base_url(port)
            self._say(f"starting vLLM with {self.plan.facts.name} at {self.base_url} (log: {self.log})")
            started_s = time.monotonic()
            self._process = await ServerProcess.start(
                self.plan.words(port), self.plan.full_environment(), self.log, grace_s=self._keep.grace_s
            )
            if await self._wait_until_healthy(self._process):
                self._up_since_s = time.monotonic()
                self.generation += 1
                self._down = anyio.Event()
                self._up.set()
                self._say(f"vLLM is ready after {self._up_since_s - started_s:.0f} s")
                return
            text, code = self._process.read_log(), await self._process.wait()
            if not self._mend(text):
                break
        raise self._explain(text, code)

    def _mend(self, log: str) -> bool:
        """Whether another start may do better: a port that was taken, a flag of ours that is not known."""
        refused = find_refused_flag(log)
        other = None if refused is None else self.plan.without(refused)
        if other is not None:
            self._say(f"this vLLM does not know {refused}: starting without it")
            self.plan = other
            return True
        return self.plan.port is None and _IN_USE.search(log) is not None

    def _explain(self, log: str, code: int) -> ModelError | ModelUserError:
        why = explain_end(log, code)
        if code == 2:  # what argparse ends with
            return ModelUserError(f"vLLM does not take its arguments: {why} (log: {self.log})")
        return ModelError(f"vLLM did not start: {why} (log: {self.log})")

    async def _wait_until_healthy(self, process: ServerProcess) -> bool:
        """False where it ended first."""
        started_s = told_s = grown_s = time.monotonic()
        size = 0
        while process.code is None:
            if await self._is_healthy(self.base_url):
                return True
            now_s = time.monotonic()
            if (now_size := process.log_size()) > size:
                size, grown_s = now_size, now_s
            elif now_s - grown_s >= self._keep.silent_s:
                await process.stop()
                raise ModelError(
                    f"vLLM did not start: it wrote nothing for {self._keep.silent_s:g} s (log: {self.log})"
                )
            if now_s - told_s >= self._keep.tell_every_s:
                told_s = now_s
                step = find_step(process.read_log()) or "loading"
                self._say(f"vLLM is starting, {now_s - started_s:.0f} s: {step}")
            await anyio.sleep(self._keep.poll_s)
        return False


_log = logging.getLogger(__name__)
_HEALTH_TIMEOUT_S = 5.0
_LOAD_TIMEOUT_S = 120.0


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
        keep: KeepAlive = KeepAlive(),
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
        self.adapters: Adapters | None = None
        """Adapters that calls may ask; None before `async with`, and where the plan has none."""
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
            if python := self.plan.python:
                self.adapters = await undo.enter_async_context(self._open_adapters(python))
            self._stack = undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def _open_adapters(self, python: str) -> AsyncIterator[Adapters]:
        """Adapters of this server, for as long as it runs."""
        planned = self.plan.facts
        facts = find_facts(planned.name, revision=planned.revision)  # what had to be fetched is here now
        trainer = Trainer(python, str(facts.folder or facts.name))
        trainer.log = self.log and self.log.with_name(f"{self.log.stem}-training.log")
        reap_folders()
        with hold_folder() as folder:
            try:
                yield Adapters(trainer, self._post, folder)
            finally:
                await trainer.aclose()

    async def _post(self, path: str, body: dict[str, str]) -> tuple[int, str]:
        """Status and text of the response to a body sent to `path` below `/v1`."""
        response = await self._connection.send(join(self.base_url, path), body, timeout_s=_LOAD_TIMEOUT_S)
        return response.status_code, response.text

    async def _is_healthy(self, base_url: str) -> bool:
        self.base_url = base_url  # each start may have another port
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
                sent = request if self.adapters is None else await self.adapters.place(request, generation)
                return await super().attempt(sent)
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
