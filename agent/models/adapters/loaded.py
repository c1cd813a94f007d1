"""The adapters of a running server: each is trained and loaded when a call first needs it, then unloaded.

vLLM keeps the work on a prompt by the adapter's name and path. Another adapter under the same two would be
given what the first had computed, without a word, so each load has a name and a folder that no other had.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import anyio

from sstar_code.agent.models.request import ModelError
from sstar_code.agent.models.retry import TransientError
from sstar_code.agent.telemetry.events import log_event
from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from sstar_code.agent.models.adapters.trainer import Trainer
    from sstar_code.agent.models.adapters.training import Training
    from sstar_code.agent.models.request import Request

_UNLOAD_S = 10.0

Post: TypeAlias = Callable[[str, dict[str, str]], Awaitable[tuple[int, str]]]
"""Sends a body to a path below `/v1`; status and text of the response."""


@dataclass(slots=True)
class _Held:
    """An adapter that calls may ask for."""

    training: Training
    users: int = 0
    loaded: str = ""
    """The name under which the server has it; empty: it was not needed yet."""
    generation: int = 0
    """The start of the server that has it."""
    lock: anyio.Lock = field(default_factory=anyio.Lock)


class Adapters:
    """Adapters that calls name in `extra["model"]` by `Training.name`.

    Args:
        trainer: makes them.
        post: speaks to the server.
        folder: where they are written, each into a folder of its own that is removed with it.
    """

    def __init__(self, trainer: Trainer, post: Post, folder: Path) -> None:
        self._trainer = trainer
        self._post = post
        self._folder = folder
        self._held: dict[str, _Held] = {}
        self._numbers = count(1)

    @asynccontextmanager
    async def hold(self, training: Training) -> AsyncIterator[str]:
        """The name that calls give to ask the adapter of `training`, for as long as the block lasts.

        Nothing is trained before a call needs it: answers that are stored already cost nothing again.
        """
        held = self._held.setdefault(training.name, _Held(training))
        held.users += 1
        try:
            yield training.name
        finally:
            held.users -= 1
            if not held.users:
                del self._held[training.name]
                await self._unload(held)

    async def place(self, request: Request, generation: int) -> Request:
        """`request` with the server's name of its adapter, which is there then; any other as it is.

        Args:
            request: as it was asked.
            generation: which start of the server is asked: another one knows nothing of what was loaded.

        Raises:
            ModelError: it cannot be trained or loaded.
            TransientError: the server did not answer.
        """
        held = self._held.get(str(request.extra.get("model", "")))
        if held is None:
            return request
        async with held.lock:
            if not held.loaded or held.generation != generation:
                self._remove(held)  # of a server that has died
                held.loaded, held.generation = await self._load(held.training), generation
        return replace(request, extra={**request.extra, "model": held.loaded})

    async def _load(self, training: Training) -> str:
        """Train it and give it to the server, under a name that is new."""
        name = f"{training.name}-{next(self._numbers)}"
        held = _Held(training, loaded=name)
        try:
            losses = await self._trainer.train(training, self._folder / name)
            body = {"lora_name": name, "lora_path": str(self._folder / name)}
            _check(*await self._post("/load_lora_adapter", body))
        except BaseException:
            await self._unload(held)  # the server may have it, whether its answer came or not
            raise
        log_event("adapter.loaded", name=name, losses=[round(loss, 4) for loss in losses])
        return name

    async def _unload(self, held: _Held) -> None:
        """Take it from the server, also while being cancelled; a server that is gone has it no more."""
        if held.loaded:
            with anyio.move_on_after(_UNLOAD_S, shield=True), suppress(TransientError, SstarError):
                await self._post("/unload_lora_adapter", {"lora_name": held.loaded})
        self._remove(held)

    def _remove(self, held: _Held) -> None:
        if held.loaded:
            shutil.rmtree(self._folder / held.loaded, ignore_errors=True)
        held.loaded = ""


def _check(status: int, text: str) -> None:
    """Raise where the response to a load, with this status, is no success."""
    said = f"{status}: {' '.join(text.split())[:200]}"
    if status >= 500:
        raise TransientError(f"the server answered {said}", status=status)
    if status >= 300:
        raise ModelError(f"vLLM does not load an adapter ({said})")
