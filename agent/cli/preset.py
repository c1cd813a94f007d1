"""`--preset`: the settings of a leaderboard, under those that the user set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from sstar_code.agent.jobs.choices import Endpoint
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.settings import Settings

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


def choose_prompts(templates: Path | None, preset: str | None, model: str | None) -> Prompts:
    """The templates of the folder `templates`, over the preset's or those of a bundled recording.

    Raises:
        UserError: a template cannot be used.
    """
    from sstar_code.agent.models.recorded import find_prompts
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.presets import find_preset

    if preset is None:
        return Prompts(templates or find_prompts(model))
    return Prompts(find_preset(preset).prompts, templates)


def note_preset(
    preset: str | None, settings: Settings, endpoint: Endpoint, prompts: Prompts, set_name: str | None = None
) -> dict[str, Any]:
    """What a manifest keeps of the preset: its name, where it is from, and what departs from it.

    Empty without a preset.
    """
    from sstar_code.agent.solving.presets import find_preset, list_departures

    if preset is None:
        return {}
    found = find_preset(preset)
    departures = list_departures(found, settings, endpoint, prompts, set_name)
    return {"preset": {"name": preset, "source": found.source, "departures": departures}}
