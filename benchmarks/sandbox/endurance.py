"""Whether anything grows: many runs in one process, with memory, files, zombies and containers counted.

    python -m benchmarks.sandbox.endurance [--runs 50000] [--sandbox local|docker] [--workers 2]

Prints a row every tenth of the way: resident memory of this process and of its supervisors, in containers or
not, the kernel's memory of the whole machine (other work is in it), open files, zombies below us, processes
below us, containers of ours.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.sandbox.workload import TRIVIAL, make_inputs
from sstar_code.sandbox import Limits, Program, Status
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.docker.container import describe_owner

if TYPE_CHECKING:
    from sstar_code.sandbox import Sandbox

_INPUTS = 50
_COLUMNS = (
    "runs",
    "seconds",
    "host MB",
    "supervisors MB",
    "kernel MB",
    "open files",
    "zombies",
    "processes",
    "containers",
)


def _list(folder: str) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def _read_status(pid: str) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _memory_mb(status: dict[str, str]) -> float:
    return int(status.get("VmRSS", "0 kB").split()[0]) / 1024


def read_kernel_mb() -> float:
    """Memory of the kernel that it cannot give back, in MB: slab, stacks, page tables, files in memory."""
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    names = ("SUnreclaim", "KernelStack", "PageTables", "Shmem")
    return sum(int(rows[name].split()[0]) for name in names) / 1024


def _containers() -> list[dict[str, object]]:
    from sstar_code.sandbox.docker.engine import connect_engine

    client = connect_engine()
    labels = [f"{key}={value}" for key, value in describe_owner().to_labels().items()]
    found = client.containers(all=True, filters={"label": labels})
    described = [client.inspect_container(one["Id"]) for one in found]
    client.close()
    return described


def _measure(name: str) -> list[str]:
    everything = {pid: _read_status(pid) for pid in _list("/proc") if pid.isdigit()}
    ours = {str(os.getpid())}
    containers = _containers() if name == "docker" else []
    roots = {str(one["State"]["Pid"]) for one in containers}  # type: ignore[index]
    while True:
        below = {pid for pid, status in everything.items() if status.get("PPid") in ours | roots}
        if below <= ours:
            break
        ours |= below
    ours |= roots
    ours.discard(str(os.getpid()))
    zombies = sum(everything[pid].get("State", "").startswith("Z") for pid in ours if pid in everything)
    supervisors = sum(_memory_mb(everything.get(pid, {})) for pid in ours)
    host = _memory_mb(everything[str(os.getpid())])
    files = len(_list("/proc/self/fd"))
    return [
        f"{host:.1f}",
        f"{supervisors:.1f}",
        f"{read_kernel_mb():.1f}",
        str(files),
        str(zombies),
        str(len(ours)),
        str(len(containers)),
    ]


async def _run_some(sandbox: Sandbox, first: int, count: int) -> None:
    (texts, expected) = make_inputs(TRIVIAL, _INPUTS)

    async def ask(number: int) -> None:
        code = TRIVIAL.make_program(number)
        if number % 10 == 9:  # failures leave other traces than successes
            code += "raise ValueError\n"
        runs = await sandbox.run(Program(code), texts, Limits())
        assert all((run.status is Status.OK) == (number % 10 != 9) for run in runs), runs
        assert [run.stdout for run in runs] == expected

    async def keep_asking(numbers: range) -> None:
        for number in numbers:
            await ask(number)

    async with anyio.create_task_group() as group:
        for worker in range(sandbox.workers):
            group.start_soon(keep_asking, range(first + worker, first + count, sandbox.workers))


async def _endure(options: argparse.Namespace) -> None:
    print(f"| {' | '.join(_COLUMNS)} |\n|{'--:|' * len(_COLUMNS)}", flush=True)
    started_s = time.monotonic()
    programs = options.runs // _INPUTS
    async with make_sandbox(options.sandbox, workers=options.workers) as sandbox:
        await _run_some(sandbox, 0, 2 * options.workers)
        for tenth in range(11):
            if tenth:
                await _run_some(sandbox, programs * (tenth - 1) // 10, programs // 10)
            cells = [str(tenth * programs // 10 * _INPUTS), f"{time.monotonic() - started_s:.0f}"]
            print(f"| {' | '.join(cells + _measure(options.sandbox))} |", flush=True)
    print(f"after: {' | '.join(_measure(options.sandbox))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--workers", type=int, default=2)
    anyio.run(_endure, parser.parse_args())


if __name__ == "__main__":
    main()
