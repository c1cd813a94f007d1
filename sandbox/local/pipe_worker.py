"""A worker whose supervisor is a child process of ours, reached through pipes."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
from collections.abc import Sequence
from typing import BinaryIO

from sstar_code.sandbox.errors import SandboxError
from sstar_code.sandbox.workers.boot import ENVIRONMENT, Settings

_LOG_BYTES = 4000
_PATIENCE_S = 10.0


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
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=ENVIRONMENT,
                cwd="/",
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            self._log = None
            raise SandboxError(f"cannot start {self._arguments[0]}: {error.strerror}") from error

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
            if self._log is not None:
                (self._last_words, log, self._log) = (self.log(), self._log, None)
                log.close()

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
        if self._log is None:
            return self._last_words
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - _LOG_BYTES)
        return os.pread(self._log.fileno(), _LOG_BYTES, start).decode("utf-8", "replace")
