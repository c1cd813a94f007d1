"""What several commands do with their options: read problems, run to the end or to Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from sstar_code.agent.cli.options import DataOptions
    from sstar_code.problems import Problem
    from sstar_code.problems.sets.faults import Fault
    from sstar_code.problems.sets.load import ProblemSet

T = TypeVar("T")


def say(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(line + "\n")


def say_failed(failures: Sequence[str], samples: int) -> None:
    """Tell that samples, of so many, ended with a call that failed for good, and why the first did."""
    say(f"sstar: {len(failures)} of {samples} samples ended with a failed model call, like: {failures[0]}")


def load_problems(
    spec: str, options: DataOptions, *, on_fault: Callable[[Fault], None] | None = None
) -> tuple[ProblemSet, list[Problem]]:
    """The set and the problems of it that were asked for; `on_fault` is told of rows that cannot be used.

    Raises:
        UserError: the set cannot be read, a filter cannot be used, or nothing is left.
    """
    from sstar_code.problems.sets.load import filter_problems, load_set

    whole = load_set(
        spec,
        start_date=_read_date("--start-date", options.start_date),
        end_date=_read_date("--end-date", options.end_date),
        on_fault=on_fault,
    )
    chosen = filter_problems(whole.problems, options.filter_ or ())[: options.limit]
    if not chosen and on_fault is None:
        raise UserError(f"{spec}: no problem is left after --filter, --limit and the dates")
    return whole, chosen


def _read_date(flag: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{flag} {text!r}: not a date; write it like 2024-08-31") from error


def run_async(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` to its end or to the first Ctrl-C, which lets it finish writing; a second ends at once.

    Raises:
        KeyboardInterrupt: it was interrupted; everything finished is written.
    """
    import anyio

    return anyio.run(run_interruptible, main)


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
