"""One start of a server: a guardian process with `vllm serve` below it, and its log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import anyio

from sstar_code.sandbox.docker.ownership import HOST_LABEL, OWNER_LABEL, Owner, describe_owner, is_orphan

_GUARDIAN = Path(__file__).with_name("guardian.py")
_MARK = "SSTAR_VLLM_OWNER"
_END_S = 20.0


class ServerProcess:
    """A server that is running or was; it ends with everything it started when `stop` is called or we end."""

    def __init__(self, process: anyio.abc.Process, log: Path, log_start: int) -> None:
        self._process = process
        self._log = log
        self._log_start = log_start

    @classmethod
    async def start(
        cls, words: Sequence[str], environment: Mapping[str, str], log: Path, *, grace_s: float = 10.0
    ) -> Self:
        """Start `words`; what they write is appended to `log`.

        Args:
            words: the command line.
            environment: all of it; a mark by which a later start finds orphans is added.
            log: a file.
            grace_s: between asking the server to end and killing it.
        """
        with log.open("ab") as output:
            log_start = output.tell()
            process = await anyio.open_process(
                [sys.executable, "-I", str(_GUARDIAN), str(grace_s), *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # vLLM names its processes; the library that does would write over the mark otherwise.
                env={**environment, **_mark(), "SPT_NOENV": "1"},
                start_new_session=True,
            )
        return cls(process, log, log_start)

    @property
    def code(self) -> int | None:
        """Exit code, 128 + signal where it was killed; None while it runs."""
        code = self._process.returncode
        return 128 - code if code is not None and code < 0 else code

    def read_log(self) -> str:
        """The log of this start so far, its last megabyte."""
        with self._log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, end - 2**20))
            return file.read().decode("utf-8", "replace")

    def log_size(self) -> int:
        """Size of the log in bytes."""
        return self._log.stat().st_size

    async def wait(self) -> int:
        """The exit code, once everything has ended."""
        await self._process.wait()
        return self.code or 0

    async def stop(self) -> None:
        """End it and everything it started, even while being cancelled."""
        with anyio.CancelScope(shield=True):
            if self._process.stdin is not None:
                await self._process.stdin.aclose()
            with anyio.move_on_after(_END_S):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()  # what is below is asked to end by the kernel then
                await self._process.wait()


def _mark() -> dict[str, str]:
    return {_MARK: describe_owner().to_labels()[OWNER_LABEL]}


def reap_orphans() -> int:
    """Kill what is left of servers whose `sstar` is dead; how many processes that were.

    A guardian does this at once; this is for when it was killed too, as by a memory limit that hits all.
    """
    here = describe_owner()
    reaped = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == here.pid:
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # another user's, or it has ended
        text = next((item.decode() for item in variables if item.startswith(_MARK.encode() + b"=")), "")
        labels = {OWNER_LABEL: text.partition("=")[2], HOST_LABEL: here.host}
        if text and is_orphan(Owner.from_labels(labels), here, running=True):
            try:
                os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue
            reaped += 1
    return reaped
