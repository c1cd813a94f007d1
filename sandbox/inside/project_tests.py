"""Runs the repository's own tests with its own pytest, each in a fork of the process that collected them.

`run_tests` is the server's side; started as a program this file is pytest's side. The process that collects
runs no body of a candidate unless a module of the repository calls it while it is imported. It alone holds
the pipe on which results leave, it cannot be looked into, and what a test's own process says counts for that
test only. A test counts as passed when its call passed and nothing was skipped, expected to fail, or ended
early. What is left: a candidate can lie about a test that it runs in, if it finds and changes pytest's
records in its own process.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

from sstar_code.sandbox.inside import kernel, project_fork

_TEXT_LENGTH = 3000
_PROGRESS = 0.02
"""Part of a core that is work: its CPU time counts, of which a busy machine has little. Else time does."""
_START = """\
import sys
sys.path.insert(0, %r)
from sstar_code.sandbox.inside import project_tests
del sys.path[0]
project_tests.main()
"""
_SHARED = (
    "-q", "--no-header", "--color=no", "--capture=no", "--continue-on-collection-errors", "--maxfail=0",
)  # fmt: skip
"""A file that cannot be collected is no other's fault. The cache's plugin stays on, though it can write
nowhere: without it a repository's options for it are unknown ones, and pytest does not start."""
_SWITCHED_OFF = {"xdist": ("-n0",), "pytest_cov": ("--no-cov",), "pytest_randomly": ("-p", "no:randomly")}
"""Plugins that would run tests elsewhere, in another order, or write files; what turns them off."""


def run_tests(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Collect and run what `select` names; one answer a test, and one for what could not be collected."""
    project_fork.clear_place()
    (take, give) = os.pipe()
    log = os.memfd_create("log")
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-s", "-B", "-X", "utf8", "-c", _START % request["control"]],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=[give],
        start_new_session=True,
    )
    os.close(give)
    assert process.stdin is not None
    scratch = project_fork.list_scratch()
    process.stdin.write(json.dumps({**request, "report": give, "scratch": scratch}).encode("ascii"))
    process.stdin.close()
    try:
        yield from _relay(take, process.pid, request["total_s"])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        os.close(take)
        project_fork.clear_place()
    size = os.fstat(log).st_size
    text = os.pread(log, _TEXT_LENGTH, max(0, size - _TEXT_LENGTH)).decode("utf-8", "replace")
    os.close(log)
    yield {"log": text, "ended": process.returncode}


def _relay(take: int, pid: int, total_s: float) -> Iterator[dict[str, Any]]:
    """The answers that come from pytest, `pid`, until it ends or has worked or slept for `total_s`."""
    data = b""
    poller = select.poll()
    poller.register(take, select.POLLIN)
    (ended_s, under_way_s) = (0.0, 0.0)
    (spent_s, used_before_s, looked_s) = (0.0, 0.0, time.monotonic())
    while spent_s < total_s:
        if project_fork.wait_ready(poller, 1.0):
            part = os.read(take, 1 << 16)
            if not part:
                return
            *lines, data = (data + part).split(b"\n")
            for answer in map(json.loads, lines):
                if "heartbeat" in answer:
                    under_way_s = answer["heartbeat"]
                else:
                    (ended_s, under_way_s) = (ended_s + answer.get("cpu_s", 0.0), 0.0)
                    yield answer
        used_s = kernel.spent_s(pid) + ended_s + under_way_s
        project_fork.send_heartbeat(used_s)
        passed_s = time.monotonic() - looked_s
        if passed_s > 2 * kernel.HEARTBEAT_S:
            worked_s = used_s - used_before_s
            spent_s += min(passed_s, worked_s) if worked_s > _PROGRESS * passed_s else passed_s
            (used_before_s, looked_s) = (used_s, time.monotonic())
    yield {"over": True}


class _Prover:
    """The pytest plugin: forks for each test and reports what it did."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._limits = request["limits"]
        self._report = request["report"]
        self._scratch = request["scratch"] if os.getppid() == 1 else {}
        self._raised: tuple[str, str] = ("", "")
        self._root = ""
        project_fork.tell_cpu_time(lambda cpu_s: self._send({"heartbeat": cpu_s}))

    def pytest_configure(self, config: Any) -> None:
        """Note what pytest's names are relative to: it may be a project below the folder that we are in."""
        self._root = str(getattr(config, "rootpath", None) or config.rootdir)  # the latter before pytest 6.1

    def _name(self, name: str) -> str:
        """The name of a test or file as pytest's arguments take it from here."""
        file, mark, rest = name.partition("::")
        return f"{os.path.relpath(os.path.join(self._root, file))}{mark}{rest}"  # noqa: PTH118

    def pytest_collectreport(self, report: Any) -> None:
        """Tell what cannot be collected."""
        if report.failed:
            text = str(report.longrepr)
            name = self._name(report.nodeid)
            self._send({"test": name, "status": "CE", "failure": ["CollectError", _last_line(text)]})

    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> bool:  # noqa: ARG002 - the hook's signature
        """Run `item` in a fork, with all that it needs set up and taken down there."""
        if self._scratch:  # what collecting left is there for every test
            project_fork.own_place(self._scratch)
            self._scratch = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fork beside threads: the fork uses none of them
            end = project_fork.run_apart(lambda: self._perform(item), self._limits)
        file, line, _ = item.location
        told = {"test": self._name(item.nodeid), "file": self._name(file), "starts": (line or 0) + 1}
        self._send({**told, **end})
        return True

    def _perform(self, item: Any) -> dict[str, Any]:
        from _pytest.runner import runtestprotocol

        project_fork.watch_reached()
        reports = runtestprotocol(item, nextitem=None, log=False)
        for report in reports:
            if report.outcome != "passed" or hasattr(report, "wasxfail"):
                kind = "xfailed" if hasattr(report, "wasxfail") else report.outcome
                return {
                    "status": "RE",
                    "outcome": kind,
                    "when": report.when,
                    "failure": list(self._raised)
                    if kind == "failed"
                    else [kind, "it was not run to its end"],
                    "text": str(report.longrepr)[-_TEXT_LENGTH:],
                    "line": _line_in(report, item),
                }
        ran = any(report.when == "call" for report in reports)
        return {"status": "OK" if ran else "RE", "outcome": "passed" if ran else "not called"}

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:  # noqa: ARG002 - the hook's signature
        """Note what was raised."""
        if call.excinfo is not None:
            self._raised = (call.excinfo.typename, str(call.excinfo.value)[:500])

    def _send(self, data: dict[str, Any]) -> None:
        text = json.dumps(data).encode("ascii") + b"\n"
        while text:
            text = text[os.write(self._report, text) :]


def _line_in(report: Any, item: Any) -> int:
    """1-based line of the test's own file where it failed; 0 where that is not known."""
    found = 0
    for entry in getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", []):
        place = getattr(entry, "reprfileloc", None)
        if place is not None and os.path.basename(str(place.path)) == os.path.basename(str(item.path)):  # noqa: PTH119
            found = place.lineno
    return found


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or [""])[-1][:500]


def main() -> None:
    """Be pytest's side: the request on standard input."""
    request = json.loads(sys.stdin.read())
    project_fork.become_unreadable()
    os.set_inheritable(request["report"], False)
    project_fork.keep_private(request["report"])
    sys.path[0] = os.getcwd()  # noqa: PTH109 - as `python -m pytest` has it
    for name in [name for name in sys.modules if name.partition(".")[0] == "sstar_code"]:
        del sys.modules[name]
    off = [word for name, words in _SWITCHED_OFF.items() if importlib.util.find_spec(name) for word in words]
    prover = _Prover(request)
    try:
        import pytest
    except ImportError:
        prover._send({"missing": "pytest"})  # noqa: SLF001
        return
    sys.exit(pytest.main([*_SHARED, *off, *request["select"]], plugins=[prover]))
