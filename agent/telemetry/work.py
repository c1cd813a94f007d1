"""The problem and stage that the work under way is for; programs run meanwhile are counted there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_WORK: ContextVar[tuple[str, str]] = ContextVar("work", default=("", "other"))


@contextmanager
def working_on(problem_id: str, stage: str) -> Iterator[None]:
    """Programs run inside, by tasks begun inside too, are counted for this problem and stage."""
    token = _WORK.set((problem_id, stage))
    try:
        yield
    finally:
        _WORK.reset(token)


def current_work() -> tuple[str, str]:
    """Problem and stage that the work under way is for; ("", "other") where nobody said."""
    return _WORK.get()
