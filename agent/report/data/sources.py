"""Finds the problems of a run again: statements, tests and metadata are in the set, not in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.problems import Problem


def find_problems(
    manifest: Mapping[str, Any], spec: str | None, say: Callable[[str], None]
) -> dict[str, Problem]:
    """The problems that were asked for, by id, from the set `spec` or from where the run took them.

    Empty, and said so, where `spec` is None and the set is not there any more or is another one by now.

    Raises:
        UserError: `spec` cannot be read.
    """
    from sstar_code.problems.sets.load import BUNDLED, load_set

    config = manifest["config"]
    name = str(config.get("label", "")).removesuffix(f"-{config.get('model')}")
    found = spec or (name if name in BUNDLED else f"{name}:{manifest.get('data', '')}")
    try:
        whole = load_set(found)
    except UserError as error:
        if spec is not None:
            raise
        say(f"sstar: {error}; name the set with --set for statements, difficulty and dates")
        return {}
    if whole.revision != config.get("set"):
        say(f"sstar: {found} is not the revision that the run used ({config.get('set')}); shown all the same")
    wanted = set(config["problems"])
    return {problem.id: problem for problem in whole.problems if problem.id in wanted}
