"""`sstar ls`: the sets there are, or the problems of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sstar_code.agent.cli.build import load_problems, put_json
from sstar_code.agent.cli.display.table import put_table
from sstar_code.agent.cli.grouped import grouped
from sstar_code.agent.cli.options import DataOptions
from sstar_code.agent.cli.options.arguments import JsonOpt

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
        _print(sets, _SET_COLUMNS, {"sets": [_join_revision(row) for row in sets]}, as_json=json_)
        return 0
    whole, chosen = load_problems(problem_set, data, runs=False, judges=True)
    rows = [_describe(problem) for problem in chosen]
    about = {"set": whole.name, "path": str(whole.path), "revision": whole.revision, "problems": rows}
    _print(rows, _PROBLEM_COLUMNS, about, as_json=json_)
    return 0


_SET_COLUMNS = ("set", "here", "size_mb", "from", "revision")
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
                    "from": f"{place}: {release.repository}",
                    "revision": release.revision[:8],
                }
            )
        if name in BUNDLED:
            rows.append(_own(name, "bundled"))
        elif not list_releases(name):
            rows.append(_own(f"{name}:PATH", "your own file or folder"))
    for name, plugin in list_set_plugins().items():
        taken = " (the name is taken: not used)" if name in SET_NAMES else ""
        rows.append(_own(name, f"{plugin.package}{taken}"))
    return rows


def _join_revision(row: dict[str, Any]) -> dict[str, Any]:
    """The row as JSON has it: one field tells where a set is from."""
    place = row["from"] if row["revision"] is None else f"{row['from']} at {row['revision']}"
    return {"set": row["set"], "here": row["here"], "size_mb": row["size_mb"], "from": place}


def _own(name: str, place: str) -> dict[str, Any]:
    """The row of a set that needs no release."""
    return {"set": name, "here": True, "size_mb": None, "from": place, "revision": None}


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
    put_table(
        columns,
        [[_show(row[column]) for column in columns] for row in rows],
        right=("size_mb", "public", "hidden"),
        spare="revision" if "revision" in columns else "",
    )


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
