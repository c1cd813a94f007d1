"""Run as a program: takes namespaces and an almost empty root, then becomes the command it was given.

`python -I -S enter_namespaces.py '{"command": [...], "trees": [...], "files": [...], "devices": [...],
"links": [[from, to], ...], "user": false}'`. Standard library only; nothing of ours is imported. For a
repository there is also `uid` (whom to become, as root). `binds` ([from, to] of the host) are shown
read-only; `scratch` ([path, megabytes, files]) can be written to and is gone with it. With
`proc_descriptor` no process sees another in /proc, and the command finds a /proc that shows all of them
open on that descriptor.

The root is a read-only tmpfs that holds `trees` and `files` of the host, read-only and at their own paths,
each under directories that anyone may enter (an interpreter may live in a home that only its owner may).
With `user` an ordinary user does this in a user namespace, and ends with no capability at all; without it
root does, and keeps SETUID, SETGID and KILL only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import select
import signal
import sys
from pathlib import Path
from typing import Any

__all__: list[str] = []

_NEW_NS, _NEW_CGROUP, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_READ_ONLY, _NO_SUID, _NO_DEV, _NO_EXEC, _REMOUNT, _NO_ATIME, _BIND, _RECURSIVE, _PRIVATE = (
    1, 2, 4, 8, 32, 1024, 4096, 16384, 1 << 18,
)  # fmt: skip
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442
_KEPT_CAPABILITIES = (5, 6, 7)  # KILL, SETGID, SETUID
_LAST_CAPABILITY = 63
_MOUNT_PLACES = ("/mnt", "/media", "/srv", "/opt", "/tmp", "/var/tmp")  # noqa: S108 - only a place to mount on
_EMPTY = "empty"

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


def _check(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [text.encode() if text is not None else None for text in (source, target, kind, data)]
    answer = _libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
    _check(answer, f"mount {target}")


def _take_namespaces(*, user: bool) -> None:
    (uid, gid) = (os.getuid(), os.getgid())
    flags = _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET | (_NEW_USER if user else 0)
    _check(_libc.unshare(flags), "unshare")
    _libc.unshare(_NEW_CGROUP)  # so that /proc does not name the machine's groups; a kernel may have none
    if user:
        # Never uid 0 inside: the exec at the end must lose every capability.
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"1000 {uid} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"1000 {gid} 1", "ascii")


def _bind(source: str, root: Path, *, device: bool = False, seen_as: str | None = None) -> None:
    target = root / (seen_as or source).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(source).is_dir():
        target.mkdir(exist_ok=True)
    elif not target.exists():
        target.touch()
    _mount(source, str(target), None, _BIND | _RECURSIVE)
    attributes = (ctypes.c_uint64 * 4)(1 if device else 1 | 2 | 4, 0, 0, 0)
    answer = _libc.syscall(
        _MOUNT_SETATTR, -100, str(target).encode(), 0x8000, ctypes.byref(attributes), ctypes.c_size_t(32)
    )
    if answer != 0:  # before Linux 5.12: the tree's top only
        old = os.statvfs(target).f_flag & (_NO_SUID | _NO_DEV | _NO_EXEC)
        extra = 0 if device else _NO_SUID | _NO_DEV
        _mount("none", str(target), None, _REMOUNT | _BIND | _READ_ONLY | old | extra)


def _mount_scratch(root: Path, scratch: list[tuple[str, int, int]]) -> None:
    """Mount what can be written to, first of all: an interpreter's folder may lie under `/tmp`."""
    for path, size_mb, files in scratch:
        target = root / path.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        options = f"mode=1777,size={size_mb}m,nr_inodes={files}"
        _mount("scratch", str(target), "tmpfs", _NO_SUID | _NO_DEV | _NO_ATIME, options)


def _build_root(plan: dict[str, Any], links: list[tuple[str, str]]) -> None:
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    binds = plan.get("binds", [])
    wanted = [*plan["trees"], *plan["files"], *plan["devices"], *(path for pair in binds for path in pair)]
    root = next(
        Path(place)
        for place in _MOUNT_PLACES
        if Path(place).is_dir() and not any(path.startswith(place) for path in wanted)
    )
    _mount("sandbox", str(root), "tmpfs", _NO_SUID | _NO_DEV, "mode=0755,size=1m")
    _mount_scratch(root, plan.get("scratch", []))
    for path in (*plan["trees"], *plan["files"]):
        _bind(path, root)
    for path in plan["devices"]:
        _bind(path, root, device=True)
    for path, target in links:
        (root / path.lstrip("/")).symlink_to(target)
    for source, path in binds:
        _bind(source, root, seen_as=path)
    (root / _EMPTY).mkdir(exist_ok=True)
    (root / "proc").mkdir()
    _mount_proc(root / "proc", plan)
    os.chdir(root)
    _check(_libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount")
    _mount("none", "/", None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEV)
    os.chdir(f"/{_EMPTY}")


def _mount_proc(target: Path, plan: dict[str, Any]) -> None:
    """Mount /proc without the kernel's own files; none where that is refused, as in some containers."""
    flags = _NO_SUID | _NO_DEV | _NO_EXEC | _READ_ONLY
    kept = plan.get("proc_descriptor")
    choices: tuple[str | None, ...] = ("hidepid=2,subset=pid", "hidepid=2")
    if plan["user"]:
        # By uid nothing can be hidden here from runs alone: they, their supervisor included, have the same.
        choices = ("subset=pid", None)
        with contextlib.suppress(OSError):
            if kept is not None:
                _mount("proc", str(target), "proc", flags, "subset=pid")
                opened = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
                if opened != kept:  # it mostly is that one: the lowest number that is free
                    os.dup2(opened, kept)
                    os.close(opened)
                os.set_inheritable(kept, True)
                _check(_libc.umount2(str(target).encode(), _DETACH), "umount")
                choices = ("hidepid=ptraceable,subset=pid", *choices)
    for options in choices:
        with contextlib.suppress(OSError):
            _mount("proc", str(target), "proc", flags, options)
            return


def _drop_capabilities() -> None:
    for number in range(_LAST_CAPABILITY + 1):
        if number not in _KEPT_CAPABILITIES:
            _libc.prctl(24, number, 0, 0, 0)  # fails beyond the last that the kernel knows
    _check(_libc.prctl(38, 1, 0, 0, 0), "no_new_privs")


def _become(plan: dict[str, Any], command: list[str], parent_alive: int) -> None:
    """As PID 1 of the new namespace: build the root and exec. Never returns."""
    _check(_libc.prctl(1, signal.SIGKILL, 0, 0, 0), "death signal")
    if not os.read(parent_alive, 1):
        os._exit(1)
    os.close(parent_alive)
    _libc.sethostname(b"sandbox", 7)
    with contextlib.suppress(OSError, ValueError):  # a program may lift its own limit then
        resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.RLIM_INFINITY))
    _build_root(plan, plan["links"])
    _drop_capabilities()
    if plan.get("uid") is not None:
        os.setgroups([])
        os.setresgid(plan["uid"], plan["uid"], plan["uid"])
        os.setresuid(plan["uid"], plan["uid"], plan["uid"])  # and no capability is left
        _check(_libc.prctl(1, signal.SIGKILL, 0, 0, 0), "death signal")  # a new uid has lost it
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - there is no shell here


def _die_with_owner() -> None:
    """End when the thread ends that started us; its process keeps it for as long as it lives itself."""
    _check(_libc.prctl(1, signal.SIGKILL, 0, 0, 0), "death signal")
    poller = select.poll()
    poller.register(0, 0)
    if any(events & select.POLLHUP for (_, events) in poller.poll(0)):  # it was dead before
        os._exit(1)


def _main() -> None:
    plan = json.loads(sys.argv[1])
    with contextlib.suppress(OSError):
        # Runs inherit it: when memory is short they go before anything else of this machine.
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    _take_namespaces(user=plan["user"])
    _die_with_owner()
    (alive, signal_alive) = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(signal_alive)
        try:
            _become(plan, plan["command"], alive)
        except OSError as error:
            os.write(2, f"{error.strerror or error}\n".encode())
        finally:
            os._exit(1)
    os.write(signal_alive, b"1")
    for descriptor in (1, signal_alive, alive):
        os.close(descriptor)
    _wait_for_either(child)
    (_, status) = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _wait_for_either(child: int) -> None:
    """Wait until `child` ends, or kill it when nobody is left at the other end of standard input."""
    poller = select.poll()
    ended = os.pidfd_open(child)
    poller.register(ended, select.POLLIN)
    poller.register(0, 0)  # only that the other end is gone
    if ended not in [descriptor for descriptor, _ in poller.poll()]:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    try:
        _main()
    except OSError as problem:
        sys.exit(problem.strerror or str(problem))
