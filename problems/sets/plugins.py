"""Sets that other packages bring: entry points of the group `sstar.problems`.

An entry point is a callable that takes a path (None where the user gave none) and returns the problems:

    [project.entry-points."sstar.problems"]
    mine = "my_package:read_problems"
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from sstar_code.problems.errors import SstarError, UserError
from sstar_code.problems.formats.jsonl import to_json
from sstar_code.problems.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Plugin", "list_plugins"]

GROUP = "sstar.problems"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A set by another package; nothing of the package is imported before `read`."""

    name: str
    package: str
    """The distribution and its version, like `my-problems 1.2`."""
    entry_point: EntryPoint

    def read(self, path: Path | None) -> tuple[tuple[Problem, ...], str]:
        """The problems, and 16 hex digits of a hash of their content.

        Raises:
            UserError: the package is broken: it cannot be imported, fails, or gives something else.
            SstarError: what the package itself says so.
        """
        try:
            problems = tuple(self.entry_point.load()(path))
        except SstarError:
            raise
        except Exception as error:  # code of others may raise anything
            fault = (str(error).splitlines() or [""])[0]
            raise UserError(
                f"set {self.name!r} of {self.package}: {type(error).__name__}: {fault}; that package is at "
                f"fault ({self.entry_point.value})"
            ) from error
        digest = hashlib.sha256()
        seen: set[str] = set()
        for problem in problems:
            if not isinstance(problem, Problem):
                raise UserError(
                    f"set {self.name!r} of {self.package}: gives a {type(problem).__name__} where a Problem "
                    "is expected; that package is at fault"
                )
            if problem.id in seen:
                raise UserError(
                    f"set {self.name!r} of {self.package}: two problems have the id {problem.id!r}"
                )
            seen.add(problem.id)
            digest.update(json.dumps(to_json(problem), sort_keys=True, default=str).encode() + b"\n")
        return problems, digest.hexdigest()[:16]


def list_plugins() -> dict[str, Plugin]:
    """Every set that installed packages bring, by name; of two with one name the first found."""
    found: dict[str, Plugin] = {}
    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"
        found.setdefault(point.name, Plugin(point.name, package, point))
    return found
