"""System call filters (classic BPF), in two layers so that the one installed for every run stays small.

The *common* layer holds for the supervisor and everything below it: an allow list, of what CPython, its C
library with its threads, numpy and what g++ makes call. The *run* layer is added in each run, knows its pid,
and takes away what only the supervisor needs. Not in the list is what reaches other processes, the kernel's
rarer doors, memory that no limit counts, marks on files that a later run could read, and what makes the
machine's disks work: flushes, direct reads, advice on its cache.

A call that is not in the list fails with EPERM; where it is younger than Linux 4.18 with ENOSYS, so that
the C library takes an older one (as for `clone3`, whose flags a filter cannot read). A flush of standard
output or error, or of mapped memory, succeeds without being made: a run's files are in memory. Foreign
architectures (32-bit entry points, x32) end the process.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Iterable, Mapping

_ALLOW, _DONE, _EPERM, _ENOSYS, _KILL = 0x7FFF0000, 0x00050000, 0x00050001, 0x00050026, 0x80000000
_LOAD, _JUMP, _RETURN, _EQUAL, _GREATER_EQUAL, _ANY_BIT = 0x20, 0x05, 0x06, 0x15, 0x35, 0x45
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data

# Names with their numbers on x86-64 and on aarch64; None: it has no such call.
_RUN: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None),
    "fstat": (5, 80), "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67),
    "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66), "access": (21, None), "pipe": (22, None),
    "select": (23, None), "sched_yield": (24, 124), "mremap": (25, 216), "msync": (26, 227),
    "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None), "pause": (34, None), "nanosleep": (35, 101),
    "getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103), "getpid": (39, 172),
    "sendfile": (40, 71), "sendto": (44, 206), "recvfrom": (45, 207), "shutdown": (48, 210),
    "getsockname": (51, 204), "socketpair": (53, 199), "clone": (56, 220), "exit": (60, 93),
    "wait4": (61, 260), "kill": (62, 129), "uname": (63, 160), "fcntl": (72, 25), "fsync": (74, 82),
    "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46), "getdents": (78, None),
    "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, None), "mkdir": (83, None),
    "rmdir": (84, None), "creat": (85, None), "link": (86, None), "unlink": (87, None), "symlink": (88, None),
    "readlink": (89, None), "umask": (95, 166), "gettimeofday": (96, 169), "getrlimit": (97, 163),
    "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "setpgid": (109, 154),
    "getppid": (110, 173), "getpgrp": (111, None), "setsid": (112, 157), "getgroups": (115, 158),
    "getresuid": (118, 148), "getresgid": (120, 150), "getpgid": (121, 155), "getsid": (124, 156),
    "capget": (125, 90), "rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137),
    "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "mknod": (133, None), "statfs": (137, 43),
    "fstatfs": (138, 44), "getpriority": (140, 141), "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "sched_rr_get_interval": (148, 127), "prctl": (157, 167),
    "arch_prctl": (158, None), "setrlimit": (160, 164), "gettid": (186, 178), "getxattr": (191, 8),
    "lgetxattr": (192, 9), "fgetxattr": (193, 10), "listxattr": (194, 11), "llistxattr": (195, 12),
    "flistxattr": (196, 13), "time": (201, None), "futex": (202, 98), "sched_getaffinity": (204, 123),
    "getdents64": (217, 61), "set_tid_address": (218, 96), "restart_syscall": (219, 128),
    "timer_create": (222, 107), "timer_settime": (223, 110), "timer_gettime": (224, 108),
    "timer_getoverrun": (225, 109), "timer_delete": (226, 111), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94),
    "epoll_create": (213, None), "epoll_wait": (232, None), "epoll_ctl": (233, 21), "tgkill": (234, 131),
    "waitid": (247, 95), "openat": (257, 56), "mkdirat": (258, 34), "mknodat": (259, 33),
    "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38), "linkat": (265, 37),
    "symlinkat": (266, 36), "readlinkat": (267, 78), "faccessat": (269, 48), "pselect6": (270, 72),
    "ppoll": (271, 73), "set_robust_list": (273, 99), "epoll_pwait": (281, 22), "signalfd": (282, None),
    "timerfd_create": (283, 85), "eventfd": (284, None), "fallocate": (285, 47), "timerfd_settime": (286, 86),
    "timerfd_gettime": (287, 87), "signalfd4": (289, 74), "eventfd2": (290, 19), "epoll_create1": (291, 20),
    "dup3": (292, 24), "pipe2": (293, 59), "preadv": (295, 69), "pwritev": (296, 70), "prlimit64": (302, 261),
    "getcpu": (309, 168), "renameat2": (316, 276), "getrandom": (318, 278), "copy_file_range": (326, 285),
    "preadv2": (327, 286), "pwritev2": (328, 287), "statx": (332, 291), "rseq": (334, 293),
    "close_range": (436, 436), "faccessat2": (439, 439), "epoll_pwait2": (441, 441),
}  # fmt: skip
"""For everybody; some with a rule for their arguments."""

_SUPERVISOR: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None), "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145),
    "setregid": (114, 143), "setgroups": (116, 159), "setresuid": (117, 147), "setresgid": (119, 149),
    "memfd_create": (319, 279), "pidfd_open": (434, 434), "utimensat": (280, 88), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445), "landlock_restrict_self": (446, 446),
}  # fmt: skip
"""The supervisor and the program process need these besides; a run must not have them."""

_TESTS: dict[str, tuple[int | None, int | None]] = {
    "accept": (43, 202), "accept4": (288, 242), "bind": (49, 200), "chown": (92, None), "connect": (42, 203),
    "execve": (59, 221), "execveat": (322, 281), "fchown": (93, 55), "fchownat": (260, 54), "flock": (73, 32),
    "fremovexattr": (199, 16), "fsetxattr": (190, 7), "futimesat": (261, None), "get_robust_list": (274, 100),
    "getpeername": (52, 205), "getsockopt": (55, 209), "inotify_add_watch": (254, 27),
    "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_rm_watch": (255, 28),
    "lchown": (94, None), "listen": (50, 201), "lremovexattr": (198, 15), "lsetxattr": (189, 6),
    "membarrier": (324, 283), "mincore": (27, 232), "mq_getsetattr": (245, 185), "mq_notify": (244, 184),
    "mq_open": (240, 180), "mq_timedreceive": (243, 183), "mq_timedsend": (242, 182), "mq_unlink": (241, 181),
    "msgctl": (71, 187), "msgget": (68, 186), "msgrcv": (70, 188), "msgsnd": (69, 189),
    "pidfd_send_signal": (424, 424), "recvmmsg": (299, 243), "recvmsg": (47, 212), "removexattr": (197, 14),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "sched_getattr": (315, 275),
    "sched_setaffinity": (203, 122), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "semctl": (66, 191), "semget": (64, 190), "semop": (65, 193), "semtimedop": (220, 192),
    "sendmmsg": (307, 269), "sendmsg": (46, 211), "setpriority": (141, 140), "setsockopt": (54, 208),
    "setxattr": (188, 5), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197), "shmget": (29, 194),
    "splice": (275, 76), "sync": (162, 81), "sync_file_range": (277, 84), "syncfs": (306, 267),
    "tee": (276, 77), "tkill": (200, 130), "utime": (132, None), "utimes": (235, None), "vfork": (58, None),
    "vmsplice": (278, 75), "socket": (41, 198),
}  # fmt: skip
"""The tests of a repository need these besides, in a sandbox of their own with no network."""

_NATIVE = ("execveat", "vfork")
"""A supervisor that starts compiled programs needs these besides."""
_DOMAINS = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
_PLACES = {"x86_64": 0, "aarch64": 1}
_AUDIT_NAMES = (0xC000003E, 0xC00000B7)
_LAST_OLD = (334, 294)
"""The numbers before the gap that new calls were given in later; beyond it an unknown one is ENOSYS."""
_DIRECT = (0x4000, 0x10000)
"""O_DIRECT: reads that go past the cache to the machine's disk."""
SUPPORTED = platform.machine() in _PLACES and struct.calcsize("P") == 8
"""Whether filters can be built for this machine."""

_NAMESPACES = 0x7E020000  # CLONE_NEW*: mount, cgroup, uts, ipc, user, pid, net
_FAMILIES = (1, 2, 10)  # unix, inet, inet6: what ends in the sandbox's own, empty, network
_CLONE_THREAD = 0x10000
_HARMLESS_PRCTL = (3, 15, 16, 0x53564D41)  # read dumpable, thread name, name of a mapping (libc)
# Not among them: owners, to whom signals go; locks, leases and watches, which other runs would notice; status
# flags and hints, which the next run would find on its streams.
_HARMLESS_FCNTL = (0, 1, 2, 3, 1030, 1031, 1032, 1034)  # duplicate, close-on-exec, flags, pipe size, seals
# isatty, window size, bytes left, close-on-exec, and non-blocking
_HARMLESS_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Not among them: to merge equal pages with those of others, to push pages out, to make them fail.
_HARMLESS_MADVISE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23)
_ADD_SEALS = 1033
_UNIX = 1
PROGRAM = 4
"""The descriptor of the only file that a run of a compiled program may execute; it closes as that happens."""
_EMPTY_PATH = 0x1000  # AT_EMPTY_PATH: execute the descriptor itself
_CONNECTED = (0x1, 0x801, 0x80001, 0x80801)  # SOCK_STREAM with and without SOCK_NONBLOCK and SOCK_CLOEXEC
_OUTPUTS = (1, 2)


def find_numbers(names: Iterable[str] | None = None, machine: str | None = None) -> dict[str, int]:
    """The numbers that `machine` (None: this one) has for `names` (None: all calls that a filter allows)."""
    place = _PLACES[machine or platform.machine()]
    known = _RUN | _SUPERVISOR | _TESTS
    return {
        name: number
        for name in (known if names is None else names)
        if (number := known[name][place]) is not None
    }


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _argument(place: int) -> bytes:
    return _op(_LOAD, 16 + 8 * place)  # the low half; none of the values in question has a high one


def _unless(place: int, values: tuple[int, ...], otherwise: int, verdict: int) -> bytes:
    """`verdict` when the argument is one of `values`, else `otherwise`."""
    tests = [_op(_EQUAL, value, len(values) - index, 0) for index, value in enumerate(values)]
    return _argument(place) + b"".join(tests) + _op(_RETURN, otherwise) + _op(_RETURN, verdict)


def _without(place: int, bits: int) -> bytes:
    """Allowed where the argument has none of `bits`."""
    return _argument(place) + _op(_ANY_BIT, bits, 0, 1) + _op(_RETURN, _EPERM) + _op(_RETURN, _ALLOW)


def _assemble(rules: Mapping[int, bytes], otherwise: bytes | None = None) -> bytes:
    """A binary search over the call numbers.

    `rules` maps a number to what decides about it, `otherwise` decides about all others; None: refused.
    """
    place = _PLACES[platform.machine()]
    last_old = _LAST_OLD[place]
    segments: list[tuple[int, bytes]] = []
    for number in range(max(*rules, last_old) + 2):
        refusal = _op(_RETURN, _EPERM if number <= last_old else _ENOSYS)
        body = rules.get(number, otherwise or refusal)
        if not segments or body != segments[-1][1]:
            segments.append((number, body))

    def search(part: list[tuple[int, bytes]]) -> bytes:
        if len(part) == 1:
            return part[0][1]
        middle = len(part) // 2
        (low, high) = (search(part[:middle]), search(part[middle:]))
        # A jump reaches 255 instructions: too far a one goes through an unconditional jump.
        return _op(_GREATER_EQUAL, part[middle][0], 0, 1) + _op(_JUMP, len(low) // 8) + low + high

    start = _op(_LOAD, _ARCHITECTURE) + _op(_EQUAL, _AUDIT_NAMES[place], 1, 0) + _op(_RETURN, _KILL)
    start += _op(_LOAD, _NUMBER) + _op(_GREATER_EQUAL, 0x40000000, 0, 1) + _op(_RETURN, _KILL)
    return start + search(segments)


def _decide(rules: Mapping[str, bytes], allowed: Iterable[str] = ()) -> dict[int, bytes]:
    """By number: `rules`, and what is `allowed` whatever its arguments."""
    decided = dict.fromkeys(find_numbers(allowed).values(), _op(_RETURN, _ALLOW))
    named = find_numbers(rules)
    return decided | {number: rules[name] for name, number in named.items()}


def build_common(*, native: bool = False) -> bytes:
    """The layer for the whole tree below the supervisor; with `native` also of one for compiled programs."""
    direct = _DIRECT[_PLACES[platform.machine()]]
    of_output = _unless(0, _OUTPUTS, _EPERM, _DONE)
    plain = _unless(5, (0,), _ENOSYS, _ALLOW)
    rules = {
        "fcntl": _unless(1, (*_HARMLESS_FCNTL, *([_ADD_SEALS] if native else [])), _EPERM, _ALLOW),
        "ioctl": _unless(1, _HARMLESS_IOCTL, _EPERM, _ALLOW),
        "madvise": _unless(2, _HARMLESS_MADVISE, _EPERM, _ALLOW),
        # Two connected ends, which asyncio wakes itself by: a stream can neither be bound nor sent elsewhere.
        "socketpair": (
            _argument(0)
            + (_op(_EQUAL, _UNIX, 1, 0) + _op(_RETURN, _EPERM))
            + _unless(1, _CONNECTED, _EPERM, _ALLOW)
        ),
        "sendto": _unless(5, (0,), _EPERM, _ALLOW),  # the length of an address
        "open": _without(1, direct),
        "openat": _without(2, direct),
        "preadv2": plain,  # their flags ask whether the machine has a page in its cache
        "pwritev2": plain,
        "fsync": of_output,
        "fdatasync": of_output,
        "msync": _op(_RETURN, _DONE),
    }
    return _assemble(_decide(rules, {*_RUN, *_SUPERVISOR, *(_NATIVE if native else ())}))


def build_project() -> bytes:
    """The layer for a repository's tests: processes, programs, files and local sockets, but no way out.

    Refused are tracing and reading other processes, namespaces, mounts, modules, keys, bpf, io_uring, memory
    policies, handles of files, clocks and every socket family that is not confined to the network namespace.
    Flushes succeed without being made: what can be written to is in memory.
    """
    rules = dict.fromkeys(
        ("fsync", "fdatasync", "msync", "sync", "syncfs", "sync_file_range"), _op(_RETURN, _DONE)
    )
    rules["socket"] = _unless(0, _FAMILIES, _EPERM, _ALLOW)
    rules["clone"] = _without(0, _NAMESPACES)
    return _assemble(_decide(rules, {*_RUN, *_SUPERVISOR, *_TESTS} - _DOMAINS))


def build_run(pid: int, *, native: bool = False) -> bytes:
    """The layer for the run that is process `pid`: no processes, no programs, no signals but to itself.

    With `native` it may become the program on the descriptor `PROGRAM`, by whatever name, and no other.
    """
    rules = dict.fromkeys((*_SUPERVISOR, *_NATIVE), _op(_RETURN, _EPERM))
    if native:
        rules["execveat"] = (
            (_argument(0) + _op(_EQUAL, PROGRAM, 1, 0) + _op(_RETURN, _EPERM))
            + _unless(4, (_EMPTY_PATH,), _EPERM, _ALLOW)
        )  # fmt: skip
        rules["fcntl"] = _unless(1, _HARMLESS_FCNTL, _EPERM, _ALLOW)
    rules |= {name: _unless(0, (pid,), _EPERM, _ALLOW) for name in ("kill", "tgkill")}
    rules["prlimit64"] = _unless(0, (pid, 0), _EPERM, _ALLOW)
    rules["prctl"] = _unless(0, _HARMLESS_PRCTL, _EPERM, _ALLOW)
    rules["clone"] = (
        _argument(0) + _op(_ANY_BIT, _CLONE_THREAD, 1, 0) + _op(_RETURN, _EPERM) + _op(_RETURN, _ALLOW)
    )
    return _assemble(_decide(rules), _op(_RETURN, _ALLOW))
