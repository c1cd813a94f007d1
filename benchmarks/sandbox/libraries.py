"""What a program with numpy costs beside one without, 20 inputs each, in one run.

    python -m benchmarks.sandbox.libraries [--sandbox docker|local] [--rounds N] [--most RATIO]

Rounds alternate between the programs, so that a busy machine slows all of them. The ratio is that of the
medians of CPU time of everything that took part (`local`: this process and all below it), or of wall time
where that cannot be read (`docker`). The exit status is 1 where numpy's is over --most.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import anyio

from benchmarks.tables import write_table
from sstar_code.sandbox import Limits, Program, Sandbox, Status, make_sandbox

_READ = "import sys\nfrom collections import deque\nn, *a = map(int, sys.stdin.read().split())\n"
_PROGRAMS = {
    "without": f"{_READ}q = deque(sorted(a))\nprint(sum(q), len(q) == n)",
    "numpy": f"import numpy as np\n{_READ}q = np.sort(np.array(a))\nprint(q.sum(), len(q) == n)",
    "sortedcontainers": (
        f"from sortedcontainers import SortedList\n{_READ}q = SortedList(a)\nprint(sum(q), len(q) == n)"
    ),
}
_INPUTS = [" ".join(map(str, [200, *range(200 + seed, seed, -1)])) for seed in range(20)]


def _spent_s(root: int) -> float:
    """CPU seconds of process `root`, its living descendants, and what they have waited for."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(path.name))
            used[int(path.name)] = sum(map(int, fields[11:15]))
    waiting, total = [root], 0
    while waiting:
        pid = waiting.pop()
        total += used.get(pid, 0)
        waiting += children.get(pid, [])
    return total / 100


async def _measure(sandbox: Sandbox, rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    for number in range(rounds + 1):
        for name, code in _PROGRAMS.items():
            program = Program(f"{code}\n# {number}")  # another program each time: each is compiled
            before = (_spent_s(os.getpid()), time.perf_counter())
            for _ in range(5):
                runs = await sandbox.run(program, _INPUTS, Limits())
                assert all(run.status is Status.OK for run in runs), runs
            after = (_spent_s(os.getpid()), time.perf_counter())
            if number:  # the first pays for the import
                taken[name].append(
                    (after[0] - before[0] if sandbox.name == "local" else after[1] - before[1]) / 5
                )
    return taken


async def _run(name: str, rounds: int) -> dict[str, list[float]]:
    async with make_sandbox(name, workers=1) as sandbox:
        return await _measure(sandbox, rounds)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sandbox", default="local", choices=["docker", "local"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--most", type=float, default=1.5)
    options = parser.parse_args()
    taken = anyio.run(_run, options.sandbox, options.rounds)
    base = statistics.median(taken["without"])
    ratios = {name: statistics.median(times) / base for name, times in taken.items()}
    clock = "CPU" if options.sandbox == "local" else "wall"
    rows = [
        (name, f"{1000 * statistics.median(times):.0f}", f"{1000 * min(times):.0f}", f"{ratios[name]:.2f}")
        for name, times in taken.items()
    ]
    print(write_table(["program, 20 inputs", f"{clock} ms, median", "least", "ratio"], rows))
    return 1 if ratios["numpy"] > options.most else 0


if __name__ == "__main__":
    sys.exit(main())
