"""`--preset`: the settings of a leaderboard, under those that the user set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

CONTEXT = "words"
"""Parameter of commands with `--preset`: it tells what was set and what is a default."""


def follow_preset(values: dict[str, Any], context: typer.Context) -> None:
    """Put what the preset says into `values`, but for what was set by a flag, a variable or a settings file.

    Raises:
        UserError: there is no such preset.
    """
    from sstar_code.agent.solving.presets import find_preset

    for name, value in find_preset(values["preset"]).values.items():
        source = context.get_parameter_source(name)
        if source is None or source.name == "DEFAULT":
            values[name] = str(value) if name == "n" else value
