"""Workers over pipes, and the ways to isolate them without an engine."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from sstar_code.sandbox.environment import LIBRARY_FOLDER, find_libraries
from sstar_code.sandbox.languages.host import TOOLS_FOLDER, HostTools
from sstar_code.sandbox.local import enter_namespaces
from sstar_code.sandbox.outcome import SandboxError
from sstar_code.sandbox.workers.protocol import (
    ENVIRONMENT,
    SCRATCH,
    SCRATCH_FILES,
    SCRATCH_MB,
    Settings,
    command,
)

_UIDS = 4096
_HIGH_UIDS = range(1 << 30, 1 << 31, _UIDS)
"""Far above what a machine's users and its containers' mappings have."""
_LOW_UIDS = range(20_000, 60_000, _UIDS)
"""Uids for a root whose user namespace holds 65,536."""
_LIBRARY_TREES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib", "/lib", "/lib64", "/lib32")
_FILES = ("/etc/ld.so.cache",)
_EMPTY = "/empty"
"""A folder with nothing in it, where programs start."""
_PROC_DESCRIPTOR = 3
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_STREAMS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
)

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


def list_ways(
    *,
    ordinary: bool | None = None,
    python: str | None = None,
    packages: Sequence[str] = (),
    tools: HostTools | None = None,
) -> list[Way]:
    """The ways that can be tried here, best first. Only starting one shows whether it works.

    Args:
        ordinary: leave out what only root can do; None: unless we are root.
        python: the interpreter that runs programs, CPython 3.9 or newer; None: `find_interpreter()`.
        packages: libraries beside those that are always there.
        tools: of the languages beside Python; None: there are none.

    Raises:
        UserError: one of `packages` is not installed.
    """
    if ordinary is None:
        ordinary = os.geteuid() != 0
    python = python or find_interpreter()
    inside, parts = command(python), list_parts(python)
    uids = None if ordinary else _find_uids()
    (names, shown) = find_libraries(packages)
    binds = [(str(path), f"{LIBRARY_FOLDER}/{path.name}") for path in shown]
    scratch = [(SCRATCH, SCRATCH_MB, SCRATCH_FILES)]
    settings = Settings(uids, scratch=SCRATCH, libraries=tuple(names), library_paths=(LIBRARY_FOLDER,))
    if tools is not None:
        parts = _add_tools(parts, tools)
        binds.append((str(tools.folder), TOOLS_FOLDER))
        settings = replace(settings, tools=TOOLS_FOLDER)
    if uids is not None:
        start = start_in_namespaces(python, inside, parts, user=False, binds=binds, scratch=scratch)
        return [Way("root", start, settings)]
    start = start_in_namespaces(
        python, inside, parts, user=True, binds=binds, scratch=scratch, proc_descriptor=_PROC_DESCRIPTOR
    )
    ways = [Way("user namespaces", start, replace(settings, proc_descriptor=_PROC_DESCRIPTOR))]
    bwrap = shutil.which("bwrap")
    if bwrap is not None and ordinary:
        start = start_in_bubblewrap(bwrap, inside, parts, folder=_EMPTY, binds=binds)
        # It cannot limit the number of files, so there are none, and what has them comes first.
        ways.append(Way("bubblewrap", start, replace(settings, scratch=None)))
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


def _add_tools(parts: Parts, tools: HostTools) -> Parts:
    """`parts` with what `tools` need, without what is in there."""
    (trees, files, links) = parts

    def is_seen(path: str) -> bool:
        return any(path == tree or path.startswith(f"{tree}/") for tree in trees)

    for tree in sorted(tools.trees, key=len):
        trees = trees if is_seen(tree) else [*trees, tree]
    more = [path for path in dict.fromkeys(tools.files) if path not in files]
    return trees, [path for path in (*files, *more) if not is_seen(path)], links


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
        "command": command, "trees": trees, "files": files, "links": [*links, *_STREAMS], "devices": devices,
        "user": user,
    }  # fmt: skip
    return (python, "-I", "-S", str(enter_namespaces.__file__), json.dumps(plan | more))


def start_in_bubblewrap(
    bwrap: str,
    command: list[str],
    parts: Parts,
    *,
    folder: str,
    scratch: Sequence[tuple[str, int, int]] = (),
    binds: Sequence[tuple[str, str]] = (),
) -> tuple[str, ...]:
    """The arguments that start `command` in `folder` behind bubblewrap; see `start_in_namespaces`."""
    (trees, files, links) = parts
    arguments = [bwrap, "--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"]
    arguments += ["--hostname", "sandbox", "--proc", "/proc", *_cover_proc()]
    for path, size_mb, _ in scratch:  # first: an interpreter's folder may lie under /tmp
        arguments += ["--size", str(size_mb << 20), "--tmpfs", path]
    for path in (*trees, *files):
        arguments += ["--ro-bind", path, path]
    for path in _DEVICES:
        arguments += ["--dev-bind-try", path, path]
    for path, target in (*links, *_STREAMS):
        arguments += ["--symlink", target, path]
    for source, path in binds:
        arguments += ["--ro-bind", source, path]
    arguments += ["--dir", folder] if folder == _EMPTY else []
    return (*arguments, "--remount-ro", "/", "--chdir", folder, "--", *command)


def _cover_proc() -> list[str]:
    """Arguments of bubblewrap that cover what /proc shows of the machine, and keep its access times still."""
    arguments = []
    with os.scandir("/proc") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.isdecimal() or entry.is_symlink():
                continue
            if entry.is_dir():
                arguments += ["--tmpfs", entry.path, "--remount-ro", entry.path]
            else:
                arguments += ["--ro-bind", "/dev/null", entry.path]
    return [*arguments, "--remount-ro", "/proc"]


_LOG_BYTES = 4000
_PATIENCE_S = 10.0


@cache
def _starter(pid: int) -> ThreadPoolExecutor:  # noqa: ARG001 - a fork has no threads: it needs its own
    return ThreadPoolExecutor(1, thread_name_prefix="sstar-start")


def _start_process(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """What `start` returns, called by a thread that lives as long as this process.

    What a worker asks the kernel for is to end with the thread that started it, and others come and go.
    """
    return _starter(os.getpid()).submit(start).result()


class PipeWorker:
    """Implements `protocol.Worker`: runs `arguments`, which must end up as `boot.command(...)`."""

    def __init__(self, arguments: Sequence[str], settings: Settings) -> None:
        self.settings = settings
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._log: BinaryIO | None = None
        self._last_words = ""
        self._ending = threading.Lock()
        self._ended = False
        self._using = threading.Lock()

    def start(self) -> None:
        """Start the process, in a session of its own so that Ctrl-C reaches us alone.

        Raises:
            SandboxError: there is no such command.
        """
        with self._ending:
            if self._ended:
                raise SandboxError("the worker was ended before it had started")
            self._spawn()

    def _spawn(self) -> None:
        self._log = open(os.memfd_create("log"), "w+b")  # noqa: PTH123, SIM115 - needs no room on a disk
        try:
            self._process = _start_process(self._popen)
        except OSError as error:
            self._log.close()
            self._log = None
            raise SandboxError(f"cannot start {self._arguments[0]}: {error.strerror}") from error

    def _popen(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own command
            self._arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=ENVIRONMENT,
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )

    def _pipe(self, name: str) -> int:
        pipe = getattr(self._process, name, None)
        if pipe is None or pipe.closed:
            raise BrokenPipeError("the worker has ended")
        return int(pipe.fileno())

    def send(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            OSError: the process is gone.
        """
        with self._using:
            descriptor = self._pipe("stdin")
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]

    def receive(self, timeout_s: float) -> bytes:
        """The next piece of its standard output, at least a byte; empty at the end.

        Raises:
            TimeoutError: nothing came in `timeout_s`.
            OSError: the process is gone.
        """
        with self._using:
            descriptor = self._pipe("stdout")
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            if not poller.poll(timeout_s * 1000):
                raise TimeoutError(f"no answer for {timeout_s:.0f} s")
            return os.read(descriptor, 1 << 18)

    def kill(self) -> None:
        """End the process and what it started. Its namespace, or a death signal, takes the rest along."""
        with self._ending:
            self._ended = True
            process = self._process
            if process is not None:
                self._end(process)
            self._last_words = self._read_log()
            if self._log is not None:
                self._log.close()
                self._log = None

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        # The end of the process ends a read or write under way; a number closed before could be used anew.
        held = self._using.acquire(timeout=_PATIENCE_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if held:
            self._using.release()

    def log(self) -> str:
        """The end of its standard error."""
        with self._ending:  # which closes the file
            return self._read_log()

    def _read_log(self) -> str:
        if self._log is None:
            return self._last_words
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - _LOG_BYTES)
        return os.pread(self._log.fileno(), _LOG_BYTES, start).decode("utf-8", "replace")
