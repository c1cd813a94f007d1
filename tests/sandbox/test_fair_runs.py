"""A run has what it would have under an interpreter of its own on an idle machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sstar_code.sandbox import Limits, Program, Status
from sstar_code.sandbox.local.sandbox import LocalSandbox

DEPTH = """
import sys
depth = 0
def dive():
    global depth
    depth += 1
    dive()
try:
    dive()
except RecursionError:
    print(depth)
"""
BURN = "import time\nwhile time.process_time() < 0.7:\n    pass\n"


def _start_rival():
    """An endless loop that runs already, in a session of its own: Linux may share a core between sessions."""
    words = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    rival = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    rival.stdout.readline()
    return rival


def _keep_to(cores):
    """Every thread of this process, since any of them may start a worker."""
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - names are all that is wanted
        os.sched_setaffinity(int(thread), cores)


def test_a_program_may_recurse_as_deep_as_under_python(sandbox_held):
    """The sandbox's own frames are not taken off the interpreter's recursion limit."""
    alone = subprocess.run([sys.executable, "-c", DEPTH], capture_output=True, text=True, check=True)
    (run,) = sandbox_held.run(DEPTH)
    assert int(run.stdout) >= int(alone.stdout)


@pytest.mark.anyio
async def test_waiting_for_a_cpu_is_not_counted_as_wall_time():
    """A program that needs 0.7 s of CPU ends well within 1.2 s of wall time although seven share its core."""
    cores = os.sched_getaffinity(0)
    _keep_to({min(cores)})
    try:
        async with LocalSandbox(1) as sandbox:
            rivals = [_start_rival() for _ in range(6)]
            try:
                limits = Limits(cpu_s=1.0, wall_s=1.2)
                (busy,) = await sandbox.run(Program(BURN), [""], limits)
            finally:
                for rival in rivals:
                    rival.kill()
                    rival.communicate()
            (asleep,) = await sandbox.run(Program("import time\ntime.sleep(30)"), [""], limits)
    finally:
        _keep_to(cores)
    assert busy.status is Status.OK
    assert busy.wall_s > 1.2
    assert (asleep.status, asleep.limit) == (Status.TLE, "wall")
