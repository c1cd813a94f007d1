"""One run: a fork of the program process, confined, timed from outside, and cleaned up after.

What a fork costs is the memory pages that it touches, each of which the kernel has to copy. So between
`fork` and the candidate's first line there are few calls, built-in ones, and what can be prepared before is.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` wraps what is called here in Python code
import contextlib
import errno
import math
import mmap
import os
import resource
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sstar_code.sandbox.inside import driver, kernel, seccomp

_INTERPRETER_MB = 64
_STACK = 512 * 1024 * 1024
_FILES = 64
_CPU_SLACK_S = 0.02
_KILL_PATIENCE_S = 10.0
_GLANCE_S = 0.25
_ANY_PID = 0x7FFFFFF0  # no process has it
_STREAMS = 4
"""Standard input, output and error and the report: memory files that stay, emptied before each run."""
_CHILD_ENDED = {_signal.SIGCHLD}


class SupervisorState:
    """The supervisor's settings, and a page of memory that its processes share.

    Byte 0: the run has confined itself. Byte 1: a program is being compiled. Byte 2: the program process is
    the run itself. 8..16: the request's id. 16..20: runs so far, from which the next uid follows. 64...:
    the facts of a run that the supervisor watches.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.uids = settings["uids"]
        self.seccomp = settings["seccomp"]
        self.processes = settings["processes"]
        self.alone = os.getpid() == 1
        """Our end is the end of every process here: the kernel sees to that."""
        self.filter = kernel.Filter(seccomp.build_run(_ANY_PID), _ANY_PID) if self.seccomp else None
        self.page = mmap.mmap(-1, mmap.PAGESIZE)

    def next_uid(self) -> int:
        """A uid that no process has; -1 where runs share the supervisor's."""
        count = int.from_bytes(self.page[16:20], "little")
        self.page[16:20] = ((count + 1) & 0xFFFFFFFF).to_bytes(4, "little")
        return self.uids[0] + count % self.uids[1] if self.uids else -1


class _Start(NamedTuple):
    """The facts that the parent of a run needs to watch it."""

    token: bytes
    """A text that its report must hold: 16 hexadecimal digits."""
    uid: int
    started_s: float
    """Its start on the monotonic clock."""
    spent_s: float
    """CPU time of the process before it became the run."""
    cpu_s: float
    wall_s: float
    output_kb: int


_LAYOUT = struct.Struct("=16sqddddq")
_LAID_AT = 64


class End(NamedTuple):
    """How a run ended."""

    token: str
    """The text that its report must hold."""
    status: int
    """As wait(2) gives it."""
    killed: bytes | None
    """The limit that its parent ended it for: `cpu` or `wall`."""
    cpu_s: float
    wall_s: float
    memory_kb: int
    strays: int
    """Processes that it left behind."""


def wait_for_signals() -> None:
    """Have the kernel keep word of ended children for `execute`; needed once before it."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _CHILD_ENDED)


def execute(state: SupervisorState, job: driver.Job, limits: dict[str, Any]) -> End:
    """Run `job` once on what descriptor 0 holds; how it ended. Its outputs are on descriptors 1 to 3.

    Raises:
        OSError: the run could not be made or cleaned up after; this is not the candidate's doing.
    """
    start = _begin(state, limits)
    pid = os.fork()
    if pid == 0:
        _perform(state, job, limits, start)
    return _conclude(state, pid, start, _wait_for_child)


def become(state: SupervisorState, job: driver.Job, limits: dict[str, Any]) -> None:
    """Be the one run of `job`, in the process that compiled it: one fork less. Never returns.

    The parent finds in `state` what it has to watch (`attend`).
    """
    start = _begin(state, limits, spent_s=time.process_time())
    _LAYOUT.pack_into(state.page, _LAID_AT, *start)
    state.page[2] = 1
    _perform(state, job, limits, start)


def attend(state: SupervisorState, pid: int, pause: Callable[[float], object]) -> tuple[End | None, int, int]:
    """Wait for `pid`, which compiles a program and may `become` its run: its end, status and `output_kb`.

    The end is None where it did not become one. `pause` waits that many seconds or until the process ends.

    Raises:
        OSError: the run could not confine itself or be cleaned up after.
    """
    while state.page[2] != 1:
        (ended, status, _) = os.wait4(pid, os.WNOHANG)
        if ended:
            return None, status, 0
        pause(_GLANCE_S)
    start = _Start(*_LAYOUT.unpack_from(state.page, _LAID_AT))
    end = _conclude(state, pid, start, pause)
    return end, end.status, start.output_kb


def _begin(state: SupervisorState, limits: dict[str, Any], spent_s: float = 0.0) -> _Start:
    state.page[0] = 0
    token = os.urandom(8).hex().encode("ascii")
    uid = state.next_uid()
    return _Start(
        token, uid, time.monotonic(), spent_s, limits["cpu_s"], limits["wall_s"], limits["output_kb"]
    )


def _perform(state: SupervisorState, job: driver.Job, limits: dict[str, Any], start: _Start) -> None:
    try:
        _confine(state, limits, start)
        driver.perform(job, start.token.decode("ascii"))
    finally:
        os._exit(71)


def _wait_for_child(seconds: float) -> None:
    _signal.sigtimedwait(_CHILD_ENDED, seconds)


def _conclude(state: SupervisorState, pid: int, start: _Start, pause: Callable[[float], object]) -> End:
    (killed, status, usage) = _watch(pid, start, pause)
    wall_s = time.monotonic() - start.started_s
    strays = _sweep(start.uid)
    if state.page[0] != 1:
        raise OSError(errno.EPERM, "a run could not confine itself")
    cpu_s = usage.ru_utime + usage.ru_stime - start.spent_s
    return End(start.token.decode("ascii"), status, killed, cpu_s, wall_s, usage.ru_maxrss, strays)


def _confine(state: SupervisorState, limits: dict[str, Any], start: _Start) -> None:
    os.setsid()
    os.closerange(_STREAMS, _FILES)  # beyond that there are none
    memory = (limits["memory_mb"] + _INTERPRETER_MB) << 20
    # `_watch` decides, by a finer clock: the kernel's limit counts ticks, beside other work a fifth too many
    cpu_s = 2 * math.ceil(start.spent_s + limits["cpu_s"]) + 1
    file_size = (limits["output_kb"] << 10) + 4096
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory + (16 << 20)))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    if state.processes:
        resource.setrlimit(resource.RLIMIT_NPROC, (state.processes, state.processes))
    if start.uid >= 0:
        uid = start.uid
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        kernel.control(kernel.DUMPABLE, 0)  # inherited, but a new uid may bring it back
    if not state.alone:
        kernel.control(kernel.PARENT_DEATH_SIGNAL, _signal.SIGKILL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _CHILD_ENDED)
    if state.filter is not None:
        state.filter.install(os.getpid())
    state.page[0] = 1
    state.page.close()  # what follows must not reach it


def _watch(pid: int, start: _Start, pause: Callable[[float], object]) -> tuple[bytes | None, int, Any]:
    """Wait for the end of `pid`, kill it over a limit: which limit, its status and its resource usage."""
    clock = (~pid << 3) | 2  # the kernel's name for that process's CPU time
    most_cpu_s = start.spent_s + start.cpu_s + _CPU_SLACK_S
    killed = None
    gone_s = time.monotonic() - start.started_s  # `attend` comes up to a glance late
    wait_s = max(0.001, min(start.cpu_s + _CPU_SLACK_S, start.wall_s) - gone_s)
    while True:
        pause(wait_s)
        (ended, status, usage) = os.wait4(pid, os.WNOHANG)
        if ended:
            return killed, status, usage
        cpu_left_s = most_cpu_s - time.clock_gettime(clock)
        wall_left_s = start.wall_s - (time.monotonic() - start.started_s)
        if wall_left_s <= 0:
            wall_left_s += queued_s(pid)
        if min(cpu_left_s, wall_left_s) <= 0:
            killed = killed or (b"cpu" if cpu_left_s <= 0 else b"wall")
            os.kill(pid, _signal.SIGKILL)
            wait_s = _KILL_PATIENCE_S
        else:
            wait_s = max(0.001, min(cpu_left_s, wall_left_s))


def queued_s(pid: int) -> float:
    """Seconds that `pid` was ready to run and had no CPU: load, which must not decide a verdict.

    The most of any one of its threads. 0.0 where the kernel does not count it.
    """
    most = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - pathlib would be one more import
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:  # noqa: PTH123 - as above
                most = max(most, int(file.read().split()[1]))
    return most / 1e9


def _sweep(uid: int) -> int:
    """Kill and reap whatever the run left behind; how many there were."""
    count = 0
    deadline_s = time.monotonic() + _KILL_PATIENCE_S
    while True:
        try:
            (pid, _) = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return count
        if pid:
            count += 1
            continue
        if time.monotonic() > deadline_s:
            raise OSError(errno.ETIMEDOUT, "what a run left behind cannot be killed")
        _kill_strays(uid)
        time.sleep(0.001)


def _kill_strays(uid: int) -> None:
    if uid >= 0:
        helper = os.fork()
        if helper == 0:
            try:
                os.setresuid(uid, uid, uid)
                os.kill(-1, _signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(helper, 0)
        return
    me = os.getpid()
    with open(f"/proc/{me}/task/{me}/children") as file:  # noqa: PTH123 - pathlib would be one more import
        for pid in file.read().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), _signal.SIGKILL)


def set_common_limits() -> None:
    """Limits that are the same for every run, set once: they are inherited."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = _STACK if hard == resource.RLIM_INFINITY else min(hard, _STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
