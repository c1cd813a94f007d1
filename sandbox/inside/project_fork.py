"""A piece of work in a process of its own: limited, timed from outside, and ended with what it started.

It happens inside a repository's sandbox (`project.py`). The work is untrusted and sees its own process. It
can forge its report, for itself and nobody else: it holds no descriptor by which it could speak for another.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import errno
import json
import math
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from sstar_code.sandbox.inside import run

_REPORT = 3
_GLANCE_S = 0.05
_MESSAGE_LENGTH = 500
_LAST_WORDS = 4000
_libc = ctypes.CDLL(None, use_errno=True)
_private: set[int] = set()
_reached: set[str] = set()


def keep_private(descriptor: int) -> None:
    """Close `descriptor` in every fork that `run_apart` makes: by it one could speak for others."""
    _private.add(descriptor)


def watch_reached() -> None:
    """From now on, in this process, report which functions that are still open were called."""
    _reached.clear()
    builtins._sstar_reached = _reached.add  # type: ignore[attr-defined] # noqa: SLF001 - open functions call it


def become_unreadable() -> None:
    """No other process of this user may look into this one, or reach its descriptors through /proc."""
    _libc.prctl(4, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def run_apart(work: Callable[[], dict[str, Any]], limits: dict[str, Any]) -> dict[str, Any]:
    """The value that `work()` returned in a fork, with `status`, `cpu_s`, `wall_s`, `memory_mb` and `stdout`.

    `limits` has `cpu_s`, `wall_s`, `memory_mb` and `output_kb`. Where it did not end well `failure` says why:
    type, message and the text of the line.
    """
    token = os.urandom(8).hex()
    report, output = os.memfd_create("report"), os.memfd_create("output")
    sys.stdout.flush()
    sys.stderr.flush()
    started_s = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _perform(work, limits, token, (report, output))
    try:
        killed, status, usage = _watch(pid, started_s, limits)
        told = _read_report(report, token)
        end = {
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "wall_s": time.monotonic() - started_s,
            "memory_mb": usage.ru_maxrss / 1024,
            "stdout": _read_end(output),
        }
        return {**_conclude(told, killed, status, end["cpu_s"] > limits["cpu_s"]), **end}
    finally:
        os.close(report)
        os.close(output)


def _perform(
    work: Callable[[], dict[str, Any]], limits: dict[str, Any], token: str, streams: tuple[int, int]
) -> None:
    leave, write, dumps = os._exit, os.write, json.dumps
    status = 1
    try:
        os.setsid()
        _confine(limits, streams)
        told = _tell(work)
        text = dumps({"token": token, **told}).encode("ascii")
        sent = 0
        while sent < len(text):
            sent += write(_REPORT, text[sent:])
        status = 0
    finally:
        leave(status)


def _confine(limits: dict[str, Any], streams: tuple[int, int]) -> None:
    report, output = streams
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor in _private - {_REPORT}:
        os.close(descriptor)
    for descriptor, target in ((null, 0), (output, 1), (output, 2), (report, _REPORT)):
        os.dup2(descriptor, target)
    for descriptor in {report, output, null} - {0, 1, 2, _REPORT}:
        os.close(descriptor)
    cpu_s = math.ceil(limits["cpu_s"]) + 1
    size = (limits["output_kb"] << 10) + 4096
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - pathlib would be one more import
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    for kind, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_AS, mapped + (limits["memory_mb"] << 20)),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    become_unreadable()


def _tell(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"status": "OK", **work(), "reached": sorted(_reached)}
    except BaseException as error:  # noqa: BLE001 - a candidate may raise anything
        short = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        try:
            message = str(error)[:_MESSAGE_LENGTH]
        except BaseException:  # noqa: BLE001 - __str__ is the candidate's code
            message = ""
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        trace = error.__traceback__
        places = []
        while trace is not None:
            places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
            trace = trace.tb_next
        return {
            "status": "MLE" if short else "RE",
            "failure": [type(error).__name__, message],
            "places": places[-20:],
            "reached": sorted(_reached),
        }


def _watch(pid: int, started_s: float, limits: dict[str, Any]) -> tuple[str, int, Any]:
    """Which limit it was killed for (or an empty text), its status and its resource usage."""
    clock = (~pid << 3) | 2  # the kernel's name for that process's CPU time
    descriptor = os.pidfd_open(pid)
    killed, wait_s = "", _GLANCE_S
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while not poller.poll(1000 * wait_s):
            cpu_left_s = limits["cpu_s"] - time.clock_gettime(clock)
            wall_left_s = limits["wall_s"] - (time.monotonic() - started_s)
            if wall_left_s <= 0:
                wall_left_s += run.queued_s(pid)
            if min(cpu_left_s, wall_left_s) <= 0:
                killed = killed or ("cpu" if cpu_left_s <= 0 else "wall")
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
            wait_s = max(0.002, min(cpu_left_s, wall_left_s, 1.0))
        (_, status, usage) = os.wait4(pid, 0)
    finally:
        os.close(descriptor)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # what it started and left behind
    return killed, status, usage


def _read_report(descriptor: int, token: str) -> dict[str, Any]:
    size = os.fstat(descriptor).st_size
    try:
        told = json.loads(os.pread(descriptor, size, 0))
        return told if isinstance(told, dict) and told.pop("token", None) == token else {}
    except (ValueError, RecursionError):
        return {}


def _read_end(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, _LAST_WORDS, max(0, size - _LAST_WORDS)).decode("utf-8", "replace")


def _conclude(told: dict[str, Any], killed: str, status: int, over: bool) -> dict[str, Any]:
    if killed or over:
        return {"status": "TLE", "limit": killed or "cpu"}
    code = os.waitstatus_to_exitcode(status)
    if code == 0 and told:
        return told
    if code == -signal.SIGXCPU:
        return {"status": "TLE", "limit": "cpu"}
    if code == -signal.SIGXFSZ:
        return {"status": "OLE"}
    name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return {"status": "RE", "failure": [name, "it ended its own process"]}
