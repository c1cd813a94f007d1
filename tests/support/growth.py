"""How the work of a function grows with the size of what it is given, whatever else the machine does."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["assert_linear"]

_LEAST_S = 0.01
"""Below this the clock and the caches tell more than the work does."""
_TRIES = 6
_MOST_GROWTH = 40
"""Beside other work, which shares the caches, eight times the size cost up to 28 times; 64 is quadratic."""


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Eight times the size takes about eight times the work: 64 times would be quadratic.

    Compared are two times of this thread's own CPU, the least of some tries each, so that neither a slow nor
    a busy machine changes the verdict.
    """
    small_s = large_s = float("inf")
    for _ in range(_TRIES):
        small_s = min(small_s, _spend(work, size))
        large_s = min(large_s, _spend(work, 8 * size))
        if large_s <= _MOST_GROWTH * max(small_s, _LEAST_S):
            return
    raise AssertionError(f"{large_s / small_s:.1f} times the work for eight times the size of {size}")


def _spend(work: Callable[[int], object], size: int) -> float:
    gc.disable()  # it looks at all objects of the process, which are others' work
    try:
        started_s = time.thread_time()
        work(size)
        return time.thread_time() - started_s
    finally:
        gc.enable()
