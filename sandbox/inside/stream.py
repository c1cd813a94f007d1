"""The frames between the inside and the outside: read piece by piece and never ahead, sent together.

Inputs are copied from the stream to a memory file through a buffer that is wiped, and outputs go from memory
file to stream in the kernel, so a run, a copy of its program process, holds its own input and no other.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import time
from typing import Any

from sstar_code.sandbox.inside.kernel import HEARTBEAT_S

_PIECE = 64 * 1024
_ZEROS = bytes(_PIECE)
_OLD_S = 0.02


class Stream:
    """The frames between us and the outside, read piece by piece and never ahead.

    Answers are collected in a memory file, which runs do not have, and leave together: every write wakes all
    who hand it on, which for a container are three.
    """

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self._view = memoryview(bytearray(_PIECE))
        self._outbox = fcntl.fcntl(made := os.memfd_create("outbox"), fcntl.F_DUPFD, 10)
        os.close(made)
        self._held = 0
        self._held_since_s = 0.0
        self._sent_s = time.monotonic()
        self._more = select.poll()
        self._more.register(source, select.POLLIN)

    def take(self) -> tuple[dict[str, Any] | None, int]:
        """The next frame's head, None for one without, and how many raw bytes follow it.

        Raises:
            EOFError: the other side has gone.
        """
        sizes = self._exactly(8)
        head_size = int.from_bytes(sizes[:4], "big")
        head = json.loads(self._exactly(head_size)) if head_size else None
        return head, int.from_bytes(sizes[4:], "big")

    def _exactly(self, size: int) -> bytes:
        data = os.read(self.source, size)
        while len(data) < size:
            part = os.read(self.source, size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def copy(self, size: int, target: int | None) -> None:
        """Move `size` raw bytes to the descriptor `target`, or nowhere, and keep no trace of them.

        Raises:
            EOFError: the other side has gone.
        """
        view = self._view
        while size:
            count = os.readv(self.source, [view[: min(size, _PIECE)]])
            if not count:
                raise EOFError
            sent = 0
            while target is not None and sent < count:
                sent += os.write(target, view[sent:count])
            view[:count] = _ZEROS[:count]
            size -= count

    def send(self, head: bytes, sources: list[tuple[int, int, int]] | None = None) -> None:
        """One frame, which is on its way at the latest after the next `flush`; `head` is JSON.

        Its raw part is `sources`: descriptor, offset and length each. No trace is kept of what is in them.
        """
        parts = [part for part in sources or () if part[2]]
        size = sum(length for (_, _, length) in parts)
        start = len(head).to_bytes(4, "big") + size.to_bytes(4, "big") + head
        if len(start) + size > _PIECE:
            self.flush()
            self._write(start)
            for descriptor, offset, length in parts:
                self._send_file(descriptor, offset, length)
            return
        view = self._view
        filled = len(start)
        view[:filled] = start
        for descriptor, offset, length in parts:
            if os.preadv(descriptor, [view[filled : filled + length]], offset) != length:
                raise OSError(errno.EIO, "an output shrank while it was read")
            filled += length
        if os.write(self._outbox, view[:filled]) != filled:
            raise OSError(errno.EIO, "an answer cannot be kept")
        view[:filled] = _ZEROS[:filled]
        if not self._held:
            self._held_since_s = time.monotonic()
        self._held += filled

    def send_heartbeat(self, name: int, cpu_s: float) -> None:
        """Say that the work on the request `name` has used `cpu_s` by now, with what was collected before.

        Where something was sent less than `HEARTBEAT_S` ago that is not needed.
        """
        if time.monotonic() - self._sent_s < HEARTBEAT_S:
            return
        self.flush()
        head = b'{"id": %d, "heartbeat": %.6f}' % (name, cpu_s)
        self._write(len(head).to_bytes(4, "big") + bytes(4) + head)
        self._sent_s = time.monotonic()

    def flush(self) -> None:
        """Send what was collected."""
        if self._held:
            self._sent_s = time.monotonic()
            self._send_file(self._outbox, 0, self._held)
            os.ftruncate(self._outbox, 0)
            os.lseek(self._outbox, 0, os.SEEK_SET)
            self._held = 0

    def flush_if_due(self) -> None:
        """Send what was collected if it is much or old, or if nobody has asked for more."""
        if self._held and (
            self._held > _PIECE // 2
            or time.monotonic() - self._held_since_s > _OLD_S
            or not self._more.poll(0)
        ):
            self.flush()

    def _write(self, data: bytes | memoryview) -> None:
        sent = 0
        while sent < len(data):
            sent += os.write(self.sink, data[sent:])

    def _send_file(self, descriptor: int, offset: int, length: int) -> None:
        while length:
            try:
                count = os.sendfile(self.sink, descriptor, offset, length)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOSYS):
                    raise
                view = self._view
                count = os.preadv(descriptor, [view[: min(length, _PIECE)]], offset)
                self._write(view[:count])
                view[:count] = _ZEROS[:count]
            if not count:
                raise OSError(errno.EIO, "an output shrank while it was read")
            offset += count
            length -= count
