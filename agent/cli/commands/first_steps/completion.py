"""`sstar completion`: what makes a shell complete commands, options and file names."""

from __future__ import annotations

from typing import Annotated

import typer

from sstar_code.problems import UserError

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SSTAR_COMPLETE"
"""Set by a shell that asks what could follow."""


def command(
    shell: Annotated[
        str,
        typer.Argument(metavar="SHELL", help=f"One of {', '.join(SHELLS)}.", autocompletion=lambda: SHELLS),
    ],
) -> int:
    """Print the lines that make a shell complete commands, options and files with the Tab key.

    For bash, this line belongs into ~/.bashrc: eval "$(sstar completion bash)"

    For zsh, into ~/.zshrc below compinit: eval "$(sstar completion zsh)"

    For fish, into ~/.config/fish/config.fish: sstar completion fish | source

    Example: sstar completion bash
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in SHELLS:
        raise UserError(f"no completion for {shell!r}; give one of {', '.join(SHELLS)}")
    typer.echo(get_completion_script(prog_name="sstar", complete_var=VARIABLE, shell=shell))
    return 0


def prepare() -> None:
    """Let the command line answer a shell that asks what could follow."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
