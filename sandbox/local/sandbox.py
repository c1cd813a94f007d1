"""Sandboxes without an engine: the supervisor under Linux namespaces.

What each level covers. All: no network, no process of the host visible, a read-only root that holds the
interpreter and libraries alone, nothing writable at all, no new privileges, system call filters, limits on
CPU time, wall time, address space, output and files, every run killed with all it started.

    root              Besides: each run has a uid of its own, so no run can signal, trace or read the
                      supervisor or another run even if the filter had a hole; threads limited per uid.
    bubblewrap,       One uid for the supervisor and its runs. They are told apart by the filter (no
    user namespaces   process but a run's own can be signalled, traced, read or have its limits changed, no
                      process can be made) and by being undumpable, so a hole in the filter would lay the
                      supervisor of that one worker open; other workers are in other namespaces. Threads are
                      limited by number since Linux 5.14, before that by memory alone; what else the kernel
                      counts by uid (pipes' memory, pending signals) all workers share.
    unsafe            No namespace, no uid, no root of its own: the filter and the limits only. Programs
                      read every file that you can read. For machines that isolate from outside.

What none covers: holes in the kernel and timing side channels between cores. Memory that the kernel uses on a
program's behalf is bounded by its descriptors, threads and address space, but charged to nobody; where that
matters use a container or a virtual machine per set. docs/running-programs/attacks.md lists what is tried
and what is left.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from sstar_code.sandbox.environment import find_libraries
from sstar_code.sandbox.inside import seccomp
from sstar_code.sandbox.languages.host import prepare_tools
from sstar_code.sandbox.local.pipe_worker import (
    PipeWorker,
    Way,
    find_interpreter,
    list_ways,
    start_in_bubblewrap,
    start_in_namespaces,
)
from sstar_code.sandbox.outcome import SandboxError
from sstar_code.sandbox.workers.pool import PooledSandbox
from sstar_code.sandbox.workers.protocol import Settings, command

if TYPE_CHECKING:
    from sstar_code.sandbox.repository import IsolatedRepository
    from sstar_code.sandbox.workers.protocol import Worker

_log = logging.getLogger(__name__)


class LocalSandbox(PooledSandbox):
    """Isolates by what the kernel gives this user; see the module's header for what that covers."""

    def __init__(
        self,
        workers: int | None = None,
        *,
        ways: Sequence[Way] | None = None,
        packages: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> None:
        """Use `workers` at once (None: the usable cores) and the first of `ways` that works.

        `packages` are libraries that programs find beside the usual ones, `languages` what programs may be
        written in beside Python.

        Raises:
            UserError: one of `packages` is not installed, or there is no compiler.
        """
        super().__init__("local", self._make, workers=workers)
        tools = prepare_tools() if languages else None
        self._ways = list(ways) if ways is not None else list_ways(packages=packages, tools=tools)
        self._made = itertools.count()
        self._repositories = itertools.count()
        self.way: Way | None = None
        """The way in use, once entered."""

    def _make(self) -> PipeWorker:
        assert self.way is not None
        settings = self.way.settings
        if settings.uids is not None:  # what the kernel counts by uid must not add up over workers
            (first, count) = settings.uids
            share = max(1, count // (2 * self.workers))
            place = next(self._made) % (2 * self.workers)
            settings = replace(settings, uids=(first + place * share, share))
        return PipeWorker(self.way.arguments, settings)

    def make_repository_worker(self, repository: IsolatedRepository) -> Worker:
        """A worker for `session.ProjectSession`, in the way in use; not started yet."""
        assert self.way is not None
        (start, uids) = (self.way.arguments[0], self.way.settings.uids)
        parts = (repository.outer_trees, list(repository.files), list(repository.links))
        (scratch, binds) = (repository.scratch, repository.binds)
        if self.way.name == "bubblewrap":
            arguments = start_in_bubblewrap(
                start, repository.command, parts, folder=str(repository.root), scratch=scratch, binds=binds
            )
        else:
            uid = None if uids is None else uids[0] + uids[1] - 1 - next(self._repositories) % (uids[1] // 2)
            arguments = start_in_namespaces(
                start,
                repository.command,
                parts,
                user=self.way.name != "root",
                scratch=scratch,
                binds=binds,
                uid=uid,
            )
        return PipeWorker(arguments, Settings())

    async def __aenter__(self) -> Self:
        """Start the first worker in the best way that works.

        Raises:
            SandboxError: none does; the message says what to install.
        """
        reasons = []
        for way in self._ways:
            self.way = way
            try:
                return await super().__aenter__()
            except SandboxError as error:
                reasons.append(f"{way.name}: {error}")
        why = "; ".join(reasons) or "no way to isolate is known here"
        raise SandboxError(
            f"cannot isolate programs here without an engine ({why}). Install bubblewrap, run as root, "
            "or use Docker (`--sandbox docker`)"
        )


class UnsafeSandbox(PooledSandbox):
    """Limits without isolation, asked for by name only; it warns when it is entered."""

    def __init__(
        self, workers: int | None = None, *, packages: Sequence[str] = (), languages: Sequence[str] = ()
    ) -> None:
        """Use `workers` at once (None: the usable cores), with `packages` beside the usual libraries.

        `languages` as for `LocalSandbox`.

        Raises:
            UserError: one of `packages` is not installed, or there is no compiler.
        """
        super().__init__("unsafe", self._make, workers=workers)
        (names, parts) = find_libraries(packages)
        paths = tuple(sorted({str(part.parent) for part in parts}))
        self._settings = Settings(
            seccomp=seccomp.SUPPORTED,
            processes=0,
            libraries=tuple(names),
            library_paths=paths,
            tools=str(prepare_tools().folder) if languages else None,
        )

    def _make(self) -> PipeWorker:
        return PipeWorker(command(find_interpreter()), self._settings)

    async def __aenter__(self) -> Self:
        """Warn, then start the first worker."""
        _log.warning("sandbox `unsafe`: programs can read every file that you can read")
        return await super().__aenter__()
