"""System call filters (classic BPF), in two layers so that the one installed for every run stays small.

The *common* layer holds for the supervisor and everything below it; the *run* layer is added in each run and
knows its pid. Both are deny lists: Python and the C library must go on working on versions we have not seen.
Refused is what reaches other processes, the kernel's rarer doors, memory that no limit counts, and marks on
files that a later run could read (a run's streams are memory files that the next run inherits). A refused
call fails with EPERM; calls newer than this list, and `clone3`, with ENOSYS, so that libc takes an older one,
whose flags a filter can read. Foreign architectures (32-bit entry points, x32) end the process.
"""

from __future__ import annotations

import platform
import struct

_ALLOW, _EPERM, _ENOSYS, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
_LOAD, _RETURN, _EQUAL, _GREATER_EQUAL, _ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data

# From 424 on every architecture has the same numbers.
_LATE = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "quotactl_fd": 443, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
    "landlock_restrict_self": 446, "memfd_secret": 447, "process_mrelease": 448,
}  # fmt: skip
_UNKNOWN_FROM = 449
"""Calls from here on (Linux 5.16) do not exist inside: what they may do was not considered."""

_X86_64 = {
    "ioctl": 16, "mincore": 27, "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "socketpair": 53,
    "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "semget": 64, "semop": 65, "semctl": 66,
    "shmdt": 67, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "fcntl": 72, "flock": 73,
    "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "ptrace": 101, "syslog": 103,
    "setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114, "setgroups": 116, "setresuid": 117,
    "setresgid": 119, "setfsuid": 122, "setfsgid": 123, "capset": 126, "rt_sigqueueinfo": 129, "utime": 132,
    "uselib": 134, "personality": 135, "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144,
    "vhangup": 153, "modify_ldt": 154, "pivot_root": 155, "prctl": 157, "adjtimex": 159, "chroot": 161,
    "sync": 162, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
    "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "init_module": 175, "delete_module": 176, "quotactl": 179, "setxattr": 188, "lsetxattr": 189,
    "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "tkill": 200,
    "sched_setaffinity": 203, "io_setup": 206, "io_submit": 209, "lookup_dcookie": 212,
    "remap_file_pages": 216, "semtimedop": 220, "clock_settime": 227, "tgkill": 234, "utimes": 235,
    "mq_open": 240, "mq_unlink": 241, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "ioprio_set": 251, "inotify_init": 253, "migrate_pages": 256, "fchownat": 260, "futimesat": 261,
    "fchmodat": 268, "unshare": 272, "splice": 275, "tee": 276, "vmsplice": 278, "move_pages": 279,
    "utimensat": 280, "inotify_init1": 294, "rt_tgsigqueueinfo": 297, "perf_event_open": 298,
    "fanotify_init": 300, "prlimit64": 302, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "clock_adjtime": 305, "syncfs": 306, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "kcmp": 312, "finit_module": 313, "sched_setattr": 314, "seccomp": 317, "memfd_create": 319,
    "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323, "membarrier": 324, **_LATE,
}  # fmt: skip

_AARCH64 = {
    "io_setup": 0, "io_submit": 2, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14,
    "lremovexattr": 15, "fremovexattr": 16, "lookup_dcookie": 18, "fcntl": 25, "inotify_init1": 26,
    "ioctl": 29, "ioprio_set": 30, "flock": 32, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51,
    "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "vhangup": 58, "quotactl": 60, "vmsplice": 75,
    "splice": 76, "tee": 77, "sync": 81, "utimensat": 88, "acct": 89, "capset": 91, "personality": 92,
    "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112,
    "syslog": 116, "ptrace": 117, "sched_setparam": 118, "sched_setscheduler": 119, "sched_setaffinity": 122,
    "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "setpriority": 140, "reboot": 142,
    "setregid": 143, "setgid": 144, "setreuid": 145, "setuid": 146, "setresuid": 147, "setresgid": 149,
    "setfsuid": 151, "setfsgid": 152, "setgroups": 159, "sethostname": 161, "setdomainname": 162,
    "prctl": 167, "settimeofday": 170, "adjtimex": 171, "mq_open": 180, "mq_unlink": 181, "msgget": 186,
    "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "semget": 190, "semctl": 191, "semtimedop": 192,
    "semop": 193, "shmget": 194, "shmctl": 195, "shmat": 196, "shmdt": 197, "socket": 198, "socketpair": 199,
    "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221, "swapon": 224,
    "swapoff": 225, "mincore": 232, "remap_file_pages": 234, "migrate_pages": 238, "move_pages": 239,
    "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "prlimit64": 261, "fanotify_init": 262,
    "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "syncfs": 267, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "sched_setattr": 274,
    "seccomp": 277, "memfd_create": 279, "bpf": 280, "execveat": 281, "userfaultfd": 282, "membarrier": 283,
    "kexec_file_load": 294, **_LATE,
}  # fmt: skip

_TABLES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}
SUPPORTED = platform.machine() in _TABLES and struct.calcsize("P") == 8
"""Whether filters can be built for this machine."""

# The supervisor and the program process need these; a run must not have them.
_OF_RUN = {
    "fork", "vfork", "execve", "execveat", "setuid", "setgid", "setreuid", "setregid", "setgroups",
    "setresuid", "setresgid", "setfsuid", "setfsgid", "capset", "tkill", "rt_sigqueueinfo",
    "rt_tgsigqueueinfo", "pidfd_open", "pidfd_send_signal", "memfd_create", "utimensat",
}  # fmt: skip
_OWN_PID_ONLY = ("kill", "tgkill", "prlimit64")
_WITH_ARGUMENTS = {"clone", "clone3", "prctl", "fcntl", "ioctl", *_OWN_PID_ONLY}

# What test suites do and the runs of a single program need not: in a sandbox of their own with no network.
_OF_TESTS = {
    "socketpair", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "utime", "utimes",
    "futimesat", "flock", "fcntl", "ioctl", "prctl", "kill", "tgkill", "prlimit64", "mincore", "setpriority",
    "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sync", "syncfs", "setxattr", "lsetxattr",
    "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "inotify_init", "inotify_init1", "splice",
    "tee", "vmsplice", "membarrier", "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl",
    "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink",
}  # fmt: skip
_NAMESPACES = 0x7E020000  # CLONE_NEW*: mount, cgroup, uts, ipc, user, pid, net
_FAMILIES = (1, 2, 10)  # unix, inet, inet6: what ends in the sandbox's own, empty, network

_CLONE_THREAD = 0x10000
_HARMLESS_PRCTL = (3, 15, 16, 0x53564D41)  # read dumpable, thread name, name of a mapping (libc)
# Not among them: owners, to whom signals go; locks, leases and watches, which other runs would notice; status
# flags and hints, which the next run would find on its streams.
_HARMLESS_FCNTL = (0, 1, 2, 3, 1030, 1031, 1032, 1034)  # duplicate, close-on-exec, flags, pipe size, seals
_HARMLESS_IOCTL = (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)  # isatty, window size, bytes left, close-on-exec


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _argument(place: int) -> bytes:
    return _op(_LOAD, 16 + 8 * place)  # the low half; none of the values in question has a high one


def _unless(place: int, values: tuple[int, ...], otherwise: int, verdict: int) -> bytes:
    """`verdict` when the argument is one of `values`, else `otherwise`."""
    tests = [_op(_EQUAL, value, len(values) - index, 0) for index, value in enumerate(values)]
    return _argument(place) + b"".join(tests) + _op(_RETURN, otherwise) + _op(_RETURN, verdict)


def _assemble(rules: dict[int, bytes]) -> bytes:
    """A binary search over the call numbers; `rules` maps a number to what decides about it."""
    allow = _op(_RETURN, _ALLOW)

    def search(numbers: list[int]) -> bytes:
        if len(numbers) == 1:
            body = rules[numbers[0]]
            return _op(_EQUAL, numbers[0], 0, len(body) // 8) + body + allow
        middle = len(numbers) // 2
        (low, high) = (search(numbers[:middle]), search(numbers[middle:]))
        # A jump reaches 255 instructions: too far a one goes through an unconditional jump.
        return _op(_GREATER_EQUAL, numbers[middle], 0, 1) + _op(0x05, len(low) // 8) + low + high

    (architecture, _) = _TABLES[platform.machine()]
    start = _op(_LOAD, _ARCHITECTURE) + _op(_EQUAL, architecture, 1, 0) + _op(_RETURN, _KILL)
    start += _op(_LOAD, _NUMBER) + _op(_GREATER_EQUAL, 0x40000000, 0, 1) + _op(_RETURN, _KILL)
    start += _op(_GREATER_EQUAL, _UNKNOWN_FROM, 0, 1) + _op(_RETURN, _ENOSYS)
    return start + search(sorted(rules))


def build_common() -> bytes:
    """The layer for the whole tree below the supervisor."""
    (_, table) = _TABLES[platform.machine()]
    denied = set(table) - _OF_RUN - _WITH_ARGUMENTS
    rules = {table[name]: _op(_RETURN, _EPERM) for name in denied}
    rules[table["fcntl"]] = _unless(1, _HARMLESS_FCNTL, _EPERM, _ALLOW)
    rules[table["ioctl"]] = _unless(1, _HARMLESS_IOCTL, _EPERM, _ALLOW)
    rules[table["clone3"]] = _op(_RETURN, _ENOSYS)
    return _assemble(rules)


def build_project() -> bytes:
    """The layer for a repository's tests: processes, programs, files and local sockets, but no way out.

    Refused are tracing and reading other processes, namespaces, mounts, modules, keys, bpf, io_uring, handles
    of files, clocks and every socket family that is not confined to the network namespace.
    """
    (_, table) = _TABLES[platform.machine()]
    allowed = (_OF_TESTS | _OF_RUN) & set(table)
    rules = {
        table[name]: _op(_RETURN, _EPERM) for name in set(table) - allowed - {"clone", "clone3", "socket"}
    }
    rules[table["clone3"]] = _op(_RETURN, _ENOSYS)
    rules[table["socket"]] = _unless(0, _FAMILIES, _EPERM, _ALLOW)
    rules[table["clone"]] = (
        _argument(0) + _op(_ANY_BIT, _NAMESPACES, 0, 1) + _op(_RETURN, _EPERM) + _op(_RETURN, _ALLOW)
    )
    return _assemble(rules)


def build_run(pid: int) -> bytes:
    """The layer for the run that is process `pid`: no processes, no programs, no signals but to itself."""
    (_, table) = _TABLES[platform.machine()]
    rules = {table[name]: _op(_RETURN, _EPERM) for name in _OF_RUN if name in table}
    for name in _OWN_PID_ONLY:
        own = (pid, 0) if name == "prlimit64" else (pid,)
        rules[table[name]] = _unless(0, own, _EPERM, _ALLOW)
    rules[table["prctl"]] = _unless(0, _HARMLESS_PRCTL, _EPERM, _ALLOW)
    rules[table["clone"]] = (
        _argument(0) + _op(_ANY_BIT, _CLONE_THREAD, 1, 0) + _op(_RETURN, _EPERM) + _op(_RETURN, _ALLOW)
    )
    return _assemble(rules)
