"""Runs a server and ends it with everything it started, however the one who wanted it ends.

    python -I guardian.py GRACE_S COMMAND ...

A process of its own between `sstar` and the server, because only another process survives kill -9. Its
standard input is its life-line: nobody writes to it, its end says that the owner is gone or wants no more.
Then, and on SIGTERM, the server is asked to end, and after GRACE_S seconds everything that is left is killed.
Everything: as a subreaper (prctl(2)) it inherits whatever loses its parent, whichever session that is in. A
server that ends by itself takes what it left with it in the same way. Ends with the server's exit code, 128 +
signal for a killed one. Standard library only; never imported.
"""

from __future__ import annotations

import ctypes
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LEFTOVER_GRACE_S = 3.0
_LOOK_S = 0.1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    """SIGTERM when the parent is gone, should even this process be killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def list_descendants(root: int) -> list[int]:
    """Every process below `root` that still runs or waits to be reaped."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended meanwhile
            children.setdefault(parent, []).append(int(entry.name))
    found, new = [], children.get(root, [])
    while new:
        found += new
        new = [child for pid in new for child in children.get(pid, [])]
    return found


class _Watch:
    """Waits for the children to end, and for the wish that they end."""

    def __init__(self, server: int) -> None:
        self.server = server
        self.code: int | None = None
        """Exit code of the server; None while it runs."""
        self.ended = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)

    def _end(self, *_: object) -> None:
        self.ended = True

    def wait_while(self, condition: Callable[[], bool], timeout_s: float = math.inf) -> None:
        """Until `condition` no longer holds, at most `timeout_s`; children that ended are reaped."""
        deadline_s = time.monotonic() + timeout_s
        self._reap()
        while condition() and time.monotonic() < deadline_s:
            readable, _, _ = select.select([] if self.ended else [0], [], [], _LOOK_S)
            if readable and not os.read(0, 4096):
                self.ended = True
            self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.server:
                code = os.waitstatus_to_exitcode(status)
                self.code = code if code >= 0 else 128 - code


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def guard(grace_s: float, command: list[str]) -> int:
    """Run `command` to its end or ours; its exit code."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    me = os.getpid()
    server = subprocess.Popen(  # noqa: S603 - what the user named
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread runs here
    )
    watch = _Watch(server.pid)
    watch.wait_while(lambda: watch.code is None and not watch.ended)
    if watch.code is None:
        _signal([server.pid], signal.SIGTERM)
        watch.wait_while(lambda: watch.code is None, grace_s)
    _signal(list_descendants(me), signal.SIGTERM)
    watch.wait_while(lambda: bool(list_descendants(me)), min(grace_s, _LEFTOVER_GRACE_S))
    while left := list_descendants(me):
        _signal(left, signal.SIGKILL)
        watch.wait_while(lambda: True, _LOOK_S)
    server.returncode = watch.code  # it was reaped here
    return watch.code or 0


if __name__ == "__main__":
    sys.exit(guard(float(sys.argv[1]), sys.argv[2:]))
