"""Reads what other packages bring by entry points: problem sets, checkers, sandboxes, selection methods.

Nothing of a package is imported before it is used; its faults are told in one line that names the package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sstar_code.problems.errors import SstarError, UserError


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of another package: a callable, which stays unimported until `load`."""

    what: str
    """The thing it brings, for messages: `set`, `checker`, `sandbox`."""
    name: str
    package: str
    """The distribution and its version, like `my-problems 1.2`."""
    entry_point: EntryPoint
    rival: str = ""
    """Another distribution that brings the same name."""

    def load(self) -> Any:
        """The callable.

        Raises:
            UserError: it cannot be imported or is none, or two packages bring the name.
        """
        if self.rival:
            raise UserError(
                f"{self.what} {self.name!r} is brought by {self.package} and {self.rival}; uninstall one"
            )
        with self.blamed():
            found = self.entry_point.load()
            if not callable(found):
                raise TypeError(f"a {type(found).__name__} where a callable is expected")
            return found

    @contextmanager
    def blamed(self, error_type: type[SstarError] = UserError) -> Iterator[None]:
        """Turn whatever the package's code raises in the block into an `error_type` that names the package.

        An `SstarError` passes: there the package has said itself what is wrong.
        """
        try:
            yield
        except SstarError:
            raise
        except Exception as error:  # code of others may raise anything
            first_line = (str(error).splitlines() or [""])[0]
            raise error_type(
                f"{self.what} {self.name!r} of {self.package}: {type(error).__name__}: {first_line}; that "
                f"package is at fault ({self.entry_point.value})"
            ) from error


def list_plugins(what: str, *groups: str) -> Mapping[str, Plugin]:
    """The entry points of `groups` in all installed packages, by name."""
    return _list_plugins(what, groups, tuple(sys.path))


@cache
def _list_plugins(what: str, groups: tuple[str, ...], _path: tuple[str, ...]) -> Mapping[str, Plugin]:
    found: dict[str, Plugin] = {}
    for point in (point for group in groups for point in entry_points(group=group)):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"
        plugin = found.setdefault(point.name, Plugin(what, point.name, package, point))
        if plugin.package != package:
            found[point.name] = replace(plugin, rival=package)
    return found
