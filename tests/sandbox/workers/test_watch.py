from __future__ import annotations

import os
import signal
import time

import pytest

from sstar_code.sandbox.inside import kernel


@pytest.fixture
def asleep():
    """A child that does nothing."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    yield pid
    with pytest.raises(ChildProcessError):  # it was reaped
        os.waitpid(pid, os.WNOHANG)


def test_a_watch_that_begins_late_looks_no_later(asleep):
    """The first look is when the limit may be reached, counted from the start of the run."""
    waits = []

    def pause(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            os.kill(asleep, signal.SIGKILL)
            time.sleep(0.1)

    started_s = time.monotonic() - 0.25
    start = kernel.Start(
        b"0" * 16, -1, started_s, spent_s=0.0, cpu_s=0.2, wall_s=60.0, output_kb=1, memory_kb=0
    )
    watch = kernel.Watch(asleep, start, None)
    while not watch.is_over:
        pause(watch.wait_s)
        watch.look()
    assert watch.killed is None
    assert waits[0] <= 0.01
    assert 0.1 < waits[1] <= 0.22 + 0.01
