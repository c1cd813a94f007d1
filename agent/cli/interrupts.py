"""Ctrl-C and SIGTERM: the first lets everything finish writing, a second ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

from sstar_code.agent.calls.budget import main_cause

T = TypeVar("T")

_SHOW_CURSOR = "\x1b[?25h"
_PATIENCE_S = 1.0
"""Time that the event loop has to see an interrupt before the work that keeps it busy is broken off."""


class _BrokenOffError(BaseException):
    """Raised into work that keeps the event loop from seeing an interrupt."""


class _Interrupts:
    """Hears SIGINT and SIGTERM, also while the event loop is busy.

    The first cancels `scope`; what then keeps the loop busy for more than `_PATIENCE_S` is broken off, until
    every task had its turn to see the cancellation: what is written at the end is not. A second one exits.
    """

    def __init__(self, scope: anyio.CancelScope) -> None:
        self.heard = False
        self._scope = scope
        self._turns_left = 3  # a task that was ready to run sees a cancellation at its second turn
        self._loop = asyncio.get_running_loop()
        handlers = {signal.SIGINT: self._hear, signal.SIGTERM: self._hear, signal.SIGALRM: self._break_off}
        self._before = {number: signal.signal(number, handler) for number, handler in handlers.items()}

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
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S, _PATIENCE_S)

    def _see(self) -> None:
        self._scope.cancel()
        self._turns_left -= 1
        if self._turns_left:
            self._loop.call_soon(self._see)
        else:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _break_off(self, *_: object) -> None:
        if self._turns_left:
            raise _BrokenOffError


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
