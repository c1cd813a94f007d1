"""Ctrl-C once: finish writing and stop. Twice: stop now."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio.abc import TaskStatus

__all__ = ["run_interruptible"]

T = TypeVar("T")
_SHOW_CURSOR = "\x1b[?25h"


async def run_interruptible(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Await `main()`; the first SIGINT or SIGTERM cancels it so that it closes what it opened.

    Raises:
        KeyboardInterrupt: it was cancelled this way.
    """
    results: list[T] = []
    interrupted = False
    async with anyio.create_task_group() as group:

        async def watch(*, task_status: TaskStatus[None]) -> None:
            nonlocal interrupted
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for _ in signals:
                    if interrupted:
                        if sys.stderr.isatty():
                            sys.stderr.write(_SHOW_CURSOR)  # a progress bar had hidden it
                            sys.stderr.flush()
                        os._exit(130)
                    interrupted = True
                    sys.stderr.write("\nsstar: stopping (press Ctrl-C again to stop at once)\n")
                    scope.cancel()

        scope = anyio.CancelScope()
        await group.start(watch)
        with scope:
            results.append(await main())
        group.cancel_scope.cancel()
    if not results:
        raise KeyboardInterrupt
    return results[0]
