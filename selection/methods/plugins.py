"""Selection methods that other packages bring: entry points of the group `sstar_code.methods`.

An entry point is an async function that takes a `Pool` and returns a `Selection`:

    [project.entry-points."sstar_code.methods"]
    shortest = "my_package:select_shortest"
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.problems.plugins import Plugin, list_plugins
from sstar_code.selection.protocols import Selection

if TYPE_CHECKING:
    from sstar_code.selection.pool import Pool


def list_methods() -> Mapping[str, Plugin]:
    """Every method that installed packages bring, by name."""
    return list_plugins("selection method", "sstar_code.methods")


def load_method(plugin: Plugin) -> Callable[[Pool], Awaitable[Selection]]:
    """The method that `plugin` is. Its faults are told as its package's, in one line.

    Raises:
        UserError: the package cannot be imported.
    """
    method = plugin.load()

    async def select(pool: Pool) -> Selection:
        with plugin.blamed():
            selection = await method(pool)
            if not isinstance(selection, Selection):
                raise TypeError(f"gives a {type(selection).__name__} where a Selection is expected")
            if selection.chosen is not None and selection.chosen not in range(len(pool.candidates)):
                raise ValueError(f"chose {selection.chosen!r} of {len(pool.candidates)} candidates")
            return replace(selection, method=plugin.name)

    return select
