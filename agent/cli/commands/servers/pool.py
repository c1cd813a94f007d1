"""`sstar pool`: programs are run for others over HTTP, like a training loop's."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from sstar_code.agent.cli.build import put, run_async, say
from sstar_code.agent.cli.commands.servers.serve import ApiKeyEnvOpt, HostOpt, read_key
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options.arguments import TestlibOpt
from sstar_code.agent.cli.options.flag import check_language
from sstar_code.agent.jobs.choices import SandboxChoice, Watch


@grouped
def command(
    *,
    host: HostOpt = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8900,
    api_key_env: ApiKeyEnvOpt = None,
    max_waiting: Annotated[
        int,
        typer.Option("--max-waiting", metavar="N", min=1, help="Runs that may wait; for more: status 429."),
    ] = 100_000,
    max_body_mb: Annotated[
        int,
        typer.Option("--max-body-mb", metavar="MB", min=1, max=1024, help="Megabytes of the longest body."),
    ] = 64,
    language: Annotated[
        str,
        typer.Option(
            "--language",
            metavar="NAME",
            callback=check_language,
            help="A language that jobs may name beside Python: cpp, cpp17, cpp20.",
        ),
    ] = "python",
    testlib: TestlibOpt = None,
    sandbox: SandboxChoice,
    watch: Watch,
) -> int:
    """Run programs for other programs: batches over HTTP, in the sandbox, each client its share.

    Example: sstar pool --workers 8
    """
    from sstar_code.agent.pool.run import Pool, serve_pool
    from sstar_code.agent.serving.run import check_installed
    from sstar_code.problems.formats.judges import read_testlib

    header = None if testlib is None else read_testlib(testlib)
    pool = Pool(host, port, read_key(api_key_env), max_waiting, max_body_mb, header)
    check_installed("pool")
    chosen = sandbox if language == "python" else replace(sandbox, languages=(language,))

    def started(address: str) -> None:
        say("sstar: programs are run for clients; Ctrl-C ends it")
        put(address)

    async def main() -> None:
        with watch.open("pool", say):
            await serve_pool(pool, chosen, say=say, on_start=started)

    try:
        run_async(main)
    except KeyboardInterrupt:
        say("sstar: no program is run any more")
    return 0
