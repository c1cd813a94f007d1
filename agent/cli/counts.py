"""Checks `--n` where it is read, so that a settings file that has it wrong is named."""

from __future__ import annotations

import typer

from sstar_code.agent.solving.settings import read_samples
from sstar_code.problems import UserError

__all__ = ["check_n"]


def check_n(value: str) -> str:
    """`value`, as it is: a number, a range or `auto`.

    Raises:
        typer.BadParameter: it is none of these.
    """
    try:
        read_samples(value)
    except UserError as error:
        raise typer.BadParameter(str(error).removeprefix("--n ") + ".") from None
    return value
