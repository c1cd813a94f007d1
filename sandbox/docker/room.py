"""How a room for a project is made with a Docker engine: a container of its own, thrown away with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sstar_code.sandbox.docker.engine import engine_address
from sstar_code.sandbox.docker.worker import DockerWorker
from sstar_code.sandbox.errors import SandboxError
from sstar_code.sandbox.repository.boot import project_command
from sstar_code.sandbox.workers.boot import ENVIRONMENT, Settings

if TYPE_CHECKING:
    from docker import APIClient

    from sstar_code.sandbox.docker.container import Walls
    from sstar_code.sandbox.docker.worker import LiveContainers
    from sstar_code.sandbox.repository.room import Room

__all__ = ["RoomContainer"]

_PIDS = 256
_OVERHEAD_MB = 512
_TMPFS = "rw,exec,nosuid,nodev"
"""Owned by the room's user: the engine takes the mode from the image's folder, whatever is asked for."""


class RoomContainer(DockerWorker):
    """A `worker.Worker` whose container shows one room."""

    def __init__(self, client: APIClient, walls: Walls, live: LiveContainers, room: Room, uid: int) -> None:
        """Show `room` to the user `uid`.

        Raises:
            SandboxError: the engine is on another machine, where this one's folders are not.
        """
        if not engine_address().startswith("unix://"):
            raise SandboxError(
                f"the Docker engine at {engine_address()} cannot show folders of this machine; use "
                "`--sandbox local` for a repository's tests"
            )
        super().__init__(client, walls, Settings(), live)
        self._room = room
        self._uid = uid

    def _create(self, client: APIClient, walls: Walls) -> str:
        from docker.types import LogConfig, Mount, Ulimit

        room = self._room
        linked = [("/usr/bin", path) for path, target in room.links if target == "usr/bin"]
        shown = [(path, path) for path in (*room.outer_trees, *room.files)] + linked + room.binds
        mounts = [Mount(target, source, type="bind", read_only=True) for source, target in shown]
        memory = (room.memory_mb + _OVERHEAD_MB) << 20
        host = client.create_host_config(
            auto_remove=True,
            network_mode="none",
            ipc_mode="private",
            read_only=True,
            mounts=mounts,
            tmpfs={path: f"{_TMPFS},size={size}m,uid={self._uid}" for path, size in room.scratch[:1]},
            shm_size=room.scratch[1][1] << 20,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=_PIDS,
            mem_limit=memory,
            memswap_limit=memory,
            log_config=LogConfig(type="none"),
            ulimits=[Ulimit(name="core", soft=0, hard=0)],
            cpuset_cpus=walls.cpus,
            runtime=walls.runtime,
        )
        made = client.create_container(
            walls.image,
            entrypoint=project_command(room),
            user=f"{self._uid}:{self._uid}",
            environment=ENVIRONMENT,
            working_dir=str(room.root),
            hostname="sandbox",
            labels=walls.labels,
            stop_signal="SIGKILL",
            stdin_open=True,
            network_disabled=True,
            host_config=host,
        )
        return str(made["Id"])
