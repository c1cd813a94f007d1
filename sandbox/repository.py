"""A repository in isolation: what is copied, mounted and started, and a session in it.

Two ways, by the sandbox that is given. Docker: a container without network, capabilities and new privileges,
everything read-only but two small tmpfs, under an ordinary uid, the engine's system call filter and one of
ours (`seccomp.build_project`). Local: the same by namespaces. In both the repository is a copy, the user's
files are not there at all, nor are the environment, the home folder and the engine's socket; the interpreter
and the installed packages are mounted read-only at their own paths.

Weaker than what programs get in `Sandbox.run`, because tests need more: here they may start processes and
threads, write to their own `/tmp` and talk to each other. One sandbox runs one version of the repository
(`IsolatedRepository`) and ends with it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import anyio
from anyio import to_thread

from sstar_code.sandbox.inside import seccomp
from sstar_code.sandbox.outcome import SandboxError
from sstar_code.sandbox.snapshot import open_up

if TYPE_CHECKING:
    from sstar_code.sandbox.workers.protocol import Worker

CONTROL = "/.sstar"
"""Where the inside's own source is found."""
_BOOT = """\
import sys
sys.path.insert(0, "/.sstar")
from sstar_code.sandbox.inside import project
del sys.path[:2]
project.main()
"""
_INSIDE = ("__init__", "kernel", "seccomp", "project_fork", "project_tests", "project")
_USERS = "root:x:0:0:root:/:/bin/sh\nuser:x:{uid}:{uid}:user:/tmp/home:/bin/sh\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
_CHECK = """\
import json, os, sys
for path, wanted in json.loads(sys.argv[1]).items():
    found = os.stat(path)
    if [found.st_dev, found.st_ino] != wanted:
        sys.exit(f"{path} was changed while it was being mounted; run again")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs first, before anything of the repository: whether what was mounted is what was looked at."""


@dataclass(frozen=True, slots=True)
class IsolatedRepository:
    """One version of a repository, ready to be run; only `/tmp` and `/dev/shm` can be written to."""

    root: Path
    """The repository's folder: its copy is seen there, so that editable installs lead to the copy."""
    snapshot: Path
    """The copy."""
    control: Path
    python: str
    """The interpreter as the user names it; often of a virtual environment."""
    trees: tuple[str, ...]
    """Folders of this machine that are seen at their own paths: interpreter, libraries, packages, tools."""
    files: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    path: tuple[str, ...]
    """Put in front of `sys.path`."""
    overlay: Mapping[str, str]
    """Path of a file in the repository -> file of this machine that is seen in its place."""
    made: tuple[tuple[str, str], ...] = ()
    """(folder of this machine that we made, path at which it is seen)."""
    covered: tuple[str, ...] = ()
    """Sockets and the like below `trees`: an empty file is seen in their places."""
    expected: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Device and inode of folders of the repository itself that are among `trees`."""
    memory_mb: int = 2048
    scratch_mb: int = 256

    @property
    def command(self) -> list[str]:
        """The arguments that start the inside."""
        command = [self.python, "-s", "-B", "-X", "utf8", "-c", _BOOT]
        if not self.expected:
            return command
        return [self.python, "-I", "-S", "-B", "-c", _CHECK, json.dumps(self.expected), *command]

    @property
    def binds(self) -> list[tuple[str, str]]:
        """(path on this machine, path inside) of what does not lie at its own path, in order of mounting."""
        last = [(str(self.control / name), f"/etc/{name}") for name in ("passwd", "hosts")]
        last += [(str(self.control / "nothing"), path) for path in self.covered]
        inner = [(tree, tree) for tree in self.trees if self.root in Path(tree).parents]
        overlay = [(source, path) for path, source in self.overlay.items()]
        first = (str(self.snapshot), str(self.root))
        return [first, *self.made, *inner, *overlay, (str(self.control), CONTROL), *last]

    @property
    def outer_trees(self) -> list[str]:
        """The folders that lie outside the repository."""
        return [tree for tree in self.trees if self.root not in Path(tree).parents]

    @property
    def scratch(self) -> list[tuple[str, int, int]]:
        """(path, megabytes, files) of what can be written to."""
        # inside, each on a file system of its own
        return [("/tmp", self.scratch_mb, 20_000), ("/dev/shm", 64, 20_000)]  # noqa: S108

    @property
    def settings(self) -> dict[str, object]:
        """Facts for the inside: root, path, environment, scratch folders with what is mounted below each."""
        environment = {
            "PATH": f"{Path(self.python).parent}:/usr/bin:/bin",
            "HOME": "/tmp/home",  # noqa: S108 - inside, in a tmpfs of its own
            "TMPDIR": "/tmp",  # noqa: S108
            "USER": "user",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": os.pathsep.join(self.path),
            "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",  # noqa: S108
        }
        mounted = [*self.trees, *self.files, *(path for _, path in self.binds)]
        scratch = {
            path: [place for place in mounted if Path(path) in Path(place).parents]
            for path, *_ in self.scratch
        }
        return {
            "root": str(self.root),
            "path": list(self.path),
            "environment": environment,
            "scratch": scratch,
        }


def write_control(folder: Path, uid: int) -> None:
    """Lay down the inside's source and the few files that a system has."""
    from importlib.resources import files

    ours = folder / "sstar_code"
    inside = ours / "sandbox" / "inside"
    inside.mkdir(parents=True)
    (ours / "problems").mkdir()
    for package in (ours, ours / "sandbox", ours / "problems"):
        (package / "__init__.py").write_text("", "utf-8")
    for name in _INSIDE:
        (inside / f"{name}.py").write_text(
            (files("sstar_code.sandbox.inside") / f"{name}.py").read_text("utf-8"), "utf-8"
        )
    (ours / "problems" / "values.py").write_text(
        (files("sstar_code.problems") / "values.py").read_text("utf-8"), "utf-8"
    )
    (folder / "passwd").write_text(_USERS.format(uid=uid), "utf-8")
    (folder / "hosts").write_text(_HOSTS, "utf-8")
    (folder / "nothing").write_bytes(b"")
    open_up(folder)


_START_S = 180.0
_GRACE_S = 120.0


class HoldsRepositories(Protocol):
    """A sandbox that can hold a repository.

    One whose workers have a limit of processes of their own, as a container's control group is, says so by an
    attribute `counts_processes` that is true.
    """

    def make_repository_worker(self, repository: IsolatedRepository) -> Worker:
        """A worker that shows `repository`, not started."""
        ...


class RepositoryLostError(SandboxError):
    """The repository's sandbox ended or hung during a request, by the repository's code or the machine."""

    def __init__(self, reason: str, last_line: str = "") -> None:
        """`last_line`: what the inside last wrote to standard error."""
        why = f"{reason}: {last_line}" if last_line else reason
        super().__init__(
            f"the sandbox in which the repository's code ran is lost ({why}); run the command again, or "
            "with another --sandbox (docker, local)"
        )
        self.reason = reason


class ProjectSession:
    """An open sandbox of a repository, entered with `async with`; one request at a time."""

    def __init__(self, sandbox: HoldsRepositories, repository: IsolatedRepository) -> None:
        """Show `repository` in `sandbox`, which must have been entered."""
        self.repository = repository
        self.python = ""
        """Version of the interpreter inside, once entered."""
        self._is_counted = bool(getattr(sandbox, "counts_processes", False))
        self._worker: Worker = sandbox.make_repository_worker(repository)
        self._lock = anyio.Lock()
        self._left = b""
        self.is_closed = False

    async def __aenter__(self) -> Self:
        """Start the inside.

        Raises:
            SandboxError: it does not start; the message says why.
        """
        settings = {**self.repository.settings, "seccomp": seccomp.SUPPORTED, "is_counted": self._is_counted}
        try:
            await self._in_thread(partial(self._open, json.dumps(settings).encode("ascii") + b"\n"))
        except (OSError, ValueError) as error:
            last_line = self._last_line()
            await self.close()
            raise SandboxError(
                f"{self.repository.python} does not start in the sandbox: {last_line or error}"
            ) from error
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the sandbox and everything in it."""
        self.is_closed = True
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._worker.kill)

    async def ask(self, request: dict[str, Any], timeout_s: float) -> list[dict[str, Any]]:
        """The answers to `request` (`inside.project`), in order.

        Raises:
            RepositoryLostError: for `timeout_s` and a little it neither answered nor used CPU time, or it
                ended; it is closed.
        """
        async with self._lock:
            try:
                answers: list[dict[str, Any]] = await self._in_thread(
                    partial(self._exchange, request, timeout_s + _GRACE_S)
                )
            except (OSError, ValueError) as error:
                last_line = self._last_line()
                await self.close()
                raise RepositoryLostError(str(error), last_line) from error
            return answers

    def _last_line(self) -> str:
        return (self._worker.log().strip().splitlines() or [""])[-1]

    async def _in_thread(self, work: Any) -> Any:
        try:
            return await to_thread.run_sync(work, abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            await self.close()
            raise

    def _open(self, greeting: bytes) -> None:
        self._worker.start()
        self._worker.send(greeting)
        self.python = str(self._line(time.monotonic() + _START_S).get("ready"))

    def _exchange(self, request: dict[str, Any], timeout_s: float) -> list[dict[str, Any]]:
        self._worker.send(json.dumps(request).encode("ascii") + b"\n")
        answers: list[dict[str, Any]] = []
        used_s, deadline_s = 0.0, time.monotonic() + timeout_s
        while True:
            answer = self._line(deadline_s)
            if answer.get("done"):
                return answers
            if "heartbeat" not in answer:
                answers.append(answer)
            elif answer["heartbeat"] == used_s:
                continue
            used_s, deadline_s = answer.get("heartbeat", 0.0), time.monotonic() + timeout_s

    def _line(self, deadline_s: float) -> dict[str, Any]:
        while b"\n" not in self._left:
            data = self._worker.receive(max(0.01, deadline_s - time.monotonic()))
            if not data:
                raise ConnectionResetError("the repository's sandbox ended")
            self._left += data
        line, _, self._left = self._left.partition(b"\n")
        answer = json.loads(line)
        if not isinstance(answer, dict):
            raise ValueError("the repository's sandbox talks nonsense")  # noqa: TRY004 - like other malformed answers
        return answer
