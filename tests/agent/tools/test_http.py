"""`sstar mcp --http`, met by the SDK's own client over a real port, and by who means harm."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import asynccontextmanager

import anyio
import pytest

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client

from sstar_code.agent.serving.run import listen
from sstar_code.agent.testing import FakeSandbox
from sstar_code.agent.tools import server as tools
from sstar_code.agent.tools.http import Door, serving_over_http
from sstar_code.problems import UserError
from tests.support.servers.tools import Solving, call
from tests.support.servers.waiting import Waiting

pytestmark = pytest.mark.anyio

KEY = "key-of-the-clients"
PATIENCE_S = 180.0


def echo(program, text):
    """The sandbox: every program prints its own length and its input."""
    return f"{program.code}:{text}"


@asynccontextmanager
async def served(server=None, **door):
    """The address of a server."""
    made = server or tools.make_server(FakeSandbox(echo))
    with listen("127.0.0.1", 0) as listening:
        async with serving_over_http(made, Door(**door), listening) as address:
            yield address


@asynccontextmanager
async def connected(address, *, mode="auto", key=None):
    """The SDK's client."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as http_client:
        transport = streamable_http_client(address, http_client=http_client)
        async with mcp.Client(transport, mode=mode) as client:
            yield client


async def post(address, content, **headers):
    """What plain HTTP gets: status and text."""
    told = {"content-type": "application/json", "accept": "application/json, text/event-stream", **headers}
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
        response = await client.post(address, content=content, headers=told)
        return response.status_code, response.text


def hello():
    """The first request of a client."""
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}).encode()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_two_clients_at_once_list_and_call(mode):
    """In the protocol's old and new form; each gets what is its own."""
    found = {}
    async with served() as address:

        async def ask(name):
            async with connected(address, mode=mode) as client:
                assert len((await client.list_tools()).tools) == 3
                rows = [await call(client, "run_tests", programs=[name], inputs=[str(i)]) for i in range(5)]
                found[name] = [row["result"][0]["output"] for row in rows]

        async with anyio.create_task_group() as group:
            group.start_soon(ask, "a")
            group.start_soon(ask, "b")
    assert found == {name: [f"{name}:{i}" for i in range(5)] for name in "ab"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_that_is_taken_back_ends_its_work_and_no_other(mode):
    """The model is no longer waited for, and the other client is served on."""
    model = Waiting()
    async with anyio.create_task_group() as group:
        solving = Solving(FakeSandbox(echo), group, model)
        async with served(solving.server) as address, connected(address) as other:
            async with connected(address, mode=mode) as client, anyio.create_task_group() as calling:
                calling.start_soon(
                    client.call_tool, "solve_function", {"statement": "Write a function f(x)."}
                )
                await model.asked.wait()
                calling.cancel_scope.cancel()
            with anyio.fail_after(PATIENCE_S):
                await model.left.wait()
            rows = await call(other, "run_tests", programs=["a"], inputs=["1"])
            assert rows["result"][0]["output"] == "a:1"
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "example.org"}, 421),
        ({"host": "127.0.0.1.example.org:8801"}, 421),
        ({"host": "localhost.example.org"}, 421),
        ({"origin": "https://example.org"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 400),
    ],
)
async def test_without_a_key_pages_of_a_browser_get_nothing(headers, status):
    """Neither by a name that was bound to this machine, nor from any page, nor with a form's content."""
    async with served() as address:
        assert (await post(address, hello()))[0] == 200
        assert (await post(address, hello(), **headers))[0] == status


async def test_who_has_no_key_gets_nothing():
    """Whatever the page, the method and the headers; who has it is served, under any name."""
    async with served(key=KEY) as address:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {KEY}x"}):
            status, text = await post(address, hello(), **headers)
            assert (status, json.loads(text)["error"]["code"]) == (401, "invalid_api_key")
            assert KEY not in text
            assert (await post(f"{address}/other", hello(), **headers))[0] == 401
        told = {"authorization": f"Bearer {KEY}", "host": "tools.example.org"}
        assert (await post(address, hello(), **told))[0] == 200
        async with connected(address, key=KEY) as client:
            assert (await client.list_tools()).tools


async def test_a_body_that_is_too_long_is_not_read():
    """By its header, or where the header says nothing, when so much has come; the next is served."""

    async def pieces():
        for _ in range(64):
            yield b"x" * 65536

    async with served(most_bytes=1 << 20) as address:
        assert (await post(address, b"x" * ((1 << 20) + 1)))[0] == 413
        assert (await post(address, pieces()))[0] == 413
        assert (await post(address, hello()))[0] == 200


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"\xff", b"", b"[]", b"1" * 10_000]
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_content_that_is_no_request_ends_nothing(content, version):
    """It is refused, and the next request is served."""
    async with served() as address:
        status, _ = await post(address, content, **{"mcp-protocol-version": version})
        assert 400 <= status < 500
        assert (await post(address, hello()))[0] == 200


def test_other_machines_need_a_key():
    """The server does not start where anybody could spend tokens or run programs."""
    with pytest.raises(UserError, match="--api-key-env"):
        Door(host="0.0.0.0")
    assert Door(host="0.0.0.0", key=KEY).port == 8801
    assert Door(host="::1").key is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--port", "1"], "are of --http"),
        (["--http", "--host", "0.0.0.0"], "--api-key-env"),
        (["--http", "--api-key-env", "SSTAR_NO_SUCH_KEY"], "must hold a key"),
        (["--repository", "/dev/null"], "no folder of a repository"),
    ],
)
def test_mistakes_are_a_line_each(sstar, words, told):
    """Exit code 2, before anything is opened."""
    ended = sstar("mcp", *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in " ".join(ended.err.split())


def test_a_port_that_is_taken_is_named(sstar):
    """Before the sandbox is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = sstar("mcp", "--http", "--port", taken.getsockname()[1], "--sandbox", "unsafe")
    assert ended.code == 2
    assert "0 for a free port" in " ".join(ended.err.split())


async def test_the_command_serves_until_a_signal(spawn, isolated):
    """The address is on stdout when it serves; SIGTERM is the usual end, also while a client is there."""
    process = spawn("mcp", "--http", "--port", "0", *isolated)
    address = (await anyio.to_thread.run_sync(process.stdout.readline)).strip()
    async with connected(address) as client:
        rows = await call(client, "run_tests", programs=["print(3)"], inputs=[""])
        assert rows["result"][0]["output"].strip() == "3"
        process.send_signal(signal.SIGTERM)
        _, err = await anyio.to_thread.run_sync(process.communicate)
    assert process.returncode == 0
    assert "nothing is served any more" in err
