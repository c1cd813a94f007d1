"""The ways of isolating without an engine that this user has on this machine, best first."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sstar_code.sandbox.local import enter_namespaces
from sstar_code.sandbox.workers.boot import Settings, command

_UIDS = 4096
_HIGH_UIDS = range(1 << 30, 1 << 31, _UIDS)
"""Far above what a machine's users and its containers' mappings have."""
_LOW_UIDS = range(20_000, 60_000, _UIDS)
"""Uids for a root whose user namespace holds 65,536."""
_LIBRARY_TREES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib", "/lib", "/lib64", "/lib32")
_FILES = ("/etc/ld.so.cache",)
_EMPTY = "/empty"
"""A folder with nothing in it, where programs start."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")

Parts = tuple[list[str], list[str], list[tuple[str, str]]]
"""Trees, files and links (from, to) of the host."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to start an isolated supervisor."""

    name: str
    """`root`, `bubblewrap`, `user namespaces` or `unsafe`."""
    arguments: tuple[str, ...]
    settings: Settings


def find_interpreter() -> str:
    """The interpreter that runs programs: ours, outside any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def list_ways(*, ordinary: bool | None = None, python: str | None = None) -> list[Way]:
    """The ways that can be tried here, best first. Only starting one shows whether it works.

    Args:
        ordinary: leave out what only root can do; None: unless we are root.
        python: the interpreter that runs programs, CPython 3.9 or newer; None: `find_interpreter()`.
    """
    if ordinary is None:
        ordinary = os.geteuid() != 0
    python = python or find_interpreter()
    inside, parts = command(python), list_parts(python)
    uids = None if ordinary else _find_uids()
    if uids is not None:
        return [Way("root", start_in_namespaces(python, inside, parts, user=False), Settings(uids=uids))]
    ways = [Way("user namespaces", start_in_namespaces(python, inside, parts, user=True), Settings())]
    bwrap = shutil.which("bwrap")
    if bwrap is not None and ordinary:
        start = start_in_bubblewrap(bwrap, inside, parts, folder=_EMPTY)
        ways.insert(0, Way("bubblewrap", start, Settings()))
    return ways


def _find_uids() -> tuple[int, int] | None:
    """A range of uids that root may give to runs; None where its user namespace is too small."""
    try:
        rows = [line.split() for line in Path("/proc/self/uid_map").read_text("ascii").splitlines()]
    except OSError:
        return None
    for choices in (_HIGH_UIDS, _LOW_UIDS):
        for first, _, count in rows:
            if int(first) <= choices.start and choices.stop <= int(first) + int(count):
                return random.choice(choices), _UIDS
    return None


def list_parts(python: str) -> Parts:
    """Trees, files and links of the host that the interpreter needs."""
    prefix = Path(python).parent.parent
    wanted = [*_LIBRARY_TREES, *(str(prefix / name) for name in ("lib", "lib64"))]
    trees: list[str] = []
    links: list[tuple[str, str]] = []
    for path in sorted(set(wanted), key=len):
        if any(path == tree or path.startswith(f"{tree}/") for tree in trees):
            continue
        if Path(path).is_symlink() and len(Path(path).parts) == 2:
            links.append((path, str(Path(path).readlink())))
        elif Path(path).is_dir():
            trees.append(path)
    files = [path for path in (*_FILES, python) if Path(path).is_file()]
    return trees, [path for path in files if not any(path.startswith(f"{t}/") for t in trees)], links


def start_in_namespaces(
    python: str, command: list[str], parts: Parts, *, user: bool, **more: object
) -> tuple[str, ...]:
    """The arguments that start `command` behind namespaces and see nothing but `parts` and what `more` adds.

    Args:
        python: the interpreter that takes the namespaces.
        command: runs inside.
        parts: trees, files and links of the host.
        user: by a user namespace, as an ordinary user.
        more: further keys of the plan of `enter_namespaces`.
    """
    (trees, files, links) = parts
    devices = [path for path in _DEVICES if Path(path).exists()]
    plan = {
        "command": command, "trees": trees, "files": files, "links": links, "devices": devices, "user": user,
    }  # fmt: skip
    return (python, "-I", "-S", str(enter_namespaces.__file__), json.dumps(plan | more))


def start_in_bubblewrap(
    bwrap: str,
    command: list[str],
    parts: Parts,
    *,
    folder: str,
    scratch: Sequence[tuple[str, int]] = (),
    binds: Sequence[tuple[str, str]] = (),
) -> tuple[str, ...]:
    """The arguments that start `command` in `folder` behind bubblewrap; see `start_in_namespaces`."""
    (trees, files, links) = parts
    arguments = [bwrap, "--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"]
    arguments += ["--hostname", "sandbox", "--proc", "/proc"]
    for path, size_mb in scratch:  # first: an interpreter's folder may lie under /tmp
        arguments += ["--size", str(size_mb << 20), "--tmpfs", path]
    for path in (*trees, *files):
        arguments += ["--ro-bind", path, path]
    for path in _DEVICES:
        arguments += ["--dev-bind-try", path, path]
    for path, target in links:
        arguments += ["--symlink", target, path]
    for source, path in binds:
        arguments += ["--ro-bind", source, path]
    arguments += ["--dir", folder] if folder == _EMPTY else []
    return (*arguments, "--remount-ro", "/", "--chdir", folder, "--", *command)
