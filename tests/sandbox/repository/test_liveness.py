"""A repository's sandbox on a busy machine: what counts is the CPU time that its tests get."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from sstar_code.sandbox import repository as module
from sstar_code.sandbox.inside import project_tests
from sstar_code.sandbox.repository import ProjectSession, RepositoryLostError


class _Clock:
    """Stands for the module `time`; whoever waits moves it on."""

    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        return self.now_s


class _Inside:
    """A worker that says one of `lines` every `pause_s` seconds."""

    def __init__(self, clock, lines, pause_s):
        self._clock, self._lines, self._pause_s = clock, iter(lines), pause_s

    def send(self, data):
        """Nobody reads it."""

    def receive(self, timeout_s):
        if timeout_s < self._pause_s:
            self._clock.now_s += timeout_s
            raise TimeoutError("no answer")
        self._clock.now_s += self._pause_s
        return json.dumps(next(self._lines)).encode() + b"\n"

    def start(self):
        """It runs already."""

    def kill(self):
        """Nothing is left of it."""

    def log(self):
        return ""

    def make_repository_worker(self, repository):
        return self


async def _ask(monkeypatch, lines, shown):
    clock = _Clock()
    monkeypatch.setattr(module, "time", clock)
    inside = _Inside(clock, [{"ready": "3"}, *lines], 100.0)
    async with ProjectSession(inside, shown) as session:
        return await session.ask({}, 10.0), clock.now_s


_SHOWN = SimpleNamespace(settings={})
"""As much of a repository as is asked about."""


@pytest.mark.anyio
async def test_a_request_is_waited_for_as_long_as_it_gets_cpu_time(monkeypatch):
    """Heartbeats that tell of more CPU time, and answers, each renew the patience; they are no answers."""
    lines = [{"heartbeat": 0.1}, {"heartbeat": 0.2}, {"a": 1}, {"heartbeat": 0.1}, {"b": 2}, {"done": True}]
    assert await _ask(monkeypatch, lines, _SHOWN) == ([{"a": 1}, {"b": 2}], 700.0)


@pytest.mark.anyio
async def test_a_request_that_gets_none_is_given_up(monkeypatch):
    """Heartbeats alone are no reason to wait."""
    with pytest.raises(RepositoryLostError):
        await _ask(monkeypatch, [{"heartbeat": 0.1}] * 1000, _SHOWN)


@pytest.mark.parametrize(
    ("share", "ends_s"),
    [(1.0, 600.0), (0.1, 6000.0), (0.0, 600.0)],
    ids=["idle machine", "ten programs a core", "asleep"],
)
def test_the_total_of_the_tests_is_work_or_sleep(share, ends_s, monkeypatch):
    """Where the tests work their CPU time counts, which no load makes longer; where they sleep, all time."""
    clock = _Clock()
    monkeypatch.setattr(project_tests, "time", clock)
    monkeypatch.setattr(project_tests.kernel, "spent_s", lambda _: share * clock.now_s)

    def wait(_, timeout_s):
        clock.now_s += timeout_s
        return []

    monkeypatch.setattr(project_tests.project_fork, "wait_ready", wait)
    take = os.open(os.devnull, os.O_RDONLY)
    assert list(project_tests._relay(take, 1, 600.0)) == [{"over": True}]
    os.close(take)
    assert abs(clock.now_s - ends_s) < 120.0
