"""Watches the calls to a model: one that failed for good is noted in the store, for `--retry errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.models.errors import CallError, ContextError

if TYPE_CHECKING:
    from agent.models import Answer, Model, Request
    from agent.store import Store

__all__ = ["WatchedModel"]


class WatchedModel:
    """`model`, whose failed calls `store` is told of.

    A prompt that is too long is not noted: a shorter one is asked for in its place, and asking again changes
    nothing.
    """

    def __init__(self, model: Model, store: Store) -> None:
        self.name = model.name
        self._model = model
        self._store = store

    async def ask(self, request: Request) -> Answer:
        """As `Model.ask`."""
        try:
            return await self._model.ask(request)
        except CallError as error:
            if not isinstance(error, ContextError):
                self._store.put_failure(request, str(error))
            raise
