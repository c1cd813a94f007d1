"""What an interrupt breaks off: plain work that keeps the event loop busy, nothing that others wait for."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from types import FunctionType

import anyio
import pytest
from anyio.lowlevel import checkpoint

from sstar_code.agent.cli import interrupts


async def _call_work(work):
    """As a coroutine of the product calls a plain function."""
    await checkpoint()
    os.kill(os.getpid(), signal.SIGINT)
    work()
    await checkpoint()


def belong_to(module, function):
    """The same function as a part of another module."""
    return FunctionType(function.__code__, {**globals(), "__name__": module}, closure=function.__closure__)


OURS = belong_to("sstar_code.agent", _call_work)
THEIRS = belong_to("httpcore._async", _call_work)


def keep_busy(seconds, marks):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    marks.append("finished")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """No test waits a second."""
    monkeypatch.setattr(interrupts, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(interrupts, "_AGAIN_S", 0.01)


@pytest.mark.parametrize(("caller", "finished"), [(OURS, []), (THEIRS, ["finished"])])
def test_plain_work_is_broken_off_where_a_coroutine_of_ours_called_it(caller, finished):
    """Where a library called it, its locks and waits would be left half-way: it is let finish."""
    marks = []

    async def main():
        await caller(lambda: keep_busy(1.0 if finished else 60.0, marks))
        await anyio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        anyio.run(interrupts.run_interruptible, main)
    assert marks == finished


def test_what_a_cancelled_task_writes_and_closes_is_not_broken_off():
    """However long it takes, and however many tasks there are."""
    marks = []

    async def wait_and_close():
        try:
            await anyio.sleep(60)
        finally:
            keep_busy(0.2, marks)

    async def main():
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(belong_to("sstar_code.agent", wait_and_close))
            await anyio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        anyio.run(interrupts.run_interruptible, main)
    assert marks == ["finished"] * 5


def test_the_event_loop_itself_is_never_broken_off():
    """A callback that takes long is let finish: what it was to wake would sleep for ever."""
    marks = []

    async def main():
        woken = anyio.Event()

        def wake():
            os.kill(os.getpid(), signal.SIGINT)
            keep_busy(0.3, marks)
            woken.set()

        asyncio.get_running_loop().call_soon(wake)
        with anyio.CancelScope(shield=True):
            await woken.wait()
        marks.append("woken")
        await anyio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        anyio.run(interrupts.run_interruptible, main)
    assert marks == ["finished", "woken"]
