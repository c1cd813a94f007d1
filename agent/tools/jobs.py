"""Work that takes longer than a client waits for one call: it goes on, and is asked for again by a handle."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a piece of work."""

    program: str
    why: str
    confidence: float | None
    report: dict[str, Any]
    diff: str = ""
    """The change of a file; empty where the work was about none."""


@dataclass(slots=True)
class Job:
    """One piece of work."""

    handle: str
    lines: list[str] = field(default_factory=list)
    """What happened, a line each."""
    made: Made | None = None
    failure: str = ""
    ended: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Jobs:
    """Jobs by handle, as long as `group` is open; the oldest that ended are forgotten first."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._jobs: dict[str, Job] = {}

    def begin(self, work: Callable[[Job], Awaitable[Made]], fails: type[Exception]) -> Job:
        """Start `work`; an error of the kind `fails` is how it ends."""
        job = Job(secrets.token_hex(8))
        for old in [name for name, kept in self._jobs.items() if kept.ended.is_set()][: -_MOST_KEPT or None]:
            del self._jobs[old]
        self._jobs[job.handle] = job

        async def run() -> None:
            with job.scope:
                try:
                    job.made = await work(job)
                except fails as error:
                    job.failure = str(error)
                except Exception as error:  # noqa: BLE001 - a fault of ours ends this job, and nobody else's
                    job.failure = f"sstar failed: {type(error).__name__}: {error}"
            if job.made is None and not job.failure:
                job.failure = "cancelled"
            job.ended.set()

        self._group.start_soon(run)
        return job

    def find(self, handle: str) -> Job | None:
        """The job, None where there is none of that handle."""
        return self._jobs.get(handle)
