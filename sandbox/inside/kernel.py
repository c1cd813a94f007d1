"""The few system calls that the standard library has no name for, and a process watched from outside."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # as in `run`
import contextlib
import ctypes
import mmap
import os
import resource
import struct
import sys
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

_FILL_KB_S = 4 << 20
"""Faster than this no program fills memory: so much later than now is soon enough to look again."""
_CPU_SLACK_S = 0.02
_IDLE_LOOKS = 4
"""So often a run over its wall limit has to be found asleep before it is ended for it."""
_PROGRESS = 0.05
"""Part of a core that is work where the kernel does not tell whether a run is asleep."""
KILL_PATIENCE_S = 60.0
"""A killed process needs the CPU to end, of which a busy machine has little."""
GLANCE_S = 0.25
HEARTBEAT_S = 5.0
"""So often the outside hears how much CPU time the work under way has used."""
PARENT_DEATH_SIGNAL = 1
DUMPABLE = 4
_SECCOMP = 22
CHILD_SUBREAPER = 36
NO_NEW_PRIVILEGES = 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.syscall.restype = ctypes.c_long
_CLOSE_RANGE = 436  # the same numbers on every architecture
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_RULESET = struct.Struct("=QQQ")  # struct landlock_ruleset_attr: files, network, scopes
_RULE = struct.Struct("=Qi")  # struct landlock_path_beneath_attr: rights, folder
(_EXECUTE, _WRITE, _MOVE) = (1 << 0, 1 << 1, 1 << 13)
_NOT_WRITTEN = ("/proc", "/sys")
"""The kernel's own files, and the null device that covers some: that may be written to wherever it stands."""
_SCOPES = 3  # abstract unix sockets and signals


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def control(option: int, value: int = 1) -> None:
    """`prctl(option, value)`.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


class Filter:
    """A seccomp filter (`seccomp.build_*`) laid out once, so that installing it takes one call.

    Args:
        code: the filter; every operand that is `hole` is replaced by the number that `install` is given.
    """

    def __init__(self, code: bytes, hole: int | None = None) -> None:
        wanted = hole.to_bytes(4, sys.byteorder) if hole is not None else None
        self._code = bytearray(code)
        self._holes = [at for at in range(4, len(code), 8) if code[at : at + 4] == wanted]
        self._pointed_at = (ctypes.c_char * len(code)).from_buffer(self._code)
        self._program = _Program(len(code) // 8, ctypes.addressof(self._pointed_at))
        self._address = ctypes.addressof(self._program)

    @property
    def parts(self) -> tuple[int, int, list[int]]:
        """For who installs it elsewhere: addresses of its description and its code, and its holes."""
        return self._address, ctypes.addressof(self._pointed_at), self._holes

    def install(self, number: int = 0) -> None:
        """Put the filter on this thread for good.

        Raises:
            OSError: the kernel refuses.
        """
        operand = number.to_bytes(4, sys.byteorder)
        for at in self._holes:
            self._code[at : at + 4] = operand
        if _libc.prctl(_SECCOMP, 2, self._address, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"seccomp filter: {os.strerror(ctypes.get_errno())}")


def make_domain(programs: Iterable[str] = ()) -> int | None:
    """Descriptor of a Landlock ruleset for `enter_domain`; None where the kernel has no such (6.12).

    `programs` are files that may be executed in it.
    """
    attributes = _RULESET.pack(_EXECUTE | _WRITE | _MOVE, 0, _SCOPES)
    made = int(_libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(_RULESET.size), 0))
    if made < 0:
        return None
    rules = [("/", _MOVE)]  # without it a file could not be moved from one folder to another
    rules += [(program, _EXECUTE) for program in programs]
    rules += [(path, _WRITE) for path in _list_written()]
    for path, right in rules:
        place = os.open(path, os.O_PATH)
        rule = _RULE.pack(right, place)
        answer = _libc.syscall(_LANDLOCK_ADD_RULE, ctypes.c_int(made), ctypes.c_int(1), rule, 0)
        os.close(place)
        if answer != 0:
            os.close(made)
            return None
    return made


def _list_written() -> list[str]:
    """The folders of the root below which a file may be opened for writing, if mount and mode allow it."""
    paths = [f"/{name}" for name in os.listdir("/")]  # noqa: PTH208 - pathlib would be one more import
    return [path for path in paths if path not in _NOT_WRITTEN and os.path.isdir(path)]  # noqa: PTH112


def enter_domain(ruleset: int) -> None:
    """From now on execute what it names, and signal, trace and read only processes that are in it.

    Nothing below /proc and /sys is written to.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.syscall(_LANDLOCK_RESTRICT_SELF, ctypes.c_int(ruleset), 0) != 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    if _libc.syscall(_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), 0) != 0:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def call(name: str, *arguments: object) -> int:
    """A function of the C library by `name`; strings are passed as bytes, None as a null pointer.

    Raises:
        OSError: it returned -1.
    """
    plain = [item.encode() if isinstance(item, str) else item for item in arguments]
    answer: int = getattr(_libc, name)(*plain)
    if answer == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return answer


def is_counted_apart() -> bool:
    """Whether the kernel counts our processes without those of the same user elsewhere.

    It does in a user namespace since Linux 5.14, and for a uid that nobody else has. Elsewhere at least two
    more count: who started us, and who started that.
    """
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_NPROC, (4, 4))
            grandchild = os.fork()
            if grandchild:
                os.waitpid(grandchild, 0)
            os._exit(0)
        except (OSError, ValueError):
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _read(path: str, proc: int | None) -> str:
    """What the file `path` of /proc holds.

    Raises:
        OSError: there is none.
    """
    file = os.open(path if proc is not None else f"/proc/{path}", os.O_RDONLY, dir_fd=proc)
    try:
        return os.read(file, 4096).decode("ascii", "replace")
    finally:
        os.close(file)


def _list_tasks(pid: int, proc: int | None) -> list[str]:
    if proc is None:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib would be one more import
    folder = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
    try:
        return os.listdir(folder)  # noqa: PTH208 - as above
    finally:
        os.close(folder)


def used_kb(pid: int, proc: int | None = None, *, counts_tables: bool = False) -> int:
    """Memory that `pid` holds now; 0 where it has ended or the kernel does not tell.

    `proc` is the descriptor of a /proc, here and below; None: the one in sight. `counts_tables`: with the
    kernel's tables of pages, which grow with what is looked at, and matter where no address space is limited.
    """
    try:
        if counts_tables:
            status = _read(f"{pid}/status", proc)
            return sum(int(status.partition(f"{name}:")[2].split()[0]) for name in ("VmRSS", "VmPTE"))
        return int(_read(f"{pid}/statm", proc).split()[1]) * mmap.PAGESIZE >> 10
    except (OSError, ValueError, IndexError):
        return 0


def mapped_mb(proc: int | None = None) -> int:
    """Address space that this process has; 0 where the kernel does not tell."""
    try:
        return int(_read("self/statm", proc).split()[0]) * mmap.PAGESIZE >> 20
    except (OSError, ValueError, IndexError):
        return 0


def queued_s(pid: int, proc: int | None = None) -> float:
    """Seconds that `pid` was ready to run and had no CPU: load, which must not decide a verdict.

    The most of any one of its threads. 0.0 where the kernel does not count it.
    """
    most = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for task in _list_tasks(pid, proc):
            most = max(most, int(_read(f"{pid}/task/{task}/schedstat", proc).split()[1]))
    return most / 1e9


def is_ready(pid: int, proc: int | None = None) -> bool | None:
    """Whether a thread of `pid` runs or waits for a core; None where the kernel does not tell."""
    states = []
    with contextlib.suppress(OSError):
        for task in _list_tasks(pid, proc):
            with contextlib.suppress(OSError, IndexError):  # one that ended meanwhile
                states.append(_read(f"{pid}/task/{task}/stat", proc).rpartition(")")[2].split()[0])
    return "R" in states if states else None


def spent_s(pid: int) -> float:
    """CPU time that `pid` has used; 0.0 where it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the kernel's name for that process's clock
    except OSError:
        return 0.0


class Start(NamedTuple):
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
    memory_kb: int
    """Most that it may use; 0: its address space alone is limited."""


class Watch:
    """Looks after one process from outside and kills it over a limit.

    Load must not decide which: the wall limit is for what sleeps. Time in the queue for a core does not count
    towards it, and beyond it a run is ended only when it is found asleep, for as long as it is found at work
    its CPU time is what counts.
    """

    def __init__(
        self, pid: int, start: Start, proc: int | None = None, *, counts_tables: bool = False
    ) -> None:
        (self.pid, self.start, self.is_over) = (pid, start, False)
        self._counts_tables = counts_tables
        self.killed: bytes | None = None  # as in `End`
        self.status = 0
        self.usage: Any = None
        self.spent_s = 0.0
        """CPU time of the process at the last look."""
        self.waits_for = 0
        """A process whose time in the queue for a core, and whose work, is none of this one's."""
        self._proc = proc
        self._clock = (~pid << 3) | 2  # the kernel's name for that process's CPU time
        self._looks = Looks(pid, proc)
        gone_s = time.monotonic() - start.started_s  # `attend` comes up to a glance late
        self._plan(min(start.cpu_s + _CPU_SLACK_S, start.wall_s) - gone_s, start.memory_kb)

    def _plan(self, left_s: float, unused_kb: int) -> None:
        self.wait_s = max(0.001, min(left_s, HEARTBEAT_S))
        """The longest that may pass until the next look."""
        if self.start.memory_kb:
            self.wait_s = min(self.wait_s, max(0.002, unused_kb / _FILL_KB_S))

    def look(self) -> None:
        """See whether it has ended, or has to."""
        (pid, start, proc) = (self.pid, self.start, self._proc)
        (ended, status, usage) = os.wait4(pid, os.WNOHANG)
        if ended:
            (self.is_over, self.status, self.usage) = (True, status, usage)
            return
        self.spent_s = spent_s = time.clock_gettime(self._clock)
        cpu_left_s = start.spent_s + start.cpu_s + _CPU_SLACK_S - spent_s
        unused_kb = 1
        if start.memory_kb:
            unused_kb = start.memory_kb - used_kb(pid, proc, counts_tables=self._counts_tables)
        wall_left_s = self._wall_left_s(spent_s)
        if min(cpu_left_s, wall_left_s) > 0 and unused_kb >= 0:
            self._plan(min(cpu_left_s, wall_left_s), unused_kb)
            return
        why = b"cpu" if cpu_left_s <= 0 else b"wall" if wall_left_s <= 0 else b"memory"
        self.killed = self.killed or why
        os.kill(pid, _signal.SIGKILL)
        self.wait_s = HEARTBEAT_S

    def _wall_left_s(self, spent_s: float) -> float:
        """Seconds until the wall limit, or until the next look; 0 or less where it is over."""
        (start, waits_for) = (self.start, self.waits_for)
        left_s = start.wall_s - (time.monotonic() - start.started_s)
        if left_s > 0:
            return left_s
        left_s += queued_s(self.pid, self._proc)
        if waits_for:
            left_s += queued_s(waits_for, self._proc)
            if left_s <= 0 and is_ready(waits_for, self._proc):
                return GLANCE_S
        if left_s <= 0 and not self._looks.find_asleep(spent_s):
            return self._looks.pause_s
        return left_s


class Looks:
    """Whether a run over its wall limit sleeps: looks at it, at times that it cannot foresee."""

    def __init__(self, pid: int, proc: int | None) -> None:
        self._pid = pid
        self._proc = proc
        self._made = self._asleep = 0
        self._last_s = self._spent_s = 0.0
        self.pause_s = 0.0
        """Until the next look."""

    def find_asleep(self, spent_s: float) -> bool:
        """Look; whether it was asleep in enough looks, and in half of them. `spent_s` is its CPU time."""
        now_s = time.monotonic()
        ready = is_ready(self._pid, self._proc)
        told = ready is not None
        if not told and self._made:
            ready = spent_s - self._spent_s > _PROGRESS * (now_s - self._last_s)
        self._asleep += not ready
        self._made += 1
        (self._last_s, self._spent_s) = (now_s, spent_s)
        self.pause_s = (0.03 if told else 0.25) + os.urandom(1)[0] / 5000
        return self._asleep >= _IDLE_LOOKS and 2 * self._asleep >= self._made
