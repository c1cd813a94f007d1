"""The engine's attach stream: how a container's standard streams travel over one connection."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from typing import Any

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
