"""The run folder: the manifest first, the store while running, exports and the summary last."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sstar_code.agent.models.scrub import scrub_values
from sstar_code.agent.run.bounds import read_own_json
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.lock import lock
from sstar_code.agent.run.store import Store
from sstar_code.problems import ProblemFileError, UserError
from sstar_code.problems.bounds import has_surrogate
from sstar_code.problems.errors import blame_path

if TYPE_CHECKING:
    from sstar_code.sandbox import Environment

MANIFEST = "manifest.json"
Kinds: TypeAlias = Mapping[str, Any]
"""Key of a JSON file -> the type of its value, see `check_kinds`."""


def default_folder(command: str, config: Mapping[str, Any]) -> Path:
    """Where a command without `--out` writes: the same command finds the same folder again."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:8]
    label = "".join(c if c.isalnum() or c in "+-." else "-" for c in str(config.get("label", "")))[:60]
    return Path("runs") / "-".join(part for part in (command, label, digest) if part)


def versions() -> dict[str, str]:
    """The versions of everything that decides a number."""
    return {
        "sstar": version("sstar-code"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "openai": version("openai"),
    }


def open_folder(folder: Path, manifest: Mapping[str, Any], *, fresh: bool) -> bool:
    """Make `folder` or go on in it; True where an earlier start is resumed.

    `manifest["config"]` decides whether a folder may be resumed: it holds what changes answers. A folder
    of another configuration is taken over where nothing came of it, as after a misspelt model.

    Raises:
        UserError: the folder belongs to a command with another configuration, or is no run folder, or there
            can be none at this place.
        InfrastructureError: the disk is full, fails or is read-only.
    """
    path = folder / MANIFEST
    try:
        if fresh and folder.exists():
            _move_away(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            now = json.loads(json.dumps(manifest["config"], default=str))
            changed = describe_changes(read_manifest(folder)["config"], now)
            if not changed:
                return True
            if not _is_barren(folder):
                raise UserError(
                    f"{folder}: made by another command ({changed}); use --fresh or another --out"
                )
        elif any(item.suffix != ".part" for item in folder.iterdir()):
            raise UserError(f"{folder}: not empty and not a run folder; name another with --out")
        rest = {name: value for name, value in manifest.items() if name != "config"}
        write_json(path, {"config": manifest["config"], **scrub_values({**rest, "command": sys.argv})})
    except OSError as error:
        place = f"{error.filename or folder}: {error.strerror}"
        raise blame_path(error, f"{place}; name another --out") from error
    return False


def drop_barren(folder: Path) -> None:
    """Remove the run folder of a start that came to nothing; it stays where it holds anything of use."""
    with suppress(OSError):
        if (folder / MANIFEST).exists() and not (folder / "vllm.log").exists() and _is_barren(folder):
            shutil.rmtree(folder)
            folder.parent.rmdir()  # fails, and rightly, where anything else is in it


def note_servers(folder: Path, servers: Sequence[Mapping[str, Any]]) -> None:
    """Add to the manifest of `folder` which servers answer; one that is there already is not added again.

    Raises:
        InfrastructureError: the manifest cannot be written.
    """
    path = folder / MANIFEST
    if not path.exists():
        return
    manifest = read_manifest(folder)
    known = manifest.setdefault("servers", [])
    new = [server for server in json.loads(json.dumps(servers, default=str)) if server not in known]
    if new:
        known += new
        write_json(path, manifest)


def note_adjustment(folder: Path, line: str) -> None:
    """Add to the manifest of `folder` what an endpoint did not take, since answers depend on it; once.

    Raises:
        UserError: the manifest is not ours.
        InfrastructureError: it cannot be written.
    """
    path = folder / MANIFEST
    if not path.exists():
        return
    manifest = read_manifest(folder)
    known = manifest.setdefault("adjustments", [])
    if line not in known:
        known.append(line)
        write_json(path, manifest)


def read_adjustments(folder: Path) -> list[str]:
    """What `note_adjustment` kept; empty also where there is no manifest of ours."""
    try:
        lines: list[str] = read_manifest(folder).get("adjustments", [])
    except UserError:
        return []
    return lines


def note_environment(folder: Path, environment: Environment) -> bool:
    """Put into the manifest of `folder` what programs find in the sandbox; True where it was something else.

    Raises:
        InfrastructureError: the manifest cannot be written.
    """
    path = folder / MANIFEST
    if not path.exists():
        return False
    manifest = read_manifest(folder)
    before, now = manifest.get("environment"), json.loads(json.dumps(asdict(environment)))
    for name in ("languages", "language"):  # none but Python, as before there were others
        if not now[name]:
            del now[name]
    if before != now:
        write_json(path, {**manifest, "environment": now})
    return before not in (None, now)


def _move_away(folder: Path) -> None:
    """Keep an earlier run beside the new one, unless it is still being written."""
    held = folder / "run.lock"
    with lock(held) if held.exists() else nullcontext():
        folder.rename(_free_name(folder))


def _free_name(folder: Path) -> Path:
    """The first name like `run.old-1` that is not taken: `--fresh` never deletes what was paid for."""
    number = 1
    while (name := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    return name


def _is_barren(folder: Path) -> bool:
    """Whether the folder holds no result and no answer that was paid for."""
    store = ("run.db", "run.db-wal", "run.db-shm", "run.lock", "vllm.log")
    if any(item.name not in (MANIFEST, *store) and item.suffix != ".part" for item in folder.iterdir()):
        return False
    if not (folder / "run.db").exists():
        return True
    with closing(Store(folder / "run.db")) as opened:
        return not opened.count_calls() and not opened.count_executions()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`; it has a `config`.

    Raises:
        UserError: there is none, or it is not ours.
    """
    path = folder / MANIFEST
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; name the --out of a run, `sstar runs` lists them")
    if not path.exists():
        raise UserError(f"{folder}: no run folder (it has no {MANIFEST}); name the --out of a run")
    try:
        manifest: dict[str, Any] = read_own_json(path)
        check_kinds(manifest, _MANIFEST)
        check_kinds(manifest["config"], _CONFIG)
        check_kinds(manifest.get("chosen") or {}, _CHOSEN)
        check_kinds(manifest.get("preset") or {}, _PRESET)
    except ProblemFileError as error:
        raise UserError(f"{error}; not a manifest of ours, name another --out") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not a manifest of ours; name another --out") from error
    if has_surrogate(manifest):
        raise UserError(
            f"{path}: holds half of a character, so it is no manifest of ours; name another --out"
        )
    return manifest


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of `sstar eval`.

    Raises:
        UserError: there is none, it is not ours, or another command wrote it.
    """
    manifest = read_manifest(folder)
    if not {"problems", "select", "n"} <= set(manifest["config"]):
        raise UserError(f"{folder}: not a run folder of `sstar eval`; name one of those")
    return manifest


def read_summary(folder: Path) -> dict[str, Any]:
    """The object in `summary.json` of `folder`; empty while the first start is going on."""
    try:
        summary = read_own_json(folder / "summary.json")
        check_kinds(summary, _SUMMARY)
    except (ProblemFileError, ValueError, TypeError, RecursionError):
        return {}
    return dict(summary)


_NONE = type(None)
_MANIFEST: Kinds = {
    "config": dict,
    "data": (str, _NONE),
    "servers": [dict],
    "adjustments": [str],
    "environment": (dict, _NONE),
    **dict.fromkeys(("chosen", "preset"), (dict, _NONE)),
}
_CONFIG: Kinds = {
    **dict.fromkeys(("label", "set", "select", "shard", "prompts"), (str, _NONE)),
    **dict.fromkeys(("n", "seed", "max_tokens", "rounds"), (int, str, _NONE)),
    "model": (str, _NONE),
    "problems": [str],
}
_CHOSEN: Kinds = {"filters": [str]}
_PRESET: Kinds = {"name": str, "source": str, "departures": [str]}
_SUMMARY: Kinds = {
    "seconds": (int, float),
    "failed": {"": str},
    "cost": {"": object},
    "server_load": (dict, _NONE),
}


def check_kinds(data: Any, kinds: Kinds) -> None:
    """See that `data` is an object whose known keys have values of `kinds`.

    `[kind]` is a list of such, `{"": kind}` an object whose values are such.

    Raises:
        TypeError: one has another.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{type(data).__name__} is no object")
    for name, kind in kinds.items():
        if name not in data:
            continue
        value, outer, inner = data[name], kind, object
        if isinstance(kind, list | dict):
            outer, inner = type(kind), kind[0] if isinstance(kind, list) else kind[""]
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if not isinstance(value, outer) or not all(isinstance(item, inner) for item in items):
            raise TypeError(f"{name!r} is of another type")


def describe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe in one line which keys of a configuration differ and how; empty where none does."""
    changed = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    return ", ".join(_describe_change(key, before.get(key), now.get(key)) for key in changed)


def _describe_change(key: str, before: Any, now: Any) -> str:
    """Name the key with both values, or what a long list lost and gained."""
    if not (isinstance(before, list) and isinstance(now, list)):
        return f"{key} was {before!r}, is {now!r}"
    parts = [
        f"{len(items)} {word} ({', '.join(map(str, items[:3]))}{', ...' if len(items) > 3 else ''})"
        for word, items in (
            ("left out", [item for item in before if item not in now]),
            ("added", [item for item in now if item not in before]),
        )
        if items
    ]
    what = " and ".join(parts) or "their order is another"
    return f"{key} were {len(before)}, are {len(now)}: {what}"
