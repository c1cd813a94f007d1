"""Counts the cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path("/")


def count_usable_cores(root: Path = _ROOT) -> int:
    """The smaller of the affinity mask and the cgroup's CPU quota (v2 and v1), at least 1.

    `root` stands for `/` in tests.
    """
    cores = len(os.sched_getaffinity(0))
    quotas = [quota for folder in _groups(root) if (quota := _quota(folder)) is not None]
    return max(1, min([cores, *(int(quota) for quota in quotas)]))


def _groups(root: Path) -> list[Path]:
    """The folders of our control groups and of all above them, as far as they can be seen."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        (_, controllers, path) = line.split(":", 2)
        base = root / "sys/fs/cgroup"
        if "cpu" in controllers.split(","):
            base = base / "cpu"
        elif controllers:
            continue
        inner = base / path.strip("/")
        found += [inner, *(parent for parent in inner.parents if parent.is_relative_to(base))]
    return found


def _quota(folder: Path) -> float | None:
    """Cores that the group may use; None for no limit."""
    try:
        (quota, period) = (folder / "cpu.max").read_text("ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        micros = int((folder / "cpu.cfs_quota_us").read_text("ascii"))
        period_us = int((folder / "cpu.cfs_period_us").read_text("ascii"))
    except (OSError, ValueError):
        return None
    return micros / period_us if micros > 0 and period_us > 0 else None
