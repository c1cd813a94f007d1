"""How a run over its wall limit is judged."""

from __future__ import annotations

import mmap
import os

import pytest

from sstar_code.sandbox.inside import kernel, run


def _judge(monkeypatch, looks):
    """Which look ends the run; None where none does. A look is what /proc told, and the CPU time since."""
    clock = iter(range(10**6))
    monkeypatch.setattr(run.time, "monotonic", lambda: next(clock) * 0.25)
    told = iter(looks)
    watched = kernel.Looks(0, None)
    spent_s = 0.0
    for number, (ready, more_s) in enumerate(told):
        spent_s += more_s
        monkeypatch.setattr(run.kernel, "is_ready", lambda *_, ready=ready: ready)
        if watched.find_asleep(spent_s):
            return number
    return None


@pytest.mark.parametrize(
    ("looks", "ended_by"),
    [
        pytest.param([(False, 0.0)] * 20, 3, id="asleep"),
        pytest.param([(True, 0.0)] * 200, None, id="waiting for a core"),
        pytest.param([(True, 0.1), (False, 0.1), (True, 0.1)] * 60, None, id="at work"),
        pytest.param([(True, 0.01), (False, 0.0), (False, 0.0)] * 60, 5, id="mostly asleep"),
        pytest.param([(None, 0.05)] * 200, None, id="nobody tells, a fifth of a core"),
        pytest.param([(None, 0.001)] * 200, 3, id="nobody tells, next to nothing"),
    ],
)
def test_only_what_sleeps_meets_the_wall(monkeypatch, looks, ended_by):
    """A run that is found at work in most looks goes on; one that is found asleep is ended after four."""
    assert _judge(monkeypatch, looks) == ended_by


def test_proc_may_be_elsewhere():
    """The facts about a process come through the descriptor of a /proc as well as from the one in sight."""
    me = os.getpid()
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert abs(kernel.used_kb(me, proc) - kernel.used_kb(me)) < 10_000
        assert kernel.used_kb(me, proc) > 1000
        assert kernel.is_ready(me, proc) is kernel.is_ready(me) is True
        assert kernel.queued_s(me, proc) >= 0.0
    finally:
        os.close(proc)
    assert kernel.is_ready(1 << 30) is None
    assert (kernel.used_kb(1 << 30), kernel.queued_s(1 << 30)) == (0, 0.0)


class _SlowPage(mmap.mmap):
    """The shared page, whose first reader of byte 2 loses the core until the process `release`d has ended."""

    release = None

    def __getitem__(self, place):
        seen = super().__getitem__(place)
        if place == 2 and self.release is not None:
            (self.release, release) = (None, self.release)
            release()
        return seen


def _attend_a_quick_run():
    """The end that `attend` tells of a run that begins and ends while it is between two looks."""
    names = ("uids", "seccomp", "processes", "proc_descriptor", "scratch", "compile_mb")
    state = run.SupervisorState(dict.fromkeys(names))
    state.page = page = _SlowPage(-1, mmap.PAGESIZE)
    limits = {"cpu_s": 1.0, "wall_s": 60.0, "memory_mb": 64, "output_kb": 1}
    (waiting, go) = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(waiting, 1)
        run._LAYOUT.pack_into(page, run._LAID_AT, *run.begin(state, limits))
        (page[0], page[2]) = (1, 1)
        os._exit(7)

    def release():
        os.write(go, b"1")
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    page.release = release
    return run.attend(state, pid, lambda _: None)


def test_a_run_that_is_over_between_two_looks_is_a_run():
    """However late its supervisor gets a core, a run is answered: else its worker would count as lost."""
    (told, tell) = os.pipe()
    child = os.fork()  # cleaning up after a run ends every child of its process
    if child == 0:
        try:
            (end, status, output_kb) = _attend_a_quick_run()
            os.write(tell, f"{end is not None} {os.waitstatus_to_exitcode(status)} {output_kb}".encode())
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told) as file:
        assert file.read() == "True 7 1"
    os.waitpid(child, 0)
