"""The container that a worker lives in, and whose it is."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sstar_code.sandbox.workers.protocol import ENVIRONMENT, Settings, command

if TYPE_CHECKING:
    from docker import APIClient

OWNER_LABEL = "sstar.owner"
HOST_LABEL = "sstar.host"
SESSION_LABEL = "sstar.session"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from every other that had or will have its number."""

    host: str
    pid: int
    start_ticks: int
    """When the process started, in clock ticks since boot: field 22 of /proc/PID/stat."""
    boot_id: str
    pid_namespace: str
    """Numbers of processes mean something inside one namespace only."""

    def to_labels(self) -> dict[str, str]:
        """Labels for a container of this owner."""
        parts = (str(self.pid), str(self.start_ticks), self.boot_id, self.pid_namespace)
        return {OWNER_LABEL: ":".join(parts), HOST_LABEL: self.host}

    @classmethod
    def from_labels(cls, labels: dict[str, str]) -> Self | None:
        """The owner that `labels` name; None where they do not name one."""
        parts = labels.get(OWNER_LABEL, "").split(":", 3)
        if len(parts) != 4 or not parts[0].isdecimal() or not parts[1].isdecimal():
            return None
        return cls(labels.get(HOST_LABEL, ""), int(parts[0]), int(parts[1]), parts[2], parts[3])


def describe_owner() -> Owner:
    """This process."""
    ticks = _read_start_ticks(os.getpid())
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = Path("/proc/self/ns/pid").readlink().name
    return Owner(socket.gethostname(), os.getpid(), ticks or 0, boot_id, namespace)


def is_orphan(owner: Owner | None, here: Owner, *, running: bool) -> bool:
    """Whether a container of `owner` may be removed by `here`: only when its owner is dead for certain.

    A process of another host or another pid namespace cannot be looked up from here, so its containers stay.
    Another boot of a host of the same name is either ours, where nothing survived the boot, or a namesake's:
    only what does not run is taken for an orphan.
    """
    if owner is None or owner.host != here.host:
        return False
    if owner.boot_id != here.boot_id:
        return not running
    if owner.pid_namespace != here.pid_namespace:
        return False
    return not _is_alive(owner)


def _is_alive(owner: Owner) -> bool:
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's: alive, unless the number has been given away since
    try:
        return _read_start_ticks(owner.pid) == owner.start_ticks
    except FileNotFoundError:  # /proc hides other users' processes (hidepid), and the number is in use
        return True


def _read_start_ticks(pid: int) -> int | None:
    """Start of process `pid`; None where only what is left of one waits to be reaped."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    state, *fields = stat.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return None if state in "ZX" else int(fields[18])


_PYTHON = "/usr/bin/python3"
_CAPABILITIES = ("SETUID", "SETGID", "KILL")
_PIDS = 256
"""Processes and threads in a container: the supervisor's few and one run's `Settings.processes`."""
_TMPFS_OVERLAYS = {"/dev/mqueue": "ro,noexec,nosuid,nodev,size=4k,nr_inodes=1,mode=0"}
"""Over the one folder that anybody may write to whatever the flags: names left there would outlive a run."""
_LARGEST_RUN_MB = 4096
_OVERHEAD_MB = 512
_SMALLEST_MB = 768
_STACK_BYTES = 1 << 30
_REMOVAL_S = 20.0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The properties that every container of a sandbox shares."""

    image: str
    """Id of the image: unlike a tag it stays as long as a container uses it."""
    labels: dict[str, str]
    memory_mb: int
    runtime: str | None = None
    """Name of an OCI runtime that the engine knows, like `runsc`; None: its default."""
    cpus: str | None = None
    """Cores in the form `0,2-3`; None: all."""


def new_labels() -> dict[str, str]:
    """Labels that say whose a container is; new for every sandbox."""
    return describe_owner().to_labels() | {SESSION_LABEL: secrets.token_hex(8)}


def choose_memory_mb(engine_memory_mb: int, workers: int) -> int:
    """Megabytes for each of `workers` containers on an engine with `engine_memory_mb`.

    Enough for one run at the highest limit we grant and its supervisor, but all of them together leave the
    engine's machine a fifth of its memory, and at least what most runs need to fail by themselves.
    """
    share = engine_memory_mb * 4 // 5 // max(1, workers)
    return max(_SMALLEST_MB, min(_LARGEST_RUN_MB + _OVERHEAD_MB, share))


def choose_settings(security_options: list[str]) -> Settings:
    """Uids for the runs of one container, its own ones where possible: the kernel counts processes by uid.

    An engine with remapped users (rootless, userns-remap) has 65,536 uids; others have 4 thousand million.
    """
    remapped = any(name in option for option in security_options for name in ("rootless", "userns"))
    if remapped:
        count = 1000
        first = 1000 + count * secrets.randbelow(64)
    else:
        count = 4096
        first = (1 << 30) + count * secrets.randbelow(1 << 17)
    return Settings(uids=(first, count))


def create_container(
    client: APIClient,
    spec: ContainerSpec,
    *,
    entrypoint: list[str] | None = None,
    user: str = "0:0",
    working_dir: str = "/",
    host: Mapping[str, Any] | None = None,
) -> str:
    """Create, but not start, a container that waits for a greeting on its standard input; its id.

    It ends by itself, and the engine removes it, as soon as nobody is attached to its standard input any
    more, so that it does not outlive this process however that ends.

    Args:
        client: the engine.
        spec: the properties it shares with the sandbox's other containers.
        entrypoint: the command; None: the supervisor.
        user: whom it starts as, `uid:gid`.
        working_dir: where it starts.
        host: settings of the host that differ from those of a supervisor's container.
    """
    from docker.types import LogConfig, Ulimit

    settings: dict[str, Any] = {
        "auto_remove": True,
        "network_mode": "none",
        "ipc_mode": "none",
        "read_only": True,
        "tmpfs": _TMPFS_OVERLAYS,
        "cap_drop": ["ALL"],
        "cap_add": list(_CAPABILITIES),
        "security_opt": ["no-new-privileges"],
        "pids_limit": _PIDS,
        "mem_limit": spec.memory_mb << 20,
        "memswap_limit": spec.memory_mb << 20,
        "log_config": LogConfig(type="none"),  # else the engine writes every output to its disk
        "ulimits": [
            Ulimit(name="stack", soft=8 << 20, hard=_STACK_BYTES),
            Ulimit(name="core", soft=0, hard=0),
        ],
        "cpuset_cpus": spec.cpus,
        "runtime": spec.runtime,
    }
    made = client.create_container(
        spec.image,
        entrypoint=entrypoint or command(_PYTHON),
        user=user,
        environment=ENVIRONMENT,
        working_dir=working_dir,
        hostname="sandbox",
        labels=spec.labels,
        stop_signal="SIGKILL",  # else an engine that stops waits ten seconds for PID 1
        stdin_open=True,  # with StdinOnce: standard input ends when we are gone
        network_disabled=True,
        host_config=client.create_host_config(**settings | dict(host or {})),
    )
    return str(made["Id"])


def remove_container(client: APIClient, container: str) -> None:
    """Kill `container` and wait until the engine has forgotten it; nothing where there is none.

    Raises:
        OSError: the engine does not answer.
        docker.errors.APIError: it refuses.
    """
    from docker.errors import APIError, NotFound

    try:
        client.remove_container(container, v=True, force=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != 409:
            raise
        deadline = time.monotonic() + _REMOVAL_S
        while _exists(client, container) and time.monotonic() < deadline:
            time.sleep(0.02)


def reap_orphans(client: APIClient, here: Owner | None = None) -> list[str]:
    """Remove the containers whose owner is dead (`ownership.is_orphan`); their ids."""
    here = here or describe_owner()
    reaped = []
    for found in client.containers(all=True, filters={"label": [OWNER_LABEL]}):
        if is_orphan(Owner.from_labels(found["Labels"]), here, running=_runs(found)):
            remove_container(client, found["Id"])
            reaped.append(str(found["Id"]))
    return reaped


def _runs(found: dict[str, Any]) -> bool:
    return str(found.get("State")) in ("running", "paused", "restarting")


def _exists(client: APIClient, container: str) -> bool:
    from docker.errors import NotFound

    try:
        client.inspect_container(container)
    except NotFound:
        return False
    return True
