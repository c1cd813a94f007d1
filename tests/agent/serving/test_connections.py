"""Connections that say nothing, or never come to an end: who asks is served all the same."""

from __future__ import annotations

import http.client
import socket
from contextlib import ExitStack

import pytest
from anyio.from_thread import start_blocking_portal

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from sstar_code.agent.serving import limits
from sstar_code.agent.serving.run import listen, running
from tests.support.servers.served import PATIENCE_S


async def say_yes(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"yes"})


@pytest.fixture
def address():
    """A server that bears five connections at once."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        listening = stack.enter_context(listen("127.0.0.1", 0))
        stack.enter_context(
            portal.wrap_async_context_manager(running(say_yes, listening, most_connections=5))
        )
        yield listening.getsockname()


def ask(connection):
    connection.request("GET", "/")
    return connection.getresponse().read()


def test_silent_connections_keep_nobody_out(address):
    """The one that has waited longest makes room, also where it was answered before; who asks stays."""
    with ExitStack() as stack:
        mine = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
        stack.callback(mine.close)
        assert ask(mine) == b"yes"
        silent = [
            stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S)) for _ in range(12)
        ]
        assert silent[0].recv(1) == b""
        for _ in range(3):
            other = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
            assert ask(other) == b"yes"
            other.close()


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET"]
)
def test_a_head_has_to_come_to_its_end(address, monkeypatch, said):
    """Bytes that trickle do not begin its time anew, nor does a request that was answered."""
    monkeypatch.setattr(limits, "HEAD_S", 0.2)
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        connection.sendall(said)
        got = b""
        try:
            while piece := connection.recv(1000):
                got += piece
                connection.sendall(b"x")
        except ConnectionError:
            pass
        assert got.count(b"yes") == said.count(b"\r\n\r\n")
