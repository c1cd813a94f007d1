"""The Docker sandbox.

Covers: everything that a run does stays in a container without network, writable folder, shell or devices,
under a system call filter of the engine's and one of ours; each run has a uid of its own, so that it can
neither signal, trace nor read the supervisor or another run; processes and memory are limited per run and
again per container, the kernel's memory on their behalf included. Containers end with the process that made
them, however it ends.

Does not cover: holes in the kernel (a runtime such as gVisor's `runsc` narrows that), in the engine, timing
side channels between cores; a run can see the processes that started it and how many ran before it
(docs/running-programs/attacks.md lists what is tried and what is left). Whoever may use the engine's
socket is root on its machine: that is a property of Docker, and the programs never see that socket.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import to_thread

from sstar_code.sandbox.docker.container import (
    ContainerSpec,
    choose_memory_mb,
    choose_read_only_paths,
    choose_settings,
    create_container,
    new_labels,
    reap_orphans,
)
from sstar_code.sandbox.docker.engine import connect_engine, engine_address
from sstar_code.sandbox.docker.worker import DockerWorker, LiveContainers
from sstar_code.sandbox.environment import LIBRARY_FOLDER
from sstar_code.sandbox.image.build import ensure_image, find_image, list_libraries
from sstar_code.sandbox.languages.host import TOOLS_FOLDER
from sstar_code.sandbox.outcome import SandboxError
from sstar_code.sandbox.workers.pool import PooledSandbox
from sstar_code.sandbox.workers.protocol import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docker import APIClient

    from sstar_code.sandbox.repository import IsolatedRepository
    from sstar_code.sandbox.workers.protocol import Worker

_OVERHEAD_MB = 512
_TMPFS = "rw,exec,nosuid,nodev"
"""Owned by the user inside: the engine takes the mode from the image's folder, whatever is asked for."""


class RepositoryContainer(DockerWorker):
    """A `protocol.Worker` whose container shows one repository."""

    def __init__(
        self,
        client: APIClient,
        spec: ContainerSpec,
        live: LiveContainers,
        repository: IsolatedRepository,
        uid: int,
    ) -> None:
        """Show `repository` to the user `uid`.

        Raises:
            SandboxError: the engine is on another machine, where this one's folders are not.
        """
        if not engine_address().startswith("unix://"):
            raise SandboxError(
                f"the Docker engine at {engine_address()} cannot show folders of this machine; use "
                "`--sandbox local` for a repository's tests"
            )
        super().__init__(client, spec, Settings(), live)
        self._repository = repository
        self._uid = uid

    def _create(self, client: APIClient, spec: ContainerSpec) -> str:
        from docker.types import Mount, Ulimit

        repository = self._repository
        ((path, size_mb, files), (_, shared_mb, _)) = repository.scratch
        shown = [(tree, tree) for tree in (*repository.outer_trees, *repository.files)]
        shown += [("/usr/bin", link) for link, target in repository.links if target == "usr/bin"]
        shown += repository.binds
        return create_container(
            client,
            replace(spec, memory_mb=repository.memory_mb + _OVERHEAD_MB),
            entrypoint=repository.command,
            user=f"{self._uid}:{self._uid}",
            working_dir=str(repository.root),
            host={
                "ipc_mode": "private",
                "mounts": [Mount(target, source, type="bind", read_only=True) for source, target in shown],
                "tmpfs": {
                    path: f"{_TMPFS},size={size_mb}m,nr_inodes={files},uid={self._uid}",
                    "/dev/mqueue": "ro,noexec,nosuid,nodev,size=4k,nr_inodes=1,mode=0",
                },
                "shm_size": shared_mb << 20,
                "cap_add": None,
                "ulimits": [Ulimit(name="core", soft=0, hard=0)],
            },
        )


_TIMEOUT_S = 120
"""An engine on a busy machine takes its time for an answer."""
_KEPT_MB = 384
"""Memory of a container that no compiler may have: the supervisor's, and that of the runs' files."""
_NOBODY = 65534
_REMOVAL_PAUSES_S = (0.0, 0.5, 2.0)
_log = logging.getLogger(__name__)


class DockerSandbox(PooledSandbox):
    """Isolates by a Docker engine; see the module's header for what that covers."""

    counts_processes = True
    """As `HoldsRepositories` says: a container's control group counts its own processes and no others."""

    def __init__(
        self,
        workers: int | None = None,
        runtime: str | None = None,
        packages: tuple[str, ...] = (),
        languages: Sequence[str] = (),
    ) -> None:
        """Use `workers` containers (None: as many as there are usable cores here).

        `runtime` names an OCI runtime that the engine knows. `packages` are libraries beside the usual ones,
        `languages` what programs may be written in beside Python.
        """
        super().__init__("docker", self._make, workers=workers)
        self._runtime = runtime
        self._packages = packages
        self._has_cpp = bool(languages)
        self._live = LiveContainers()
        self._client: APIClient | None = None
        self._spec: ContainerSpec | None = None
        self._security_options: list[str] = []

    async def __aenter__(self) -> Self:
        """Connect, remove what dead owners left, start the first container.

        Raises:
            SandboxError: no engine, no image, or the engine refuses; the message says what to do.
            UserError: no image with the packages that were asked for.
        """
        try:
            await to_thread.run_sync(self._open_engine)
            return await super().__aenter__()
        except BaseException:
            await self._leave()
            raise

    async def __aexit__(self, *error: object) -> None:
        """Remove every container of ours, also those at work."""
        try:
            await super().__aexit__(*error)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._close_engine)

    def _open_engine(self) -> None:
        from docker.errors import APIError

        self._client = client = connect_engine(_TIMEOUT_S)
        try:
            atexit.register(self._close_engine)
            info = client.info()
            self._check_runtime(info)
            tag = ensure_image(client, build=False, packages=self._packages, cpp=self._has_cpp)
            image = (find_image(client, tag) or {"Id": tag})["Id"]
            reaped = reap_orphans(client)
        except (APIError, OSError) as error:
            raise SandboxError(f"the Docker engine at {engine_address()} fails: {error}") from error
        if reaped:
            _log.info("removed %d containers of dead owners", len(reaped))
        self._security_options = list(info.get("SecurityOptions") or [])
        memory_mb = choose_memory_mb(int(info.get("MemTotal", 0)) >> 20, self.workers)
        self._spec = ContainerSpec(
            str(image),
            new_labels(),
            memory_mb,
            self._runtime,
            _choose_cpus(),
            choose_read_only_paths(self._security_options),
        )

    def _check_runtime(self, info: dict[str, Any]) -> None:
        known = sorted(info.get("Runtimes") or {})
        if self._runtime is not None and self._runtime not in known:
            raise SandboxError(
                f"the Docker engine has no runtime {self._runtime!r}, only {', '.join(known)}: name it under "
                '"runtimes" in its daemon.json, or choose another `--runtime`'
            )

    def _make(self) -> DockerWorker:
        assert self._client is not None
        assert self._spec is not None
        settings = choose_settings(self._security_options)
        settings = replace(
            settings,
            libraries=tuple(list_libraries(self._packages)),
            library_paths=(LIBRARY_FOLDER,),
            tools=TOOLS_FOLDER if self._has_cpp else None,
            compile_mb=min(settings.compile_mb, self._spec.memory_mb - _KEPT_MB),
        )
        return DockerWorker(self._client, self._spec, settings, self._live)

    def make_repository_worker(self, repository: IsolatedRepository) -> Worker:
        """A worker for `session.ProjectSession`, in a container of its own; not started yet.

        Raises:
            SandboxError: the engine is on another machine.
        """
        assert self._client is not None
        assert self._spec is not None
        return RepositoryContainer(self._client, self._spec, self._live, repository, os.getuid() or _NOBODY)

    def _close_engine(self) -> None:
        """Remove what is left and let go of the engine. Also at the interpreter's exit."""
        atexit.unregister(self._close_engine)
        client = self._client
        if client is None:
            return
        for pause_s in _REMOVAL_PAUSES_S:
            time.sleep(pause_s)
            kept = self._live.remove_all(client)
            if not kept:
                break
        if kept:
            _log.warning("the engine kept %d containers; the next start removes them", kept)
        client.close()
        self._client = None


def _choose_cpus() -> str | None:
    """The cores we may use, for an engine on this machine; None: all, or another machine's."""
    cores = sorted(os.sched_getaffinity(0))
    if not engine_address().startswith("unix://") or len(cores) == os.cpu_count():
        return None
    return ",".join(str(core) for core in cores)
