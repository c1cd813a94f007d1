"""Connections that wait for a request: so long and so many, so that who says nothing keeps nobody out."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 30.0
"""Seconds that the head of a request may take from its first byte on, or from the connection's beginning."""
_LARGEST = 50_000


def count_connections() -> int:
    """Connections at once: three of four files that this process may open, the rest is for its own work."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _LARGEST if files == resource.RLIM_INFINITY else max(1, min(_LARGEST, files * 3 // 4))


class _Bounded:
    """What stands before uvicorn's own class of a connection (`make_protocol`)."""

    most: ClassVar[int]
    waiting: ClassVar[dict[Any, None]]
    """Connections without a request under way, the one that has waited longest first."""
    connections: set[Any]
    cycle: Any
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request, where there is no room in the place of another."""
        super().connection_made(transport)  # type: ignore[misc]
        self.waiting[self] = None
        self._limit_head()
        if len(self.connections) > self.most:
            oldest = next(iter(self.waiting))
            del self.waiting[oldest]  # it is gone when the loop comes to it: the next one closes another
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that has begun has to come to its end."""
        super().data_received(data)  # type: ignore[misc]
        if self.cycle is None or self.cycle.response_complete:
            self._limit_head()
        else:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may have come already."""
        self.waiting[self] = None
        super().on_response_complete()  # type: ignore[misc]
        if not self.cycle.response_complete:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)  # type: ignore[misc]

    def _limit_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make_protocol(most: int) -> type[H11Protocol]:
    """The class of uvicorn's connections with bounds of time and number; uvicorn itself has none.

    Of more than `most` connections the one that has waited longest without a request is closed.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    return type("Protocol", (_Bounded, H11Protocol), {"most": most, "waiting": {}})
