"""The connections to the server behind: kept for the next request, and no longer than they are good for."""

from __future__ import annotations

import sys
import types
from contextlib import asynccontextmanager

import anyio
import httpcore2
import pytest

from sstar_code.agent.serving import upstream as upstream_module
from sstar_code.agent.serving.upstream import Upstream
from sstar_code.agent.testing.server import Reply, ServerDouble
from tests.support.servers.served import PATIENCE_S, answer_right

pytestmark = pytest.mark.anyio

PAGE = "/chat/completions"


@asynccontextmanager
async def opened():
    """An upstream of ours with a server behind it that answers everything."""
    with ServerDouble(answer_right, route=lambda *_: Reply(b"{}")) as server:
        async with Upstream(lambda: server.base_url, "", timeout_s=PATIENCE_S) as made:
            yield made


async def ask(made, count=1):
    """Ask so many times at once: no response ends before all have begun."""
    waiting, go = count, anyio.Event()

    async def one():
        nonlocal waiting
        async with made.ask("POST", PAGE, [], b"{}") as response:
            waiting -= 1
            if not waiting:
                go.set()
            await go.wait()
            assert b"".join([piece async for piece in response.aiter_raw()]) == b"{}"

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)


async def test_a_request_costs_no_more_where_many_connections_are_kept(monkeypatch):
    """It looks at the state of one connection, not of all; and it opens none."""
    looked, made_new = [], []
    has_expired = httpcore2.AsyncHTTPConnection.has_expired
    monkeypatch.setattr(
        httpcore2.AsyncHTTPConnection, "has_expired", lambda self: looked.append(self) or has_expired(self)
    )
    begin = httpcore2.AsyncHTTPConnection.__init__
    monkeypatch.setattr(
        httpcore2.AsyncHTTPConnection,
        "__init__",
        lambda self, *words, **more: made_new.append(self) or begin(self, *words, **more),
    )
    monkeypatch.setattr(upstream_module, "_KEEP_S", PATIENCE_S)
    async with opened() as made:
        await ask(made, 20)
        assert len(made_new) == 20
        looked.clear()
        await ask(made)
        assert len(set(map(id, looked))) <= 1
        await ask(made, 20)
        assert len(made_new) == 20


async def test_a_connection_that_is_not_used_again_is_closed(monkeypatch):
    """After a burst the next requests close what the burst had opened."""
    closed = []
    aclose = httpcore2.AsyncHTTPConnection.aclose

    async def note(self):
        closed.append(self)
        await aclose(self)

    monkeypatch.setattr(httpcore2.AsyncHTTPConnection, "aclose", note)
    monkeypatch.setattr(upstream_module, "_KEEP_S", PATIENCE_S)
    async with opened() as made:
        await ask(made, 5)
        monkeypatch.setattr(upstream_module, "_KEEP_S", 0.0)
        await ask(made)
        assert len(set(map(id, closed))) >= 4


async def test_a_client_that_hangs_up_leaves_its_place():
    """A request that is given up ends its own connection; the place serves the next."""
    async with opened() as made:
        with anyio.CancelScope() as scope:
            async with made.ask("POST", PAGE, [], b"{}"):
                scope.cancel()
                await anyio.sleep_forever()
        await ask(made, 2)


def test_a_parser_that_happens_to_be_installed_is_not_taken(start, monkeypatch):
    """Where httptools is found uvicorn takes it, and it reads a head of any length into the memory."""
    monkeypatch.setitem(sys.modules, "httptools", types.ModuleType("httptools"))
    for name in ("auto", "httptools_impl"):
        monkeypatch.delitem(sys.modules, f"uvicorn.protocols.http.{name}", raising=False)
    assert start().ask("GET", "/health")[0] == 200
