"""`sstar view`: a live page of a run, on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from sstar_code.agent.cli.build import put, say
from sstar_code.agent.cli.options.arguments import ProblemSetOpt


def command(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Run folder of eval, solve, select or grade, also of one going on."
        ),
    ],
    *,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65535, help="Port of 127.0.0.1; 0 takes a free one."
        ),
    ] = 0,
    open_: Annotated[bool, typer.Option("--open", help="Also open the page in the browser.")] = False,
    for_s: Annotated[
        float | None,
        typer.Option(
            "--for", metavar="SECONDS", min=0.0, help="End after so many seconds.  (default: at Ctrl-C)"
        ),
    ] = None,
    problem_set: ProblemSetOpt = None,
) -> int:
    """Serve a page of a run that shows its progress as it goes, and its report; its address is on stdout.

    Example: sstar view runs/demo
    """
    from sstar_code.agent.report.data.run import find_problems
    from sstar_code.agent.report.live.server import RunServer, serve
    from sstar_code.agent.run.history.kinds import read_run

    problems = find_problems(read_run(run)[1], problem_set, say)
    server = RunServer(run, problems, port=port)
    say("sstar: serving to this machine alone, to those who have the address; Ctrl-C ends it")
    put(server.url)
    with _opened(server.url) if open_ else nullcontext():
        serve(server, for_s)
    say("sstar: the page is no longer served")
    return 0


@contextmanager
def _opened(url: str) -> Iterator[None]:
    """Open `url` in the browser, by a file of this user alone: everybody sees a process's arguments."""
    import webbrowser

    from sstar_code.sandbox.ownership import hold_folder, reap_folders

    reap_folders()
    with hold_folder() as folder:
        page = folder / "open.html"
        page.touch(0o600)
        page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={url}">\n', "ascii")
        webbrowser.open(page.as_uri())
        yield
