"""Selection methods that other packages bring: entry points of the group `sstar_code.methods`.

An entry point is an async function that takes a `Pool` and returns a `Selection`:

    [project.entry-points."sstar_code.methods"]
    shortest = "my_package:select_shortest"
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from sstar_code.problems import SstarError, UserError
from sstar_code.selection.protocols import Selection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sstar_code.selection.pool import Pool

__all__ = ["PluginMethod", "list_plugins"]

GROUP = "sstar_code.methods"


@dataclass(frozen=True, slots=True)
class PluginMethod:
    """A method by another package; nothing of the package is imported before `load`."""

    name: str
    points: tuple[EntryPoint, ...]
    """The entry points with this name; more than one is a conflict."""

    def load(self) -> Callable[[Pool], Awaitable[Selection]]:
        """The method. Its faults are told as this package's, in one line.

        Raises:
            UserError: the package cannot be imported, or several packages bring the name.
        """
        if len(self.points) > 1:
            packages = " and ".join(map(_package, self.points))
            raise UserError(f"selection method {self.name!r} is brought by {packages}; uninstall one of them")
        try:
            method = self.points[0].load()
        except Exception as error:  # code of others may raise anything
            raise self._fault(_describe(error)) from error
        if not callable(method):
            raise self._fault(f"is a {type(method).__name__}, no function")

        async def select(pool: Pool) -> Selection:
            try:
                selection = await method(pool)
            except SstarError:
                raise
            except Exception as error:
                raise self._fault(_describe(error)) from error
            if not isinstance(selection, Selection):
                raise self._fault(f"gives a {type(selection).__name__} where a Selection is expected")
            if selection.chosen is not None and selection.chosen not in range(len(pool.candidates)):
                raise self._fault(f"chose {selection.chosen!r} of {len(pool.candidates)} candidates")
            return replace(selection, method=self.name)

        return select

    def _fault(self, what: str) -> UserError:
        point = self.points[0]
        return UserError(
            f"selection method {self.name!r} of {_package(point)}: {what}; that package is at fault "
            f"({point.value})"
        )


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _package(point: EntryPoint) -> str:
    """The distribution and its version, like `my-methods 1.2`."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"


def list_plugins() -> dict[str, PluginMethod]:
    """Every method that installed packages bring, by name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return {name: PluginMethod(name, tuple(points)) for name, points in found.items()}
