"""The server as its clients meet it: on a port, with a scripted upstream and a scripted sandbox behind."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from anyio.from_thread import start_blocking_portal

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
pytest.importorskip("starlette", reason="the extra `serve` is not installed")

from sstar_code.agent.jobs.choices import Endpoint
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.serving.limits import Limits
from sstar_code.agent.serving.run import Serving, serve
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing import FakeSandbox
from sstar_code.agent.testing.server import ServerDouble
from tests.support.servers.served import PATIENCE_S, Served, answer_right, run_known


@pytest.fixture
def start(monkeypatch):
    """Start a server; `respond` is the upstream's, further options are `ServerDouble`'s."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def begin(
            respond=answer_right,
            *,
            limits=None,
            key=None,
            settings=None,
            sandbox=None,
            progress="reasoning",
            **double,
        ):
            upstream = stack.enter_context(ServerDouble(respond, **double))
            said, started = [], threading.Event()
            served = Served("", upstream, said)

            def note(address):
                served.url = address
                started.set()

            async def main():
                await serve(
                    Serving(port=0, key=key, limits=limits or Limits(), progress=progress),
                    Endpoint("tiny", (upstream.base_url,), call_timeout_s=PATIENCE_S),
                    sandbox or FakeSandbox(run_known, workers=2),
                    settings or Settings(n=2, rounds=0, max_tokens=64),
                    Prompts(),
                    say=said.append,
                    on_start=note,
                )

            running = portal.start_task_soon(main)
            running.add_done_callback(lambda _: started.set())
            stack.callback(running.cancel)
            assert started.wait(PATIENCE_S)
            if running.done():
                running.result()
            return served

        yield begin
