"""Which command wrote a run folder, and over what: read off its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.run.folder import read_manifest
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = {
    "grade": {"problems", "samples", "all_tests"},
    "select": {"problems", "samples", "select"},
    "eval": {"problems", "select", "n"},
    "solve": {"problem", "select", "n"},
}
"""Command -> keys that only its configuration has together."""


def find_kind(config: Mapping[str, Any]) -> str | None:
    """The command of this configuration: `eval`, `solve`, `select` or `grade`; None for another one."""
    return next((kind for kind, keys in _MARKS.items() if keys <= set(config)), None)


def read_run(folder: Path) -> tuple[str, dict[str, Any]]:
    """The kind of a run folder and its manifest.

    Raises:
        UserError: it is no run folder, or of another command.
    """
    manifest = read_manifest(folder)
    kind = find_kind(manifest["config"])
    if kind is None:
        raise UserError(f"{folder}: not a run folder of eval, solve, select or grade; name one of those")
    return kind, manifest


def name_rate(samples: Path) -> dict[str, str]:
    """What the rate of `samples` is, as keys for a configuration: empty for answers of a model (pass@k).

    `{"rate": "selected", "select": METHOD}` for the file in which a run keeps what it chose, and
    `{"rate": "debugged"}` for its candidates after repairs: pass@1 is the name of first answers alone.
    """
    try:
        kind, manifest = read_run(samples.parent)
    except UserError:
        return {}
    config = manifest["config"]
    if kind in ("eval", "select") and samples.name in ("samples.jsonl", "lcb.json"):
        return {"rate": "selected", "select": str(config["select"])}
    is_repaired = kind == "eval" and samples.name == "candidates.jsonl" and config.get("rounds")
    return {"rate": "debugged"} if is_repaired else {}


def name_set(manifest: Mapping[str, Any]) -> str:
    """The problem set of a run; of `solve` the id of its problem."""
    config = manifest["config"]
    label = str(config.get("label", ""))
    if "problem" in config:
        return label
    if "set_name" in manifest:
        return str(manifest["set_name"])
    for ending in (config.get("model"), config.get("select")):  # as older versions wrote the label
        label = label.removesuffix(f"-{ending}")
    return label


def find_runs(folder: Path, *, depth: int = 2) -> Iterator[Path]:
    """The run folders in `folder`, itself among them, down to `depth` folders below; in order of their names.

    A folder inside a run folder is not looked at.
    """
    if (folder / "manifest.json").is_file():
        yield folder
    elif depth >= 0 and folder.is_dir():
        for item in sorted(folder.iterdir()):
            if item.is_dir() and not item.name.startswith("."):
                yield from find_runs(item, depth=depth - 1)
