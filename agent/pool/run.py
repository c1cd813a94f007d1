"""Opens the sandbox and the port, and serves until it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.jobs.choices import SandboxChoice
from sstar_code.agent.jobs.session import make_chosen
from sstar_code.agent.pool.app import PoolApp
from sstar_code.agent.pool.jobs import run_job
from sstar_code.agent.pool.queue import Queue
from sstar_code.agent.serving.guard import BodyReader, Guard
from sstar_code.agent.serving.run import check_host, check_installed, in_url, listen, running

if TYPE_CHECKING:
    from sstar_code.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Pool:
    """Where is served, for whom, and how much."""

    host: str = "127.0.0.1"
    port: int = 8900
    """0 takes a free one."""
    key: str | None = None
    """What clients have to present; None: nothing."""
    max_waiting: int = 100_000
    """Runs that may wait; more are refused with 429 and when to come again."""
    max_body_mb: int = 64
    """Megabytes of the longest request that is read."""
    testlib: str | None = None
    """The text of testlib's header, for checkers in C++ that include it."""

    def __post_init__(self) -> None:
        check_host(self.host, self.key, "run programs")


async def serve_pool(
    pool: Pool,
    sandbox: SandboxChoice | Sandbox,
    *,
    say: Callable[[str], None],
    on_start: Callable[[str], None],
) -> None:
    """Serve until cancelled; `on_start` gets the address when requests are answered.

    Raises:
        UserError: no such sandbox, no extra `serve`, a port that cannot be had.
        SandboxError: programs cannot be isolated here.
    """
    check_installed("pool")
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(listen(pool.host, pool.port))
        made = make_chosen(sandbox, say) if isinstance(sandbox, SandboxChoice) else sandbox
        programs = await stack.enter_async_context(made)
        queue = Queue(partial(run_job, programs), pool.max_waiting)
        environment = programs.environment
        facts = {
            "sandbox": programs.name,
            "workers": programs.workers,
            "python": environment.python,
            "libraries": list(environment.libraries),
            "languages": ["python", *getattr(sandbox, "languages", ())],
        }
        reader = BodyReader(pool.max_body_mb << 20)
        app = PoolApp(queue, Guard(pool.key), reader, facts, say)
        app.testlib = pool.testlib
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(queue.work, 2 * programs.workers)  # one is prepared while one is run
        host, port = listening.getsockname()[:2]
        async with running(app, listening):
            on_start(f"http://{in_url(host)}:{port}")
            await anyio.sleep_forever()
