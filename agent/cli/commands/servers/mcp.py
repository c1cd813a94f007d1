"""`sstar mcp`: what the method knows of programs, as tools for coding agents."""

from __future__ import annotations

import importlib.util
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli.build import put, run_async, say
from sstar_code.agent.cli.commands.servers.serve import ApiKeyEnvOpt, HostOpt, LimitOptions, read_key
from sstar_code.agent.cli.findings import PythonOpt
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice, refuse_learning
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.tools.repository import Repository

HttpOpt = Annotated[
    bool, typer.Option("--http", help="Serve over streamable HTTP. (default: stdin and stdout)")
]
PortOpt = Annotated[
    int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port of --http; 0 takes a free one.")
]
RepositoryOpt = Annotated[
    Path | None,
    typer.Option(
        "--repository", metavar="DIR", rich_help_panel="Repository",
        help="Repository of solve_function. (default: that of the current folder; with --http none)",
    ),
]  # fmt: skip


@grouped
def command(
    *,
    http: HttpOpt = False,
    host: HostOpt = "127.0.0.1",
    port: PortOpt = 8801,
    api_key_env: ApiKeyEnvOpt = None,
    repository: RepositoryOpt = None,
    python: PythonOpt = None,
    endpoint: Annotated[Endpoint, "-record"],
    settings: Settings,
    sandbox: SandboxChoice,
    limits: Annotated[
        LimitOptions,
        "max_solving",
        "max_tokens_request",
        "max_seconds_request",
        "max_tokens_hour",
        "max_body_mb",
    ],
) -> int:
    """Serve tools over MCP: distinguish, choose, run_tests, and with -m solve_function.

    Example: sstar mcp -m Qwen/Qwen2.5-Coder-7B-Instruct
    """
    refuse_learning(settings, "sstar mcp")
    if importlib.util.find_spec("mcp") is None:
        raise UserError("sstar mcp needs the SDK of MCP: pip install 'mcp>=2,<3'")
    if not http and (host, port, api_key_env) != ("127.0.0.1", 8801, None):
        raise UserError("--host, --port and --api-key-env are of --http; give that, too, or leave them out")
    from sstar_code.agent.tools.http import Door, serving_over_http

    door = Door(host, port, read_key(api_key_env), limits.max_body_mb << 20)
    place = _find_repository(repository, python, http=http)

    async def main() -> None:
        import anyio

        from sstar_code.agent.jobs.session import connect_endpoint, make_chosen
        from sstar_code.agent.models.recorded import find_prompts
        from sstar_code.agent.prompts.templates import Prompts
        from sstar_code.agent.serving.limits import Gate
        from sstar_code.agent.serving.run import listen
        from sstar_code.agent.serving.solver import Solver
        from sstar_code.agent.tools.jobs import Jobs
        from sstar_code.agent.tools.server import make_server
        from sstar_code.agent.tools.solving import Solving

        async with AsyncExitStack() as stack:
            listening = stack.enter_context(listen(host, port)) if http else None
            asked = None
            if endpoint.model is not None:
                _, asked = await connect_endpoint(endpoint, stack, None, say)
            programs = await stack.enter_async_context(make_chosen(sandbox, say))
            group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(group.cancel_scope.cancel)
            solving = None
            if asked is not None:
                prompts, gate = Prompts(find_prompts(endpoint.model)), Gate(limits.as_limits())
                solving = Solving(Solver(asked, programs, prompts, gate), settings, Jobs(group), place)
            server = make_server(programs, model=asked, solving=solving)
            if listening is None:
                say("sstar: tools are served on stdin and stdout")
                await server.run_stdio_async()
                return
            address = await stack.enter_async_context(serving_over_http(server, door, listening))
            say("sstar: tools are served over HTTP; Ctrl-C ends it")
            put(address)
            await anyio.sleep_forever()

    try:
        run_async(main)
    except KeyboardInterrupt:
        say("sstar: nothing is served any more")
    return 0


def _find_repository(named: Path | None, python: str | None, *, http: bool) -> Repository | None:
    """The repository that functions are written in.

    Over HTTP only one that is named: a client elsewhere knows nothing of the folder the server began in.

    Raises:
        UserError: the folder that was named is in none.
    """
    from sstar_code.agent.tools.repository import open_repository

    if named is None:
        return None if http else open_repository(Path(), python)
    found = open_repository(named, python) if named.is_dir() else None
    if found is None:
        raise UserError(f"--repository {named}: no folder of a repository (with .git, or a pyproject.toml)")
    return found
