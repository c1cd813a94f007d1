"""A clock that leaps: where every task of a program waits for time, the next moment is now.

This is the one place that needs asyncio itself, since a clock belongs to the event loop.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["run_virtual"]

T = TypeVar("T")


class _Leaping(selectors.DefaultSelector):
    """Moves the clock by the time that it was asked to wait."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("every task waits for something that is not time: nothing can ever happen")
        events = super().select(0)
        if not events:
            self.now_s += max(0.0, timeout)
        return events


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s


def run_virtual(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` on a clock that starts at 0 and leaps over every wait; what it returns.

    For programs that only compute and sleep: a thread, a process or another machine does not keep pace with a
    clock that leaps.

    Raises:
        RuntimeError: all tasks wait for each other.
    """
    return anyio.run(main, backend_options={"loop_factory": _VirtualLoop})
