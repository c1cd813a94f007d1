"""A server that answers every chat request at once, so that what is measured beside it is the client.

    python benchmarks/calls/null_server.py

It prints its port and serves until its standard input is closed. Every answer is a right program that no
other answer has: what is computed for equal programs only once does not help. `slow` in the path of the
address has it never answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from itertools import count

_NUMBERS = count(1)
_PROGRAM = '''\
import sys
from collections import defaultdict


MARK = {number}


def read_graph(lines):
    """The edges of a graph by their first node."""
    edges = defaultdict(list)
    for line in lines:
        parts = line.split()
        if len(parts) == 2:
            first, second = map(int, parts)
            edges[first].append(second)
            edges[second].append(first)
    return edges


def count_parts(nodes, edges):
    seen = set()
    parts = 0
    for node in range(1, nodes + 1):
        if node in seen:
            continue
        parts += 1
        stack = [node]
        while stack:
            top = stack.pop()
            if top in seen:
                continue
            seen.add(top)
            for other in edges[top]:
                if other not in seen:
                    stack.append(other)
    return parts


def main():
    lines = sys.stdin.read().split("\\n")
    nodes, _ = map(int, lines[0].split())
    print(count_parts(nodes, read_graph(lines[1:])))


main()
'''
_WORDS = (
    "We read the number of nodes and the edges, keep the neighbours of each node, and search from every node "
    "that has not been seen. Each search is one part of the graph. This takes time linear in both, "
    "and every node is put on the stack at most once for each of its edges.\n\n"
)


def _answer() -> bytes:
    text = f"{_WORDS}```python\n{_PROGRAM.replace('{number}', str(next(_NUMBERS)))}```\n"
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 600, "completion_tokens": 400, "total_tokens": 1000}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "null",
            "choices": [choice],
            "usage": usage,
        }
    ).encode()


class _Connection(asyncio.Protocol):
    """Reads requests with a length, one after another."""

    def __init__(self) -> None:
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r\n")[0]) if place >= 0 else 0
            if len(self._pending) < end + 4 + length:
                return
            self._pending = self._pending[end + 4 + length :]
            if b"slow" not in head.partition(b"\r\n")[0] or head.startswith(b"get"):
                self._respond(head)

    def _respond(self, head: bytes) -> None:
        status, body = b"200 OK", b'{"object": "list", "data": [{"id": "null", "object": "model"}]}'
        if head.startswith(b"post"):
            body = _answer()
        elif not head.partition(b" http/")[0].endswith(b"/models"):
            status, body = b"404 Not Found", b"{}"
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    closed = asyncio.Event()
    loop.add_reader(sys.stdin, closed.set)
    async with server:
        await closed.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve())
