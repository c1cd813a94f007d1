"""A worker in a container, spoken to over the attach stream."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from sstar_code.problems.errors import shorten
from sstar_code.sandbox.docker.container import create_container, remove_container
from sstar_code.sandbox.docker.engine import check_socket, engine_address
from sstar_code.sandbox.outcome import SandboxError

if TYPE_CHECKING:
    from docker import APIClient

    from sstar_code.sandbox.docker.container import ContainerSpec
    from sstar_code.sandbox.workers.protocol import Settings

_HEADER = 8
_LOG_BYTES = 16 * 1024


class Demultiplexer:
    """Takes the stream apart, whatever pieces it arrives in.

    Every piece of output has a header of 8 bytes: the stream (1 standard output, 2 standard error), three
    zeros, and the length as a big-endian number. Source: Docker Engine API, "Attach to a container".
    """

    def __init__(self) -> None:
        self._header = bytearray()
        self._stream = 0
        self._left = 0
        self._log = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The part of `data` that is standard output; standard error is kept for `log`.

        Raises:
            ValueError: this is no such stream.
        """
        output = []
        place = 0
        while place < len(data):
            if not self._left:
                place = self._take_header(data, place)
                continue
            part = data[place : place + self._left]
            place += len(part)
            self._left -= len(part)
            if self._stream == 1:
                output.append(part)
            else:
                self._log += part
                del self._log[:-_LOG_BYTES]
        return output[0] if len(output) == 1 else b"".join(output)

    def log(self) -> str:
        """The end of what came on standard error."""
        return self._log.decode("utf-8", "replace")

    def _take_header(self, data: bytes, place: int) -> int:
        end = place + _HEADER - len(self._header)
        self._header += data[place:end]
        if len(self._header) == _HEADER:
            self._stream = self._header[0]
            if self._stream not in (1, 2) or any(self._header[1:4]):
                raise ValueError("not an attach stream: its header is malformed")
            self._left = int.from_bytes(self._header[4:], "big")
            self._header.clear()
        return min(end, len(data))


def take_socket(attached: Any) -> socket.socket:
    """A plain socket for what the SDK's `attach_socket` returned, whatever the transport is.

    The SDK returns a raw reader (unix, tcp), a TLS socket or an ssh channel. The first is freed from the
    SDK's buffers and garbage collection by duplicating its descriptor; the others, which cannot be waited
    on like a socket, are pumped through a pair of sockets by two threads.
    """
    if isinstance(attached, socket.SocketIO):
        plain = socket.socket(fileno=os.dup(attached.fileno()))
        _close(attached)
        return plain
    (ours, theirs) = socket.socketpair()
    if isinstance(attached, ssl.SSLSocket):
        attached.settimeout(None)
    threading.Thread(target=_pump_both, args=(attached, theirs), name="attach-pump", daemon=True).start()
    return ours


def _close(attached: Any) -> None:
    """Close what the SDK keeps of the connection: reader, response, and urllib3's own end."""
    response = getattr(attached, "_response", None)
    if response is not None:
        response.close()
    attached.close()


def _pump_both(one: Any, other: Any) -> None:
    """Move bytes in both directions until either side ends, then close both."""
    back = threading.Thread(target=_pump, args=(other, one), name="attach-pump", daemon=True)
    back.start()
    _pump(one, other)
    back.join()
    _close(one)
    _close(other)


def _pump(source: Any, target: Any) -> None:
    """Move bytes until either side ends, then make the other direction end too."""
    with contextlib.suppress(OSError, ValueError):  # gone or closed: an end like any other
        while data := source.recv(64 * 1024):
            target.sendall(data)
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


_CHUNK = 256 * 1024
_SEND_S = 120.0
_AWAY_S = 60.0
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
