"""One run: a fork of the program process, confined, timed from outside, and cleaned up after.

What a fork costs is the memory pages that it touches, each of which the kernel has to copy. So between
`fork` and the candidate's first line there are few calls, built-in ones, and what can be prepared before is.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` wraps what is called here in Python code
import contextlib
import errno
import fcntl
import math
import mmap
import os
import resource
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sstar_code.sandbox.inside import driver, kernel, seccomp
from sstar_code.sandbox.inside.kernel import GLANCE_S, KILL_PATIENCE_S, Start, Watch

if TYPE_CHECKING:
    from sstar_code.sandbox.inside.stream import Stream

_INTERPRETER_MB = 64
RESERVE_MB = 2048
"""Address space beyond the memory limit, for what is reserved and not used: stacks of threads, pools of a
library. What is used is watched from outside."""
_STACK = 512 * 1024 * 1024
_FILES = 64
_ANY_PID = 0x7FFFFFF0  # no process has it
STREAMS = (0, 1, 2, 3)
"""Standard input, output and error and the report: memory files, new ones for every run."""
_CHILD_ENDED = {_signal.SIGCHLD}
_Perform = Callable[[driver.Job, str], object]
_Pause = Callable[[float], object]


class SupervisorState:
    """The supervisor's settings, and a page of memory that its processes share.

    Byte 0: the run has confined itself; 3: so has a candidate beside its test, or an interactor. Byte 1: a
    program is being compiled. Byte 2: the program process is the run itself. Byte 4: its parent may be
    sending a heartbeat. 8..16: the request's id. 16..20: runs so far, from which the next uid follows.
    32..64: name of a compiled program that is to be kept; 256..288: that of its judge. 64...: the facts of a
    run that the supervisor watches.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.uids = settings["uids"]
        self.seccomp = settings["seccomp"]
        self.processes = settings["processes"]
        self.compile_mb = settings["compile_mb"]
        self.alone = os.getpid() == 1
        """Our end is the end of every process here: the kernel sees to that."""
        self.proc: int | None = settings["proc_descriptor"]
        """Descriptor of a /proc that shows every process, where the one in sight hides them from runs."""
        self.watches_memory = False
        """The memory that a run uses can be read from outside; else its address space stands for it."""
        self.scratch = settings["scratch"]
        self.kept = frozenset(os.listdir(self.scratch)) if self.scratch else frozenset()  # noqa: PTH208 - as below
        """Names in the folder for files that were there before any run."""
        if self.scratch:
            os.utime(self.scratch, ns=(0, 0))
        self.filter = kernel.Filter(seccomp.build_run(_ANY_PID), _ANY_PID) if self.seccomp else None
        self.domain = move_up(kernel.make_domain())
        """A second wall against signals and tracing, beside the filter, where the kernel has it."""
        self.tools: Any = None
        """A `native.Tools` where there are compiled languages."""
        self.page = mmap.mmap(-1, mmap.PAGESIZE)
        self.tell: Callable[[float], None] = _tell_nobody
        """Is given the CPU seconds of the work under way, every now and then."""

    @property
    def request(self) -> int:
        """The id of the request under way."""
        return int.from_bytes(self.page[8:16], "little")

    def tell_for_child(self, stream: Stream, cpu_s: float) -> None:
        """Send a heartbeat for the program process while it cannot: it compiles, or is the run itself."""
        self.page[4] = 1
        os.sched_yield()  # a system call: each side is sure to see what the other wrote before it looked
        if self.page[1] == 1 or self.page[2] == 1:
            stream.send_heartbeat(self.request, cpu_s)
        self.page[4] = 0

    def end_compiling(self) -> None:
        """From now on the program process alone writes to the stream."""
        self.page[1] = 0
        os.sched_yield()
        while self.page[4] == 1:
            time.sleep(0.001)

    def next_uid(self) -> int:
        """A uid that no process has; -1 where runs share the supervisor's."""
        count = int.from_bytes(self.page[16:20], "little")
        self.page[16:20] = ((count + 1) & 0xFFFFFFFF).to_bytes(4, "little")
        return self.uids[0] + count % self.uids[1] if self.uids else -1


def _tell_nobody(cpu_s: float) -> None:
    """Nobody waits for the work, or only briefly."""


def move_up(descriptor: int | None) -> int | None:
    """`descriptor` where the runs have none."""
    if descriptor is None:
        return None
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    return moved


_LAYOUT = struct.Struct("=16sqddddqq")
_LAID_AT = 64


class End(NamedTuple):
    """How a run ended."""

    token: str
    """The text that its report must hold."""
    status: int
    """As wait(2) gives it."""
    killed: bytes | None
    """The limit that its parent ended it for: `cpu`, `wall` or `memory`."""
    cpu_s: float
    wall_s: float
    memory_kb: int


def wait_for_signals() -> None:
    """Have the kernel keep word of ended children for `execute`; needed once before it."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _CHILD_ENDED)


def execute(
    state: SupervisorState, job: driver.Job, limits: dict[str, Any], perform: _Perform = driver.perform
) -> End:
    """Run `job` once on what descriptor 0 holds; how it ended. Its outputs are on descriptors 1 to 3.

    Raises:
        OSError: the run could not be made or cleaned up after; this is not the candidate's doing.
    """
    start = begin(state, limits)
    pid = os.fork()
    if pid == 0:
        _perform(state, job, limits, start, perform)
    return watch_to_end(state, pid, start, wait_for_child)


def renew_streams() -> None:
    """New memory files on `STREAMS`: what the kernel keeps with a file must not outlive the run."""
    for descriptor in STREAMS:
        made = os.memfd_create("stream")
        if made != descriptor:
            os.dup2(made, descriptor)
            os.close(made)


def become(state: SupervisorState, job: driver.Job, limits: dict[str, Any]) -> None:
    """Be the one run of `job`, in the process that compiled it: one fork less. Never returns.

    The parent finds in `state` what it has to watch (`attend`).
    """
    start = begin(state, limits, spent_s=time.process_time())
    _LAYOUT.pack_into(state.page, _LAID_AT, *start)
    state.page[2] = 1
    _perform(state, job, limits, start, driver.perform)


def attend(state: SupervisorState, pid: int, pause: _Pause) -> tuple[End | None, int, int]:
    """Wait for `pid`, which compiles a program and may `become` its run: its end, status and `output_kb`.

    The end is None where it did not become one. `pause` waits that many seconds or until the process ends.

    Raises:
        OSError: the run could not confine itself or be cleaned up after.
    """
    while True:
        # In this order: between the two looks it may become the run and be through with it.
        has_ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if state.page[2] == 1:
            break
        if has_ended:
            return None, os.wait4(pid, 0)[1], 0
        pause(GLANCE_S)
        if state.page[1] == 1:
            state.tell(kernel.spent_s(pid))
    start = Start(*_LAYOUT.unpack_from(state.page, _LAID_AT))
    end = watch_to_end(state, pid, start, pause)
    return end, end.status, start.output_kb


def begin(state: SupervisorState, limits: dict[str, Any], spent_s: float = 0.0) -> Start:
    """The facts of a run that begins now."""
    state.page[0] = 0
    if state.scratch:  # else its change time tells whether and when an earlier run wrote there
        os.utime(state.scratch, ns=(0, 0))
    token = os.urandom(8).hex().encode("ascii")
    uid = state.next_uid()
    most_kb = limits["memory_mb"] << 10 if state.watches_memory else 0
    return Start(
        *(token, uid, time.monotonic(), spent_s, limits["cpu_s"], limits["wall_s"]),
        *(limits["output_kb"], most_kb),
    )


def _perform(
    state: SupervisorState, job: driver.Job, limits: dict[str, Any], start: Start, perform: _Perform
) -> None:
    try:
        confine(state, limits, start)
        perform(job, start.token.decode("ascii"))
    finally:
        os._exit(71)


def wait_for_child(seconds: float) -> None:
    """Wait until a child has ended, at most so long."""
    _signal.sigtimedwait(_CHILD_ENDED, seconds)


def watch_to_end(
    state: SupervisorState, pid: int, start: Start, pause: _Pause, *, tables: bool = False
) -> End:
    """Watch the run `pid` until it is over and clean up after it; how it ended. As `conclude`.

    `tables`: count the kernel's tables of its pages as well (`kernel.used_kb`).
    """
    watch = Watch(pid, start, state.proc, counts_tables=tables)
    while not watch.is_over:
        pause(watch.wait_s)
        watch.look()
        state.tell(watch.spent_s)
    return conclude(state, watch)


def conclude(state: SupervisorState, watch: Watch, *others: Watch) -> End:
    """Clean up after runs that are over; how that of `watch` ended.

    Raises:
        OSError: one could not be confined or cleaned up after.
    """
    start = watch.start
    wall_s = time.monotonic() - start.started_s
    for left, each in zip(range(len(others), -1, -1), (watch, *others)):  # noqa: B905 - 3.9
        _sweep(each.start.uid)
        if state.scratch:
            _empty_scratch(state, each.start.uid, is_last=not left)
    if state.page[0] != 1:
        raise OSError(errno.EPERM, "a run could not confine itself")
    cpu_s = watch.usage.ru_utime + watch.usage.ru_stime - start.spent_s
    (token, memory_kb) = (start.token.decode("ascii"), watch.usage.ru_maxrss)
    return End(token, watch.status, watch.killed, cpu_s, wall_s, memory_kb)


def list_limits(
    state: SupervisorState, limits: dict[str, Any], start: Start
) -> tuple[tuple[int, int, int], ...]:
    """The kernel's limits of a run: kind, soft and hard of each."""
    reserve_mb = RESERVE_MB if state.watches_memory else 0
    memory = (limits["memory_mb"] + _INTERPRETER_MB + reserve_mb) << 20
    # `Watch` decides, by a finer clock: the kernel's limit counts ticks, beside other work a fifth too many
    cpu_s = 2 * math.ceil(start.spent_s + limits["cpu_s"]) + 1
    file_size = (limits["output_kb"] << 10) + 4096
    found = (
        (resource.RLIMIT_AS, memory, memory + (16 << 20)),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_FSIZE, file_size, file_size),
    )
    if not state.processes:
        return found
    return (*found, (resource.RLIMIT_NPROC, state.processes, state.processes))


def confine(
    state: SupervisorState,
    limits: dict[str, Any],
    start: Start,
    own: tuple[int, int, int] = (len(STREAMS), 0, 0),
) -> None:
    """Give up all that a run must not have. `own`: its descriptors, its byte, its group (0: as its user)."""
    (files, flag, group) = own
    os.setsid()
    if state.domain is not None:
        kernel.enter_domain(state.domain)
    os.closerange(files, _FILES)  # beyond that there are none
    for kind, soft, hard in list_limits(state, limits, start):
        resource.setrlimit(kind, (soft, hard))
    if start.uid >= 0:
        uid = start.uid
        os.setgroups([])
        os.setresgid(*[group or uid] * 3)
        os.setresuid(uid, uid, uid)
        kernel.control(kernel.DUMPABLE, 0)  # inherited, but a new uid may bring it back
    if not state.alone:
        kernel.control(kernel.PARENT_DEATH_SIGNAL, _signal.SIGKILL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _CHILD_ENDED)
    if state.filter is not None:
        state.filter.install(os.getpid())
    state.page[flag] = 1
    state.page.close()  # what follows must not reach it


def _sweep(uid: int) -> None:
    """Kill and reap whatever the run left behind."""
    deadline_s = time.monotonic() + KILL_PATIENCE_S
    while True:
        try:
            (pid, _) = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
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


def _empty_scratch(state: SupervisorState, uid: int, *, is_last: bool) -> None:
    """Remove what the run of `uid` left in the folder for files; after the last one nothing may be left.

    Raises:
        OSError: something stays.
    """
    if os.stat(state.scratch).st_mtime == 0:  # noqa: PTH116 - pathlib would be one more import
        return  # nothing has been made or removed there since it was emptied
    helper = os.fork()
    if helper == 0:
        try:
            if uid >= 0:
                os.setresuid(uid, uid, uid)  # whose files they are
            _remove_all(state.scratch, state.kept)
        finally:
            os._exit(0)
    os.waitpid(helper, 0)
    if is_last and not state.kept.issuperset(os.listdir(state.scratch)):  # noqa: PTH208 - as above
        raise OSError(errno.EBUSY, "what a run left in its folder cannot be removed")
    if is_last:
        os.utime(state.scratch, ns=(0, 0))  # when somebody wrote there last is no other run's business


def _remove_all(folder: str, kept: frozenset[str]) -> None:
    """Empty `folder`, however deep the folders in it are and whatever their modes, of what is this user's.

    A folder's entries are moved up before it is removed, so no path gets long and nothing is called again.
    """
    os.chdir(folder)
    count = 0
    stays = set(kept)
    while names := [name for name in os.listdir() if name not in stays]:  # noqa: PTH208 - as above
        for name in names:
            try:
                os.unlink(name)  # noqa: PTH108 - as above
            except PermissionError:
                stays.add(name)
            except IsADirectoryError:
                if os.stat(name).st_uid != os.getuid():  # noqa: PTH116 - as above
                    stays.add(name)
                    continue
                os.chmod(name, 0o700)  # noqa: PTH101 - as above
                for inner in os.listdir(name):  # noqa: PTH208 - as above
                    while os.path.lexists(str(count)):
                        count += 1
                    with contextlib.suppress(OSError):  # else a folder may not change its parent
                        os.chmod(f"{name}/{inner}", 0o700)  # noqa: PTH101 - as above
                    os.rename(f"{name}/{inner}", str(count))  # noqa: PTH104 - as above
                os.rmdir(name)  # noqa: PTH106 - as above


def set_common_limits() -> None:
    """Limits that are the same for every run, set once: they are inherited."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = _STACK if hard == resource.RLIM_INFINITY else min(hard, _STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
