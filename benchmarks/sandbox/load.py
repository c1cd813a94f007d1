"""Whether verdicts depend on load: programs around their limits, run idle and beside busy processes.

    python -m benchmarks.sandbox.load [--programs 200] [--busy 8] [--sandbox local|docker] [--workers 2]

The programs are generated: loops that use a given share of the CPU limit, by their own clock or in
steps counted out beforehand, sleepers around the wall ceiling, allocations around the memory limit,
outputs around the output limit. The same steps take more CPU time where others share the caches or the
core's other thread: no judge can make up for that. So counted loops keep out of a grey zone of 30% around
their limit, and those with a clock out of 10%; sleepers stay 5% over or 40% under; the other limits are
exact and are approached to 5% (memory: to 20% from below, where the interpreter's own counts).
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio

from sstar_code.sandbox import Limits, Program
from sstar_code.sandbox.choose import make_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMITS = Limits(cpu_s=0.4, wall_s=3.0, memory_mb=128, output_kb=64)
_GREY = {"clock": 0.1, "steps": 0.3, "output": 0.05}
_STEP = "sum(range(1000))"
_BUSY = "while True: pass"


@dataclass(frozen=True, slots=True)
class Case:
    """A program and what it must be judged on any machine under any load."""

    name: str
    code: str
    expected: str


def make_cases(count: int, step_s: float, seed: int = 0) -> list[Case]:
    """`count` programs of all kinds, at shares of their limits from 0.3 to 1.7."""
    rng = random.Random(seed)
    kinds: list[Callable[[random.Random], Case]]
    kinds = [_clock, partial(_steps, step_s), _clock, partial(_steps, step_s), _sleep, _memory, _output]
    return [kinds[number % len(kinds)](rng) for number in range(count)]


async def measure_step_s(name: str) -> float:
    """Seconds of CPU time of one step where the machine is idle: the least of several."""
    steps = 5000
    async with make_sandbox(name, workers=1) as sandbox:
        program = Program(f"for _ in range({steps}): {_STEP}\n")
        runs = await sandbox.run(program, [str(number) for number in range(10)], Limits())
    return min(run.cpu_s for run in runs) / steps


def _share(rng: random.Random, grey: float) -> float:
    return rng.choice([rng.uniform(0.3, 1 - grey), rng.uniform(1 + grey, 1.7)])


def _clock(rng: random.Random) -> Case:
    share = _share(rng, _GREY["clock"])
    code = f"import time\nwhile time.process_time() < {share * _LIMITS.cpu_s!r}: {_STEP}\nprint(1)\n"
    return Case(f"clock {share:.3f}", code, "OK" if share < 1 else "TLE cpu")


def _steps(step_s: float, rng: random.Random) -> Case:
    share = _share(rng, _GREY["steps"])
    code = f"for _ in range({round(share * _LIMITS.cpu_s / step_s)}): {_STEP}\nprint(1)\n"
    return Case(f"steps {share:.3f}", code, "OK" if share < 1 else "TLE cpu")


def _sleep(rng: random.Random) -> Case:
    share = rng.choice([rng.uniform(0.1, 0.6), rng.uniform(1.05, 1.7)])
    code = f"import time\ntime.sleep({share * _LIMITS.wall_ceiling_s!r})\nprint(1)\n"
    return Case(f"sleep {share:.3f}", code, "OK" if share < 1 else "TLE wall")


def _memory(rng: random.Random) -> Case:
    share = rng.choice([rng.uniform(0.3, 0.8), rng.uniform(1.05, 1.7)])
    code = f"held = bytearray(int({share * _LIMITS.memory_mb!r} * 2**20))\nprint(len(held) > 0)\n"
    return Case(f"memory {share:.3f}", code, "OK" if share < 1 else "MLE")


def _output(rng: random.Random) -> Case:
    share = _share(rng, _GREY["output"])
    code = f"print('x' * int({share * _LIMITS.output_kb!r} * 1024))\n"
    return Case(f"output {share:.3f}", code, "OK" if share < 1 else "OLE")


async def judge(cases: list[Case], name: str, workers: int) -> list[str]:
    """What each case was judged, like `OK` or `TLE cpu`."""
    found: dict[int, str] = {}
    async with make_sandbox(name, workers=workers) as sandbox:

        async def run(place: int, case: Case) -> None:
            (end,) = await sandbox.run(Program(case.code), [""], _LIMITS)
            found[place] = f"{end.status.value} {end.limit or ''}".strip()

        async with anyio.create_task_group() as group:
            for place, case in enumerate(cases):
                group.start_soon(run, place, case)
    return [found[place] for place in range(len(cases))]


def main() -> int:
    """Print what differs; 1 where anything does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--busy", type=int, default=8)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    cases = make_cases(options.programs, anyio.run(measure_step_s, options.sandbox))
    started_s = time.monotonic()
    idle = anyio.run(judge, cases, options.sandbox, options.workers)
    idle_s = time.monotonic() - started_s
    children = [subprocess.Popen([sys.executable, "-S", "-c", _BUSY]) for _ in range(options.busy)]
    try:
        started_s = time.monotonic()
        loaded = anyio.run(judge, cases, options.sandbox, options.workers)
        loaded_s = time.monotonic() - started_s
    finally:
        for child in children:
            child.kill()
            child.wait()
    print(f"{len(cases)} programs, {options.sandbox}, {options.workers} workers, {os.cpu_count()} cores")
    print(f"idle   {idle_s:6.1f} s  {dict(Counter(idle))}")
    print(f"loaded {loaded_s:6.1f} s  {dict(Counter(loaded))}  beside {options.busy} busy processes")
    wrong = 0
    for case, one, other in zip(cases, idle, loaded, strict=True):
        if not one == other == case.expected:
            wrong += 1
            print(f"{case.name}: expected {case.expected}, idle {one}, loaded {other}")
    print(f"{wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
