"""One warm container: a supervisor inside, its attach stream outside."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

from sstar_code.problems.messages import shorten
from sstar_code.sandbox.docker.attach_stream import Demultiplexer, take_socket
from sstar_code.sandbox.docker.container import create_container, remove_container
from sstar_code.sandbox.docker.engine import check_socket, engine_address
from sstar_code.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from docker import APIClient

    from sstar_code.sandbox.docker.container import ContainerSpec
    from sstar_code.sandbox.workers.boot import Settings

_CHUNK = 256 * 1024
_SEND_S = 60.0
_AWAY_S = 20.0
"""How long an engine that has answered before may be away (restarted, say) when a container is wanted."""
_ATTACH = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}


class LiveContainers:
    """Ids of the containers that this process has made and not yet seen gone. Any thread."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, container: str) -> None:
        """Remember that `container` has to be removed."""
        with self._lock:
            self._ids.add(container)

    def remove(self, client: APIClient, container: str) -> bool:
        """Remove `container`; False where the engine did not let us, and it is remembered for later."""
        from docker.errors import APIError

        try:
            check_socket(engine_address(), _SEND_S)  # the SDK forgets a socket that it cannot connect
            remove_container(client, container)
        except (APIError, OSError, SandboxError):
            return False
        with self._lock:
            self._ids.discard(container)
        return True

    def remove_all(self, client: APIClient) -> int:
        """Remove every one of them; how many the engine kept."""
        with self._lock:
            left = sorted(self._ids)
        return sum(not self.remove(client, container) for container in left)


class DockerWorker:
    """A `protocol.Worker` in a container of its own."""

    def __init__(
        self, client: APIClient, spec: ContainerSpec, settings: Settings, live: LiveContainers
    ) -> None:
        self.settings = settings
        self._client = client
        self._spec = spec
        self._live = live
        self._container: str | None = None
        self._socket: socket.socket | None = None
        self._using = threading.Lock()
        self._killed = False
        self._demultiplexer = Demultiplexer()

    @property
    def container(self) -> str | None:
        """The container's id; None before `start`."""
        return self._container

    def start(self) -> None:
        """Create the container, attach to it, start it, in this order, so that no output is missed.

        Raises:
            SandboxError: the engine refuses, or stays away; the message says why.
        """
        from docker.errors import APIError

        deadline = time.monotonic() + _AWAY_S
        while True:
            try:
                self._start_once()
            except APIError as error:
                self.kill()
                raise SandboxError(f"the Docker engine refuses a container: {_explain(error)}") from error
            except (OSError, SandboxError) as error:
                if time.monotonic() > deadline or self._killed:
                    self.kill()
                    raise SandboxError(f"the Docker engine went away: {error}") from error
                time.sleep(0.5)
            except BaseException:
                self.kill()
                raise
            else:
                return

    def _start_once(self) -> None:
        self._forget()
        check_socket(engine_address(), _SEND_S)  # old connections may still create what cannot be attached to
        self._container = self._create(self._client, self._spec)
        self._live.add(self._container)
        attached = self._client.attach_socket(self._container, params=_ATTACH)
        self._socket = take_socket(attached)
        self._client.start(self._container)
        if self._killed:  # while we were at it: nobody else will end this one
            self.kill()

    def _create(self, client: APIClient, spec: ContainerSpec) -> str:
        return create_container(client, spec)

    def send(self, data: bytes) -> None:
        """Write all of `data` to the supervisor's standard input.

        Raises:
            OSError: it is gone.
        """
        with self._using:
            connection = self._connection()
            connection.settimeout(_SEND_S)
            connection.sendall(data)

    def receive(self, timeout_s: float) -> bytes:
        """The next piece of the supervisor's standard output, at least a byte; empty at its end.

        Raises:
            TimeoutError: nothing came in `timeout_s`.
            OSError: it is gone.
            ValueError: the stream is broken.
        """
        deadline = time.monotonic() + timeout_s
        with self._using:
            connection = self._connection()
            while True:
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                data = connection.recv(_CHUNK)
                if not data:
                    return b""
                output = self._demultiplexer.feed(data)
                if output:
                    return output
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nothing but log lines in {timeout_s:.1f} s")

    def kill(self) -> None:
        """End the container and wait until it is gone. Any thread, any state, repeatedly."""
        self._killed = True
        self._forget()

    def log(self) -> str:
        """The last lines of its standard error, for messages."""
        return self._demultiplexer.log()

    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionResetError("the container is not attached")
        return self._socket

    def _forget(self) -> None:
        """Let go of connection and container; one that the engine does not remove now is removed later."""
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):  # where the other end was faster
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in receive
            with self._using:  # closing under a reader would hand its descriptor to someone else
                self._socket = None
                connection.close()
        if self._container is not None:
            self._live.remove(self._client, self._container)


def _explain(error: Exception) -> str:
    text = str(getattr(error, "explanation", None) or error)
    if "runtime" in text and "nknown" in text:
        return f"{text} (`--runtime` must name one that the engine knows: see `docker info`)"
    if "No such image" in text:
        return f"{text} (run `make image`)"
    return shorten(text, 300)
