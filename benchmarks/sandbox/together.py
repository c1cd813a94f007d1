"""Hostile and honest programs together: none gets another verdict than is its due, and nothing is left.

    python -m benchmarks.sandbox.together [--attacks FILE] [--count 500]
        [--ways docker,root,bubblewrap,namespaces] [--seed 0]

FILE is in the form of `tests/attacks/files/attacks.jsonl`, the default. Its programs come again and again
until there are enough, and each is held to its allowed verdicts: one that prints that it was barred may be
accepted. The ways of an ordinary user are tried as `nobody` where root asks. After each way everything that
it may leave is counted: processes of its users and below this one, containers and control groups, temporary
folders and files of its users, IPC objects, the kernel's memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.sandbox.endurance import read_kernel_mb
from benchmarks.sandbox.workload import CONTEST, TRIVIAL, make_inputs
from benchmarks.tables import write_table
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.local.pipe_worker import find_interpreter, list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox
from sstar_code.sandbox.ownership import describe_owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sstar_code.sandbox import Sandbox

_ATTACKS = Path("tests/attacks/files/attacks.jsonl")
_NOBODY = 65534
_AS_NOBODY = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--no-new-privs")
_WAYS = {"bubblewrap": "bubblewrap", "namespaces": "user namespaces"}
_PLACES = (tempfile.gettempdir(), "/var/tmp", "/dev/shm")
_PATIENCE_S = 60.0

Task = tuple[str, Problem, str, frozenset[str]]
"""`honest`, `hostile`, or `barred` where AC is allowed too; problem, program, allowed verdicts."""


def _make_sandbox(name: str) -> tuple[Sandbox, range]:
    """The sandbox of a way, and the uids that are its alone (0: this user's)."""
    if name == "docker":
        sandbox = DockerSandbox()
        return sandbox, range(0)
    if name == "root":
        way = list_ways()[0]
        first, count = way.settings.uids or (0, 0)
        return LocalSandbox(ways=[way]), range(first, first + count)
    as_root = os.geteuid() == 0
    python = "/usr/bin/python3" if as_root else find_interpreter()
    ways = [
        way for way in list_ways(ordinary=True, python=os.path.realpath(python)) if way.name == _WAYS[name]
    ]
    if not ways:
        sys.exit(f"{name}: not here")
    prefix = _AS_NOBODY if as_root and shutil.which(_AS_NOBODY[0]) else ()
    return LocalSandbox(ways=[replace(ways[0], arguments=(*prefix, *ways[0].arguments))]), range(0)


def _read_hostile(file: Path) -> Iterator[Task]:
    for line in file.read_text("utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        if "program" not in row or "input" in row:
            continue
        tests = [
            Test(test.get("input", ""), test.get("output"), test.get("program")) for test in row["tests"]
        ]
        problem = Problem(
            id=row["name"],
            statement="",
            kind=Kind(row["kind"]),
            entry_point=row.get("entry_point"),
            checker=row.get("checker", "exact"),
            hidden_tests=tuple(tests),
            time_limit_s=row.get("time_limit_s", 1.0),
        )
        allowed = frozenset(row["allowed_verdicts"])
        yield "barred" if "AC" in allowed else "hostile", problem, row["program"], allowed


def _make_honest(count: int) -> Iterator[Task]:
    for number in range(count):
        work = (TRIVIAL, CONTEST)[number % 2]
        tests = tuple(map(Test, *make_inputs(work, 3)))
        problem = Problem(f"{work.name}-{number}", "", Kind.STDIN, hidden_tests=tests, time_limit_s=20.0)
        yield "honest", problem, work.make_program(number), frozenset({"AC"})


def _make_tasks(file: Path, count: int, seed: int) -> list[Task]:
    hostile = [
        (kind, problem, f"{code}\n# {number}\n", allowed)
        for number, (kind, problem, code, allowed) in enumerate(
            islice(cycle(list(_read_hostile(file))), count)
        )
    ]
    tasks = [*hostile, *_make_honest(count)]
    random.Random(seed).shuffle(tasks)
    return tasks


async def _grade(sandbox: Sandbox, tasks: list[Task]) -> Counter[tuple[str, str]]:
    """By kind and verdict; the verdict `NOT AS ALLOWED` counts those that are not."""
    counts: Counter[tuple[str, str]] = Counter()
    left = list(tasks)

    async def work() -> None:
        while left:
            (kind, problem, code, allowed) = left.pop()
            report = await run_tests(sandbox, problem, code, problem.hidden_tests)
            counts[kind, str(report.verdict)] += 1
            if str(report.verdict) not in allowed:
                counts[kind, "NOT AS ALLOWED"] += 1
                print(f"{problem.id}: {report.verdict}", flush=True)

    async with anyio.create_task_group() as group:
        for _ in range(sandbox.workers):
            group.start_soon(work)
    return counts


def _list_processes(uids: range) -> list[str]:
    """Processes of the users `uids`, and those below this process."""
    parents, found = {}, []
    for entry in Path("/proc").iterdir():
        try:
            parents[entry.name] = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            found += [entry.name] if entry.stat().st_uid in uids else []
        except (OSError, IndexError):
            continue
    below = {str(os.getpid())}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return sorted({*found, *below} - {str(os.getpid())})


def _list_containers() -> list[str]:
    from sstar_code.sandbox.docker.engine import connect_engine

    client = connect_engine()
    labels = [f"{key}={value}" for key, value in describe_owner().to_labels().items()]
    found = [str(one["Id"]) for one in client.containers(all=True, filters={"label": labels})]
    client.close()
    return found


def _list_files(uids: range) -> list[str]:
    """Our temporary folders, and what belongs to users of the sandbox."""
    found = []
    for place in _PLACES:
        for path in Path(place).iterdir() if Path(place).is_dir() else ():
            try:
                record = path / ".owner.json"
                ours = path.name.startswith("sstar-") and f'"{os.getpid()}:' in record.read_text("utf-8")
                found += [str(path)] if ours or path.lstat().st_uid in (*uids, _NOBODY) else []
            except OSError:
                continue
    return found


def _list_groups(containers: list[str]) -> list[str]:
    return [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if any(one in folder for one in containers)]


def _list_ipc() -> list[str]:
    tables = [Path("/proc/sysvipc", name) for name in ("shm", "msg", "sem")]
    return [line for table in tables if table.is_file() for line in table.read_text().splitlines()[1:]]


def _wait_for_end(uids: range) -> list[str]:
    """The processes that are still there when all had time to end."""
    deadline = time.monotonic() + _PATIENCE_S
    while (left := _list_processes(uids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


async def _try_way(name: str, tasks: list[Task]) -> list[str]:
    sandbox, uids = _make_sandbox(name)
    (files, ipc, kernel_mb, started_s) = (
        set(_list_files(uids)),
        _list_ipc(),
        read_kernel_mb(),
        time.monotonic(),
    )
    async with sandbox:
        containers = _list_containers() if name == "docker" else []
        counts = await _grade(sandbox, tasks)
    left = _wait_for_end(uids)
    verdicts = [
        ", ".join(f"{count} {verdict}" for (one, verdict), count in sorted(counts.items()) if one == kind)
        for kind in ("honest", "hostile", "barred")
    ]
    rests = (
        left,
        _list_containers() if name == "docker" else [],
        _list_groups(containers),
        set(_list_files(uids)) - files,
        [row for row in _list_ipc() if row not in ipc],
    )
    seconds = f"{time.monotonic() - started_s:.0f}"
    return [
        name,
        *verdicts,
        *(str(len(rest)) for rest in rests),
        f"{read_kernel_mb() - kernel_mb:+.0f}",
        seconds,
    ]


def main() -> None:
    """Grade and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attacks", type=Path, default=_ATTACKS)
    parser.add_argument("--count", type=int, default=500, help="of each kind")
    parser.add_argument("--ways", default="docker,root,bubblewrap,namespaces")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tasks = _make_tasks(options.attacks, options.count, options.seed)
    columns = [
        "way",
        "honest",
        "hostile",
        "processes",
        "containers",
        "groups",
        "files",
        "IPC",
        "kernel MB",
        "s",
    ]
    rows = []
    for name in options.ways.split(","):
        rows.append(anyio.run(_try_way, name, tasks))
        print(" | ".join(rows[-1]), flush=True)
    print(write_table(columns, rows))


if __name__ == "__main__":
    main()
