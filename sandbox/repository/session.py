"""Runs a repository's functions, examples and tests in a sandbox of its own, away from everything.

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
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

import anyio
from anyio import to_thread

from sstar_code.sandbox.inside import seccomp
from sstar_code.sandbox.outcome import SandboxError

if TYPE_CHECKING:
    from sstar_code.sandbox.repository.isolated_repository import IsolatedRepository
    from sstar_code.sandbox.workers.protocol import Worker

_START_S = 60.0
_GRACE_S = 30.0


class HoldsRepositories(Protocol):
    """A sandbox that can hold a repository."""

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
        self._worker: Worker = sandbox.make_repository_worker(repository)
        self._lock = anyio.Lock()
        self._left = b""
        self.is_closed = False

    async def __aenter__(self) -> Self:
        """Start the inside.

        Raises:
            SandboxError: it does not start; the message says why.
        """
        settings = {**self.repository.settings, "seccomp": seccomp.SUPPORTED}
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
            RepositoryLostError: it did not answer in `timeout_s` and a little, or ended; it is closed.
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
        deadline_s = time.monotonic() + timeout_s
        self._worker.send(json.dumps(request).encode("ascii") + b"\n")
        answers: list[dict[str, Any]] = []
        while True:
            answer = self._line(deadline_s)
            if answer.get("done"):
                return answers
            answers.append(answer)

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
