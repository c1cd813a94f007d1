"""`sstar help`: the same as `--help`, for those who ask this way."""

from __future__ import annotations

from typing import Annotated

import typer

from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest


def command(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="The command; none lists all of them.")
    ] = None,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="Show every option, with limits and variables.")
    ] = False,
) -> int:
    """Show the help of a command, or list the commands.

    Example: sstar help solve
    """
    root = context.find_root()
    commands = root.command.commands  # type: ignore[attr-defined]
    if name is not None and name not in commands:
        raise UserError(f"no command {name!r}{suggest(name, commands)}; `sstar help` lists them")
    words = ["--help", *(["--all"] if all_ else [])]
    (root.command if name is None else commands[name]).make_context(
        "sstar" if name is None else name, words if name else words[:1], parent=root if name else None
    )
    return 0
