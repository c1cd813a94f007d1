"""`sstar runs`: the run folders there are, what they came to, and which can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sstar_code.agent.cli.build import put_json, say
from sstar_code.agent.cli.display.table import put_table
from sstar_code.agent.cli.options.arguments import JsonOpt
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.report.data.state import State

_COLUMNS = ("folder", "command", "set", "model", "changed", "problems", "rate", "state")


def command(
    folder: Annotated[
        Path,
        typer.Argument(metavar="[DIR]", help="Where to look, two folders deep; a run folder itself is one."),
    ] = Path("runs"),
    *,
    json_: JsonOpt = False,
) -> int:
    """List run folders: command, set, model, when, problems done, rate, and whether they can be resumed.

    Example: sstar runs
    """
    from sstar_code.agent.report.data.state import read_state
    from sstar_code.agent.run.history.kinds import find_runs

    if not folder.is_dir():
        what = "a file" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {what}; name one that has run folders in it")
    states = [read_state(found) for found in find_runs(folder)]
    if json_:
        put_json({"runs": [state.as_json() for state in states]})
        return 0
    if states:
        put_table(_COLUMNS, [_describe(state) for state in states], right=("problems",))
    for state in states:
        if state.why:
            say(f"sstar: {state.why}")
    if not states:
        say(f"sstar: {folder}: no run folder in it")
    return 0


def _describe(state: State) -> tuple[str, ...]:
    errors = f" ({state.errors} errors)" if state.errors else ""
    rate = "-" if state.value is None else f"{state.rate} {100 * state.value:.1f}%"
    changed = state.changed[:16].replace("T", " ")
    cells = (state.folder, state.command or "-", state.set or "-", state.model or "-", changed)
    return (*cells, f"{state.done}/{state.problems}{errors}", rate, state.state)
