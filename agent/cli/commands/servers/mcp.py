"""`sstar mcp`: what the method knows of programs, as tools for coding agents."""

from __future__ import annotations

import importlib.util
from contextlib import AsyncExitStack
from typing import Annotated

import anyio

from sstar_code.agent.cli.build import run_async, say
from sstar_code.agent.cli.commands.servers.serve import LimitOptions
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import UserError


@grouped
def command(
    *,
    endpoint: Annotated[Endpoint, "-record"],
    settings: Settings,
    sandbox: SandboxChoice,
    limits: Annotated[
        LimitOptions, "max_solving", "max_tokens_request", "max_seconds_request", "max_tokens_hour"
    ],
) -> int:
    """Serve tools over MCP on stdin and stdout: distinguish, choose, run_tests, and with -m solve_function.

    Example: sstar mcp -m Qwen/Qwen2.5-Coder-7B-Instruct
    """
    if importlib.util.find_spec("mcp") is None:
        raise UserError("sstar mcp needs the SDK of MCP: pip install 'mcp>=2,<3'")

    async def main() -> None:
        from sstar_code.agent.jobs.session import connect_endpoint, make_chosen
        from sstar_code.agent.models.recorded import find_prompts
        from sstar_code.agent.prompts.templates import Prompts
        from sstar_code.agent.serving.limits import Gate
        from sstar_code.agent.serving.solver import Solver
        from sstar_code.agent.tools.jobs import Jobs
        from sstar_code.agent.tools.server import make_server

        async with AsyncExitStack() as stack:
            asked = None
            if endpoint.model is not None:
                _, asked = await connect_endpoint(endpoint, stack, None, say)
            programs = await stack.enter_async_context(make_chosen(sandbox, say))
            group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(group.cancel_scope.cancel)
            prompts = Prompts(find_prompts(endpoint.model))
            gate = Gate(limits.as_limits())
            solver = None if asked is None else Solver(asked, programs, prompts, gate)
            server = make_server(programs, model=asked, solver=solver, settings=settings, jobs=Jobs(group))
            say("sstar: tools are served on stdin and stdout")
            await server.run_stdio_async()

    run_async(main)
    return 0
