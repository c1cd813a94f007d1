"""A piece of work in a process of its own: limited, timed from outside, and ended with what it started.

It happens inside a repository's sandbox (`project.py`). The work is untrusted and sees its own process. It
can forge its report, for itself and nobody else: it holds no descriptor by which it could speak for another.
Where `own_place` was called all that it started is ended after it, and what it wrote is removed.
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
import stat
import sys
import time
from collections.abc import Callable
from typing import Any

from sstar_code.sandbox.inside import kernel

_REPORT = 3
_GLANCE_S = 0.05
_MESSAGE_LENGTH = 500
_LAST_WORDS = 4000
_libc = ctypes.CDLL(None, use_errno=True)
_SUBREAPER = 36
_PATIENCE_S = 10.0
_MOST_KEPT_BYTES = 16 << 20
_private: set[int] = set()
_owner: list[int] = []
_scratch: dict[str, list[str]] = {}
_kept: dict[str, tuple[os.stat_result, Any]] = {}
_reached: set[str] = set()
_listeners: list[Callable[[float], None]] = []
_told_s = [0.0]


def keep_private(descriptor: int) -> None:
    """Close `descriptor` in every fork that `run_apart` makes: by it one could speak for others."""
    _private.add(descriptor)


def tell_cpu_time(listener: Callable[[float], None]) -> None:
    """From now on give `listener` the CPU seconds of the work under way, every few seconds."""
    _listeners.append(listener)


def send_heartbeat(cpu_s: float) -> None:
    """Tell whoever listens that the work under way has used `cpu_s`, unless that was told a moment ago."""
    if time.monotonic() - _told_s[0] >= kernel.HEARTBEAT_S:
        _told_s[0] = time.monotonic()
        for listener in _listeners:
            listener(cpu_s)


def watch_reached() -> None:
    """From now on, in this process, report which functions that are still open were called."""
    _reached.clear()
    builtins._sstar_reached = _reached.add  # type: ignore[attr-defined] # noqa: SLF001 - open functions call it


def become_unreadable() -> None:
    """No other process of this user may look into this one, or reach its descriptors through /proc."""
    _libc.prctl(4, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def end_with_owner(requests: int) -> None:
    """From now on end, and all with us, when nobody is left at the other end of `requests` during work."""
    _owner.append(requests)


def wait_ready(poller: select.poll, timeout_s: float) -> list[int]:
    """The descriptors of `poller` that are ready, after `timeout_s` at most; ends where the owner is gone."""
    for descriptor in _owner:
        poller.register(descriptor, 0)
    ready = [descriptor for descriptor, _ in poller.poll(1000 * max(0.0, timeout_s))]
    if not set(ready).isdisjoint(_owner):
        os._exit(1)
    return ready


def own_place(scratch: dict[str, list[str]]) -> None:
    """From now on each piece of work begins with the processes and files that are there now, and no others.

    For a process that is alone, but for the first one, in its namespace of processes: all others are killed.
    `scratch`: the folders that can be written to, each with the paths below it where something is mounted.
    """
    _libc.prctl(_SUBREAPER, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _scratch.update(scratch)
    keep_files()


def list_scratch() -> dict[str, list[str]]:
    """What `own_place` was told; empty where it was not called."""
    return _scratch


def keep_files() -> None:
    """What is in the scratch folders now is there again after each piece of work."""
    _kept.clear()
    left = _MOST_KEPT_BYTES
    for top, mounted in _scratch.items():
        waiting = [top]
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    state = entry.stat(follow_symlinks=False)
                    data: Any = None
                    if entry.path in mounted:
                        continue
                    if stat.S_ISDIR(state.st_mode):
                        waiting.append(entry.path)
                    elif stat.S_ISLNK(state.st_mode):
                        data = os.readlink(entry.path)  # noqa: PTH115 - pathlib would be one more import
                    elif stat.S_ISREG(state.st_mode) and state.st_size <= left:
                        left -= state.st_size
                        with open(entry.path, "rb") as file:  # noqa: PTH123
                            data = file.read()
                    _kept[entry.path] = (state, data)


def clear_place() -> None:
    """End every process but the first and this one, wait for them, and put the scratch folders in order."""
    if not _scratch:
        return
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # never the first process, nor the one that calls
        try:
            gone, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not gone:
            if time.monotonic() > deadline_s:
                raise TimeoutError("processes of the repository do not end")
            time.sleep(0.001)
    _remove_shared()
    for top, mounted in _scratch.items():
        _clear_folder(top, mounted)
    for path, (state, data) in _kept.items():  # outer folders come first
        if not os.path.lexists(path):
            _make_again(path, state, data)


def _remove_shared() -> None:
    """Remove the System V objects: `*_INFO` gives the highest place, `*_STAT` the id of what is in one."""
    answer = ctypes.create_string_buffer(512)
    for kind, info, status in (("shmctl", 14, 13), ("msgctl", 12, 11), ("semctl", 19, 18)):
        control, zero = getattr(_libc, kind), (0,) * (kind == "semctl")
        for place in range(control(0, *zero, info, answer) + 1):
            name = control(place, *zero, status, answer)
            if name >= 0:
                control(name, *zero, 0, answer)


def _clear_folder(top: str, mounted: list[str]) -> None:
    waiting = [top]
    while waiting:
        here = waiting.pop()
        for name in os.listdir(here):  # noqa: PTH208
            path = f"{here}/{name}"
            if path in mounted:
                continue
            now = os.lstat(path)
            was = _kept[path][0] if path in _kept else None
            if any(place.startswith(f"{path}/") for place in mounted):
                waiting.append(path)
            elif was is not None and was.st_ino == now.st_ino and stat.S_ISDIR(now.st_mode):
                os.chmod(path, stat.S_IMODE(was.st_mode))  # noqa: PTH101
                waiting.append(path)
            elif was is None or (was.st_ino, was.st_ctime_ns) != (now.st_ino, now.st_ctime_ns):
                _remove(path, top)


def _remove(path: str, top: str) -> None:
    """Remove a file, or a folder however deep it is: its folders are moved up to `top` one by one."""
    waiting, number = [path], 0
    while waiting:
        path = waiting.pop()
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)  # noqa: PTH108
            continue
        os.chmod(path, 0o700)  # noqa: PTH101
        for name in os.listdir(path):  # noqa: PTH208
            inner = f"{path}/{name}"
            if stat.S_ISDIR(os.lstat(inner).st_mode):
                os.chmod(inner, 0o700)  # noqa: PTH101
                number += 1
                while os.path.lexists(f"{top}/.doomed-{number}"):
                    number += 1
                os.rename(inner, f"{top}/.doomed-{number}")  # noqa: PTH104
                waiting.append(f"{top}/.doomed-{number}")
            else:
                os.unlink(inner)  # noqa: PTH108
        os.rmdir(path)  # noqa: PTH106


def _make_again(path: str, state: os.stat_result, data: Any) -> None:
    if isinstance(data, str):
        os.symlink(data, path)  # noqa: PTH211
    elif data is not None or stat.S_ISDIR(state.st_mode):
        if data is None:
            os.mkdir(path)  # noqa: PTH102
        else:
            with open(path, "xb") as file:  # noqa: PTH123
                file.write(data)
        os.chmod(path, stat.S_IMODE(state.st_mode))  # noqa: PTH101


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
        clear_place()


def _perform(
    work: Callable[[], dict[str, Any]], limits: dict[str, Any], token: str, streams: tuple[int, int]
) -> None:
    leave, write, dumps = os._exit, os.write, json.dumps
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
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
    looks = kernel.Looks(pid, None)
    descriptor = os.pidfd_open(pid)
    killed, wait_s = "", _GLANCE_S
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while not wait_ready(poller, wait_s):
            spent_s = kernel.spent_s(pid)
            send_heartbeat(spent_s)
            cpu_left_s = limits["cpu_s"] - spent_s
            wall_left_s = limits["wall_s"] - (time.monotonic() - started_s)
            if wall_left_s <= 0:
                wall_left_s += kernel.queued_s(pid)
            if wall_left_s <= 0 and not looks.find_asleep(spent_s):
                wall_left_s = looks.pause_s
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
