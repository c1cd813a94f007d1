"""The run folder: the manifest first, the store while running, exports and the summary last."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.store import Store, lock
from sstar_code.problems import InfrastructureError, UserError

MANIFEST = "manifest.json"


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
        UserError: the folder belongs to a command with another configuration, or is no run folder.
        InfrastructureError: it cannot be written.
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
        write_json(path, {**manifest, "command": sys.argv})
    except OSError as error:
        raise InfrastructureError(
            f"{error.filename or folder}: {error.strerror}; name another --out"
        ) from error
    return False


def note_servers(folder: Path, servers: Sequence[Mapping[str, Any]]) -> None:
    """Add to the manifest of `folder` which servers answer; one that is there already is not added again.

    Raises:
        InfrastructureError: the manifest cannot be written.
    """
    path = folder / MANIFEST
    if not path.exists():
        return
    manifest = json.loads(path.read_text(encoding="utf-8"))
    known = manifest.setdefault("servers", [])
    new = [server for server in json.loads(json.dumps(servers, default=str)) if server not in known]
    if new:
        known += new
        write_json(path, manifest)


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
        return next(opened.answers(), None) is None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`; it has a `config`.

    Raises:
        UserError: there is none, or it is not ours.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dict(manifest["config"])
    except FileNotFoundError as error:
        raise UserError(f"{folder}: no run folder (it has no {MANIFEST}); name the --out of a run") from error
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror}); name a run folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a manifest of ours; name another --out") from error
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
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


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
