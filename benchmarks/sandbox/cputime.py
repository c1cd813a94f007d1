"""CPU time of everything that a way of running programs uses, also where it is not our child."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Meter"]

_TICKS = os.sysconf("SC_CLK_TCK")
_DAEMONS = ("dockerd", "containerd", "containerd-shim")


class Meter:
    """Reads the CPU time used so far: this process, its descendants alive and reaped, containers, daemons.

    Args:
        client: a Docker client (`docker.APIClient`) where containers are to be counted.
        containers: ids of the containers that do the work.

    The daemons' own children (runc) are not counted, because the engine counts among them what ran in a
    container. So what is said of `docker exec` and `docker run` is a lower bound, to their advantage.
    """

    def __init__(self, client: Any = None, containers: Iterable[str] = ()) -> None:
        self._client = client
        self._containers = list(containers)
        self._before_s = 0.0

    def start(self) -> None:
        """Count from now."""
        containers_s = self._read_containers_s()  # first: to ask is work for the engine, too
        self._before_s = containers_s + self._read_processes_s()

    def stop_s(self) -> float:
        """Seconds of CPU time since `start`."""
        processes_s = self._read_processes_s()
        return processes_s + self._read_containers_s() - self._before_s

    def _read_processes_s(self) -> float:
        own = resource.getrusage(resource.RUSAGE_SELF)
        reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
        total = own.ru_utime + own.ru_stime + reaped.ru_utime + reaped.ru_stime
        (parents, times) = _read_processes()
        total += sum(sum(times[pid]) for pid in _descendants(os.getpid(), parents))
        if self._client is not None:
            total += sum(times[pid][0] for pid, name in _names(times) if name.startswith(_DAEMONS))
        return total

    def _read_containers_s(self) -> float:
        total = 0.0
        for container in self._containers:
            stats = self._client.stats(container, stream=False, one_shot=True)
            total += stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
        return total


def _read_processes() -> tuple[dict[int, int], dict[int, tuple[float, float]]]:
    """Each process's parent, and its CPU seconds: its own and its reaped children's."""
    parents: dict[int, int] = {}
    times: dict[int, tuple[float, float]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
        (user, system, children_user, children_system) = (int(field) / _TICKS for field in fields[11:15])
        times[int(folder.name)] = (user + system, children_user + children_system)
    return parents, times


def _descendants(root: int, parents: dict[int, int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        new = children.get(queue.pop(), [])
        found += new
        queue += new
    return found


def _names(pids: Iterable[int]) -> list[tuple[int, str]]:
    named = []
    for pid in pids:
        try:
            named.append((pid, Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()))
        except OSError:
            continue
    return named
