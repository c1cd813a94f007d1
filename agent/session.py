"""Opens what a run works with, a model and a sandbox over its store, and closes it however the run ends."""

from __future__ import annotations

import math
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.calls import StoredModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from agent.budget import Budget
    from agent.models import Model
    from agent.models.openai_client import OpenAIModel
    from agent.models.replay import ReplayModel
    from agent.store import Store
    from sandbox.memo import MemoSandbox

__all__ = ["Endpoint", "SandboxChoice", "make_asked", "open_model", "open_sandbox"]


BUNDLED = "replay:examples"
"""The recording of the example problems."""


_RETRY_LINE_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which model to ask and how."""

    model: str
    base_url: str | None = None
    system_role: str = "system"
    max_in_flight: int = 64
    call_timeout_s: float = 600.0
    record: Path | None = None


@dataclass(frozen=True, slots=True)
class SandboxChoice:
    """Which sandbox to use and how."""

    name: str = "auto"
    runtime: str | None = None
    workers: int | None = None


@asynccontextmanager
async def open_sandbox(
    choice: SandboxChoice, store: Store, say: Callable[[str], None]
) -> AsyncIterator[MemoSandbox]:
    """The sandbox, with every execution kept in `store`.

    Raises:
        UserError: no sandbox of that name.
        SandboxError: it cannot isolate here.
    """
    from sandbox.choose import make_sandbox
    from sandbox.memo import MemoSandbox

    inner = make_sandbox(
        choice.name,
        workers=choice.workers,
        runtime=choice.runtime,
        say=lambda line: say(f"sstar: {line}"),
    )
    async with MemoSandbox(inner, store) as sandbox:
        yield sandbox


@asynccontextmanager
async def open_model(
    endpoint: Endpoint, store: Store, budget: Budget, say: Callable[[str], None]
) -> AsyncIterator[StoredModel]:
    """The model, with every answer kept in `store`; an endpoint is looked at before anything is paid for.

    Raises:
        UserError: wrong key or model name, no such recording.
        ModelError: the endpoint is down.
    """
    from agent.models.openai_client import OpenAIModel
    from agent.models.recording import Recorder
    from agent.models.replay import ReplayModel

    model = make_asked(endpoint, say)
    if endpoint.model == BUNDLED and isinstance(model, ReplayModel):
        say("sstar: these answers were written by hand to show the method; they say nothing about any model")
    async with AsyncExitStack() as stack:
        asked: Model = model
        if isinstance(model, OpenAIModel):
            await stack.enter_async_context(model)
            await model.check()
        if endpoint.record is not None:
            asked = stack.enter_context(Recorder(model, endpoint.record))
        yield StoredModel(asked, store, budget, max_in_flight=endpoint.max_in_flight)
        if isinstance(model, ReplayModel) and model.by_purpose:
            say(
                f"sstar: {model.by_purpose} answers were replayed by position: "
                "their prompts differ from the recording"
            )


def make_asked(endpoint: Endpoint, say: Callable[[str], None] = lambda _: None) -> OpenAIModel | ReplayModel:
    """The model that `endpoint` names, not looked at yet.

    Raises:
        UserError: the name, the address or the recording cannot be used.
    """
    from agent.models.choose import make_model

    return make_model(
        _find_recording(endpoint.model),
        base_url=endpoint.base_url,
        system_role=endpoint.system_role,
        max_in_flight=endpoint.max_in_flight,
        timeout_s=endpoint.call_timeout_s,
        on_retry=_Seldom(say),
    )


def _find_recording(spec: str) -> str:
    """`replay:examples` is the recording of the example problems, unless there is a file of that name."""
    if spec != BUNDLED or Path("examples").is_file():
        return spec
    from importlib import resources

    return f"replay:{resources.files('problems') / 'examples' / 'calls.jsonl.gz'}"


class _Seldom:
    """Passes on a line every ten seconds at most, with how many it kept back: an outage hits all calls."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said_s = -math.inf
        self._kept_back = 0

    def __call__(self, line: str) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s < _RETRY_LINE_EVERY_S:
            self._kept_back += 1
            return
        more = f" ({self._kept_back} more like it)" if self._kept_back else ""
        self._say(f"sstar: {line}{more}")
        self._said_s, self._kept_back = now_s, 0
