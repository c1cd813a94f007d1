"""How many cores count as usable."""

from __future__ import annotations

import os

import pytest

from sstar_code.sandbox.workers.pool import count_usable_cores


def _write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize(("quota", "cores"), [("150000 100000", 1), ("300000 100000", 3), ("5000 100000", 1)])
def test_second_version_quota(tmp_path, monkeypatch, quota, cores):
    """A cgroup v2 quota, also one of an outer group, limits the cores; at least one is left."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    _write(tmp_path, "proc/self/cgroup", "0::/outer/inner\n")
    _write(tmp_path, "sys/fs/cgroup/outer/cpu.max", quota)
    _write(tmp_path, "sys/fs/cgroup/outer/inner/cpu.max", "max 100000")
    assert count_usable_cores(tmp_path) == cores


def test_first_version_quota(tmp_path, monkeypatch):
    """A cgroup v1 quota counts; -1 means none."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    _write(tmp_path, "proc/self/cgroup", "4:cpu:/job\n3:memory:/job\n")
    _write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1")
    _write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000")
    assert count_usable_cores(tmp_path) == 8
    _write(tmp_path, "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "250000")
    _write(tmp_path, "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000")
    assert count_usable_cores(tmp_path) == 2


def test_affinity_without_groups(tmp_path, monkeypatch):
    """Where no group can be read the affinity mask decides."""
    monkeypatch.setattr(os, "sched_getaffinity", {0: {0, 3, 5}}.__getitem__)  # 0: this process
    assert count_usable_cores(tmp_path) == 3
