"""The one place that says what a run is: its configuration decides which folder may be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.folder import default_folder, open_folder, versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sstar_code.agent.jobs.choices import Endpoint
    from sstar_code.agent.prompts.templates import Prompts

__all__ = ["make_config", "open_run"]


def make_config(label: str, endpoint: Endpoint | None, prompts: Prompts, **own: Any) -> dict[str, Any]:
    """Everything that changes answers, by name: two runs of equal configurations give the same ones.

    What is at its default is left out where older runs did not know it. `own` is what the command adds, like
    the problems and the settings.
    """
    config = {"label": label, "model": endpoint and endpoint.model, "prompts": prompts.digest, **own}
    if endpoint is not None and endpoint.max_thinking is not None:
        config["max_thinking"] = endpoint.max_thinking
    if endpoint is not None and endpoint.system_role != "system":
        config["system_role"] = endpoint.system_role
    return config


def open_run(
    command: str,
    config: dict[str, Any],
    out: Path | None,
    *,
    fresh: bool,
    say: Callable[[str], None],
    **more: Any,
) -> Path:
    """The folder of the run, made or gone on in; `more` stands in its manifest beside the configuration.

    Raises:
        UserError: the folder belongs to a command with another configuration, or is no run folder.
        InfrastructureError: it cannot be written.
    """
    folder = out or default_folder(command, config)
    resumed = open_folder(folder, {"config": config, "versions": versions(), **more}, fresh=fresh)
    say(f"sstar: {'going on in' if resumed else 'writing to'} {folder}")
    return folder
