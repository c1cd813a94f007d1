"""How a run over its wall limit is judged."""

from __future__ import annotations

import os

import pytest

from sstar_code.sandbox.inside import kernel, run


def _judge(monkeypatch, looks):
    """Which look ends the run; None where none does. A look is what /proc told, and the CPU time since."""
    clock = iter(range(10**6))
    monkeypatch.setattr(run.time, "monotonic", lambda: next(clock) * 0.25)
    told = iter(looks)
    watched = kernel._Looks(0, None)
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
