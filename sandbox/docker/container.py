"""The container that a worker lives in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.sandbox.ownership import OWNER_LABEL, Owner, describe_owner, is_orphan
from sstar_code.sandbox.workers.protocol import (
    ENVIRONMENT,
    SCRATCH,
    SCRATCH_FILES,
    SCRATCH_MB,
    Settings,
    command,
)

if TYPE_CHECKING:
    from docker import APIClient

SESSION_LABEL = "sstar.session"


_PYTHON = "/usr/bin/python3"
_CAPABILITIES = ("SETUID", "SETGID", "KILL")
_PIDS = 256
"""Processes and threads in a container: the supervisor's few and one run's `Settings.processes`."""
_TMPFS_OVERLAYS = {
    "/dev/mqueue": "ro,noexec,nosuid,nodev,size=4k,nr_inodes=1,mode=0",
    SCRATCH: f"rw,noexec,nosuid,nodev,noatime,size={SCRATCH_MB}m,nr_inodes={SCRATCH_FILES},mode=1777",
}
"""One over the folder that anybody may write to whatever the flags: names left there would outlive a run. One
for the runs' own files, emptied after each run."""
_PROC_OF_KERNEL = (
    "acpi", "asound", "buddyinfo", "bus", "cgroups", "cmdline", "config.gz", "consoles", "cpuinfo",
    "crypto", "device-tree", "devices", "diskstats", "dma", "driver", "dynamic_debug", "execdomains",
    "fb", "filesystems", "fs", "interrupts", "iomem", "ioports", "ipmi", "irq", "kallsyms", "kcore",
    "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "latency_stats", "loadavg",
    "lock_stat", "lockdep", "lockdep_chains", "lockdep_stats", "locks", "mdstat", "meminfo", "misc",
    "modules", "mtrr", "pagetypeinfo", "partitions", "pressure", "profile", "sched_debug", "schedstat",
    "scsi", "slabinfo", "slab_allocators", "softirqs", "stat", "swaps", "sys", "sysrq-trigger", "sysvipc",
    "timer_list", "timer_stats", "tty", "uptime", "version", "version_signature", "vmallocinfo", "vmcore",
    "vmstat", "xen", "zoneinfo",
)  # fmt: skip
"""What /proc shows of the machine and not of a process, on any kernel that we know."""
_MASKED = ["/sys", "/dev/mqueue", "/dev/pts", *(f"/proc/{name}" for name in _PROC_OF_KERNEL)]
"""Covered with nothing: what tells of the machine, and of what earlier runs did with it."""
_LARGEST_RUN_MB = 4096
_OVERHEAD_MB = 512
_SMALLEST_MB = 768
_REMOVAL_S = 60.0


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
    read_only_paths: tuple[str, ...] = ("/dev", "/proc")
    """Mounted read-only, so that nobody sees when they were last read."""


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
    return Settings(uids=(first, count), scratch=SCRATCH)


def choose_read_only_paths(security_options: Sequence[str]) -> tuple[str, ...]:
    """`ContainerSpec.read_only_paths`: with SELinux a container's start still has to write to /proc."""
    return ("/dev",) if any("selinux" in option for option in security_options) else ("/dev", "/proc")


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
        "ulimits": [Ulimit(name="stack", soft=8 << 20, hard=-1), Ulimit(name="core", soft=0, hard=0)],
        "cpuset_cpus": spec.cpus,
        "runtime": spec.runtime,
    }
    host_config = client.create_host_config(**settings | dict(host or {}))
    # The SDK has no names for these; each list takes the place of the engine's own.
    host_config |= {
        "MaskedPaths": _MASKED,
        "ReadonlyPaths": list(spec.read_only_paths),
        "CgroupnsMode": "private",  # /proc names no control group of the machine
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
        host_config=host_config,
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
