"""`sstar doctor`: what works here, and what to do about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli.build import put_json, run_async, say
from sstar_code.agent.cli.display.terminal import open_console
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options.arguments import JsonOpt
from sstar_code.agent.cli.options.flag import check_language, flag
from sstar_code.agent.jobs.choices import Endpoint, SandboxChoice
from sstar_code.problems.plain_text import escape_line
from sstar_code.sandbox.languages.table import PYTHON

if TYPE_CHECKING:
    from sstar_code.agent.doctor import Check


@grouped
def command(
    *,
    endpoint: Annotated[
        Endpoint, "model", "base_urls", "vllm_command", "vllm_args", "max_thinking", "no_model_check"
    ],
    cluster: Annotated[SandboxChoice, "ray", "packages"],
    build_image: Annotated[
        bool,
        typer.Option("--build-image", help="Build the sandbox image for Docker first, unless it is there."),
    ] = False,
    language: Annotated[
        str | None,
        flag(
            "--language",
            metavar="NAME",
            callback=lambda value: value and check_language(value),
            help="Also the language cpp: with --build-image an image that has it, else whether it runs.",
        ),
    ] = None,
    security: Annotated[
        bool, typer.Option("--security", help="Attack the sandboxes of this machine, and tell what holds.")
    ] = False,
    json_: JsonOpt = False,
) -> int:
    """Tell what works here - engine, image, isolation, endpoint, model - and what to do about the rest.

    With -m vllm:MODEL it tells what would be started, and starts nothing. With --ray it tries each node.
    With --security it runs a short set of attacks in every sandbox that works here, and nothing else.

    Example: sstar doctor -m Qwen/Qwen2.5-Coder-7B-Instruct --base-url http://localhost:8000/v1
    """
    from sstar_code.agent.doctor import State

    if build_image:
        from sstar_code.sandbox.image.build import build_image as build

        is_cpp = language not in (None, PYTHON)
        say(f"sstar: image {build(say, cluster.packages, cpp=is_cpp)} is there")
    if security:
        from sstar_code.agent.security_check import check_security

        checks = run_async(lambda: check_security(cluster.packages))
    else:
        checks = run_async(lambda: _check(endpoint, cluster, language))
    if json_:
        rows = [{"name": check.name, "state": check.state.value, "detail": check.detail} for check in checks]
        put_json({"ok": all(check.state is not State.FAIL for check in checks), "checks": rows})
    else:
        _print(checks)
    return 1 if any(check.state is State.FAIL for check in checks) else 0


async def _check(endpoint: Endpoint, cluster: SandboxChoice, language: str | None) -> list[Check]:
    from sstar_code.agent.doctor import check_cpp, check_endpoint, check_machine, check_sandboxes, check_vllm

    checks = check_machine() + await check_sandboxes(cluster.packages)
    checks += await check_cpp(is_asked=language not in (None, PYTHON))
    if cluster.ray is not None:
        from sstar_code.agent.doctor import check_nodes

        checks += await check_nodes(cluster.ray)
    if endpoint.model is not None and endpoint.model.startswith("vllm:"):
        return checks + check_vllm(endpoint)
    return checks + await check_endpoint(endpoint)


def _print(checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "note": "yellow", "fail": "bold red"}
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    names = {check.name for check in checks}
    for check in checks:
        above, mark, part = check.name.partition(": ")
        name = f"  {part}" if mark and above in names else check.name
        table.add_row(Text(check.state, styles[check.state]), name, escape_line(check.detail))
    open_console().print(table)
