"""`sstar ls`: the sets there are, or the problems of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.cli.build import load_problems, put, put_json
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions, JsonOpt
from sstar_code.problems.plain_text import escape_line

if TYPE_CHECKING:
    from sstar_code.problems import Problem


@grouped
def command(
    problem_set: Annotated[
        str | None,
        typer.Argument(
            metavar="[SET]", help="List this set's problems instead; the forms are those of `eval`."
        ),
    ] = None,
    *,
    data: DataOptions,
    json_: JsonOpt = False,
) -> int:
    """List the problem sets known here and whether they are on this machine, or the problems of SET.

    Example: sstar ls examples --filter kind=function
    """
    if problem_set is None:
        sets = _list_sets()
        _print(sets, _SET_COLUMNS, {"sets": sets}, as_json=json_)
        return 0
    whole, chosen = load_problems(problem_set, data)
    rows = [_describe(problem) for problem in chosen]
    about = {"set": whole.name, "path": str(whole.path), "revision": whole.revision, "problems": rows}
    _print(rows, _PROBLEM_COLUMNS, about, as_json=json_)
    return 0


_SET_COLUMNS = ("set", "here", "size_mb", "from")
_PROBLEM_COLUMNS = ("id", "kind", "public", "hidden", "difficulty", "date")


def _list_sets() -> list[dict[str, Any]]:
    """One row a release: the first of a set is what its name alone means."""
    from sstar_code.problems.sets.load import BUNDLED, SET_NAMES, list_set_plugins
    from sstar_code.problems.sets.releases import find_cached, list_releases

    rows: list[dict[str, Any]] = []
    for name in SET_NAMES:
        for release in list_releases(name):
            place = "hub" if release.on_hub else "github.com"
            rows.append(
                {
                    "set": f"{name}@{release.tag}",
                    "here": find_cached(release),
                    "size_mb": release.size_mb,
                    "from": f"{place}: {release.repository} at {release.revision[:8]}",
                }
            )
        if name in BUNDLED:
            rows.append({"set": name, "here": True, "size_mb": None, "from": "bundled"})
        elif not list_releases(name):
            rows.append(
                {"set": f"{name}:PATH", "here": True, "size_mb": None, "from": "your own file or folder"}
            )
    for name, plugin in list_set_plugins().items():
        taken = " (the name is taken: not used)" if name in SET_NAMES else ""
        rows.append({"set": name, "here": True, "size_mb": None, "from": f"{plugin.package}{taken}"})
    return rows


def _describe(problem: Problem) -> dict[str, Any]:
    return {
        "id": problem.id,
        "kind": problem.kind.value,
        "public": len(problem.public_tests),
        "hidden": len(problem.hidden_tests),
        "difficulty": problem.metadata.get("difficulty") or None,
        "date": problem.metadata.get("date") or None,
    }


def _print(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], about: dict[str, Any], *, as_json: bool
) -> None:
    if as_json:
        put_json(about)
        return
    lines = [columns, *([_show(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        put("  ".join(cells).rstrip())


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else escape_line(str(value))
