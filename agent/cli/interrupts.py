"""Ctrl-C and SIGTERM: the first lets everything finish writing, a second ends at once."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

import anyio

from sstar_code.agent.calls.budget import main_cause

T = TypeVar("T")

_SHOW_CURSOR = "\x1b[?25h"
_PATIENCE_S = 1.0
"""Time that the event loop has to see an interrupt before the work that keeps it busy is broken off."""
_AGAIN_S = 0.1
"""Then it is tried so often, since not all work may be broken off."""


class _BrokenOffError(BaseException):
    """Raised into work that keeps the event loop from seeing an interrupt."""


class _Interrupts:
    """Hears SIGINT and SIGTERM, also while the event loop is busy.

    The first cancels `scope`; work that then keeps the loop busy for more than `_PATIENCE_S` is broken off,
    until every task had its turn to see the cancellation. A second one exits.
    """

    def __init__(self, scope: anyio.CancelScope) -> None:
        self.heard = False
        self._scope = scope
        self._turns_left = 3  # a task that was ready to run sees a cancellation at its second turn
        self._loop = asyncio.get_running_loop()
        self._before = {
            signal.SIGINT: signal.signal(signal.SIGINT, self._hear),
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._hear),
            signal.SIGALRM: signal.signal(signal.SIGALRM, self._break_off),
        }

    def close(self) -> None:
        """Leave the signals as they were."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, *_: object) -> None:
        if self.heard:
            if sys.stderr.isatty():
                os.write(2, _SHOW_CURSOR.encode())  # a progress bar had hidden it
            os._exit(130)
        self.heard = True
        os.write(2, b"\nsstar: stopping (press Ctrl-C again to stop at once)\n")
        self._loop.call_soon_threadsafe(self._see)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S, _AGAIN_S)

    def _see(self) -> None:
        self._scope.cancel()
        self._turns_left -= 1
        if self._turns_left:
            self._loop.call_soon(self._see)
        else:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _break_off(self, _: int, frame: FrameType | None) -> None:
        if self._turns_left and _is_work(frame):
            raise _BrokenOffError


def _is_work(frame: FrameType | None) -> bool:
    """Whether `frame` runs a plain function that a coroutine of ours called and that nobody has cancelled.

    An exception anywhere else can leave a lock taken or a wait without an end: in the event loop, in a
    library's coroutine, in what a cancelled task still writes and closes.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # the loop has ended
        return False
    if task is None or task.cancelling():
        return False
    called = False
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if frame.f_code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            return called and module == __name__.partition(".")[0]
        if module in {"anyio", "asyncio"}:
            return False
        frame, called = frame.f_back, True
    return False


async def run_interruptible(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Await `main()`; the first SIGINT or SIGTERM cancels it so that it closes what it opened.

    Raises:
        KeyboardInterrupt: it was cancelled this way.
    """
    results: list[T] = []
    scope = anyio.CancelScope()
    interrupts = _Interrupts(scope)
    try:
        with scope:
            results.append(await main())
    except BaseException as error:
        if interrupts.heard and isinstance(main_cause(error), _BrokenOffError):
            raise KeyboardInterrupt from error
        raise
    finally:
        interrupts.close()
    if not results:
        raise KeyboardInterrupt
    return results[0]
