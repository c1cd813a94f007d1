"""Opens the model, the sandbox and the port, and serves until it is cancelled."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from sstar_code.agent.jobs.choices import SandboxChoice
from sstar_code.agent.jobs.session import connect_endpoint, make_chosen
from sstar_code.agent.models.openai.address import is_loopback
from sstar_code.agent.models.openai.client import OpenAIModel
from sstar_code.agent.serving.limits import Gate, Limits, count_connections, make_protocol
from sstar_code.problems import UserError

if TYPE_CHECKING:
    import uvicorn

    from sstar_code.agent.jobs.choices import Endpoint
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.serving.technique import ProgressForm
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.sandbox import Sandbox

_GRACE_S = 5
"""Seconds that requests under way may still take when the server is told to end."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Where and how is served."""

    host: str = "127.0.0.1"
    port: int = 8800
    """0 takes a free one."""
    key: str | None = None
    """What clients have to present; None: nothing."""
    progress: ProgressForm = "reasoning"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        check_host(self.host, self.key, "spend your tokens")


def check_host(host: str, key: str | None, do: str) -> None:
    """Raises UserError where other machines could `do` something at `host` without a `key`."""
    if key is None and not is_loopback(f"http://{in_url(host)}"):
        raise UserError(
            f"--host {host}: other machines could {do} there: name the variable that "
            "holds the key of your clients with --api-key-env, or keep to 127.0.0.1"
        )


def in_url(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


async def serve(
    serving: Serving,
    endpoint: Endpoint,
    sandbox: SandboxChoice | Sandbox,
    settings: Settings,
    prompts: Prompts,
    *,
    say: Callable[[str], None],
    on_start: Callable[[str], None],
) -> None:
    """Serve until cancelled; `on_start` gets the address up to `/v1` when requests are answered.

    Raises:
        UserError: no such model or sandbox, a wrong key, no extra `serve`, a port that cannot be had.
        InfrastructureError: the endpoint is down, or programs cannot be isolated here.
    """
    check_installed()
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(listen(serving.host, serving.port))
        model, asked = await connect_endpoint(endpoint, stack, None, say)
        if not isinstance(model, OpenAIModel):
            raise UserError("sstar serve needs one endpoint to pass requests to: -m NAME and one --base-url")
        made = make_chosen(sandbox, say) if isinstance(sandbox, SandboxChoice) else sandbox
        programs = await stack.enter_async_context(made)
        from sstar_code.agent.serving.answer import Parts
        from sstar_code.agent.serving.app import make_app
        from sstar_code.agent.serving.guard import BodyReader, Guard
        from sstar_code.agent.serving.metrics import Metrics
        from sstar_code.agent.serving.solver import Solver
        from sstar_code.agent.serving.upstream import Upstream

        gate = Gate(serving.limits)
        upstream = await stack.enter_async_context(
            Upstream(lambda: model.base_url, model.key, timeout_s=endpoint.call_timeout_s)
        )
        parts = Parts(
            model=model.name,
            settings=settings,
            progress=serving.progress,
            solver=Solver(
                asked, programs, prompts, gate, hide=lambda text: text.replace(model.url, "the server behind")
            ),
            upstream=upstream,
            gate=gate,
            guard=Guard(serving.key),
            bodies=BodyReader(serving.limits.max_body_mb << 20),
            metrics=Metrics(),
            say=say,
        )
        host, port = listening.getsockname()[:2]
        async with running(make_app(parts), listening):
            on_start(f"http://{in_url(host)}:{port}/v1")
            await anyio.sleep_forever()


def check_installed(command: str = "serve") -> None:
    """Raises UserError where the extra `serve` is missing for a `command`."""
    import importlib.util

    missing = [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"sstar {command} needs {' and '.join(missing)}: pip install 'starlette>=1,<2' 'uvicorn>=0.40'"
        )


@contextmanager
def listen(address: str, number: int) -> Iterator[socket.socket]:
    """The socket that is listened at; had before anything else, since a port that is taken is quickly told.

    Raises:
        UserError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # With the protocol said, asyncio sends each piece at once; without it a response waits 40 ms for an ACK.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((address, number))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise UserError(
                f"--host {address} --port {number}: {why}; name another, or 0 for a free port"
            ) from error
        yield made


@asynccontextmanager
async def running(
    app: object, listening: socket.socket, *, most_connections: int | None = None
) -> AsyncIterator[None]:
    """Serve `app` while the block lasts; then requests under way have some seconds to end.

    Args:
        app: of ASGI.
        listening: a socket of `listen`.
        most_connections: at once; None: as many as this process may have files for.
    """
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=make_protocol(most_connections or count_connections()),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=75,  # longer than clients keep an idle connection: none ends as it is used again
        h11_max_incomplete_event_size=64 << 10,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _quiet(uvicorn.Server)(config)
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listening])
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await anyio.sleep(0.01)
            yield
        finally:
            server.should_exit = True


def _quiet(kind: type[uvicorn.Server]) -> type[uvicorn.Server]:
    """A server that leaves signals to the command: it has more to close than connections."""

    class Server(kind):  # type: ignore[valid-type, misc]
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server
