"""Runs calls at the same time and gives their results back in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

T = TypeVar("T")


async def run_together(calls: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """The results of `calls`, all started at once, in the order of `calls`.

    The first failure ends the others and is raised as itself, not in an exception group, so that a caller
    can catch the error it knows.
    """
    waiting = list(calls)
    results: dict[int, T] = {}

    async def keep(place: int) -> None:
        results[place] = await waiting[place]()

    try:
        async with anyio.create_task_group() as group:
            for place in range(len(waiting)):
                group.start_soon(keep, place)
    except BaseExceptionGroup as failures:
        raise _first(failures) from failures
    return [results[place] for place in range(len(waiting))]


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
