"""Shows a repository with a Docker engine, in a container of its own that is thrown away afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.sandbox.docker.container import ContainerSpec, create_container
from sstar_code.sandbox.docker.engine import engine_address
from sstar_code.sandbox.docker.worker import DockerWorker
from sstar_code.sandbox.errors import SandboxError
from sstar_code.sandbox.workers.boot import Settings

if TYPE_CHECKING:
    from docker import APIClient

    from sstar_code.sandbox.docker.worker import LiveContainers
    from sstar_code.sandbox.repository.isolated_repository import IsolatedRepository

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
        ((path, size_mb), (_, shared_mb)) = repository.scratch
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
                "tmpfs": {path: f"{_TMPFS},size={size_mb}m,uid={self._uid}"},
                "shm_size": shared_mb << 20,
                "cap_add": None,
                "ulimits": [Ulimit(name="core", soft=0, hard=0)],
            },
        )
