"""Fetches the pinned release of a problem set: from the Hugging Face hub (extra `hub`) or from GitHub.

What was fetched is kept, and used without the network. Every file is compared with its SHA-256 before it is
read: the pinned one, else the one that the hub names for it, else the one that the first download had.
`sets.lock.json` in the cache folder remembers what was compared: gigabytes are not read again at every start.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.problems.errors import InfrastructureError, UserError
from sstar_code.problems.files import open_replacement, write_text

if TYPE_CHECKING:
    from sstar_code.problems.sets.releases import Release, ReleasedFile

_GITHUB = "https://raw.githubusercontent.com"
_TIMEOUT_S = 60.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file of a release on this machine."""

    path: Path
    sha256: str


def _cache_folder() -> Path:
    """Where files from GitHub and the lock lie: `sstar` under XDG_CACHE_HOME, else under ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "sstar"


def fetch_release(name: str, release: Release) -> list[Fetched]:
    """The files of `release`, in its order; only what is not kept here is fetched.

    Raises:
        UserError: the extra `hub` is not installed.
        InfrastructureError: the network, the file or the disk failed, or a file is not the published one.
    """
    get = _from_hub if release.on_hub else _from_github
    return [_verify(name, release, file, get(name, release, file)) for file in release.files]


def find_cached(release: Release) -> bool:
    """Whether every file of `release` is kept here; no network is used."""
    if not release.on_hub:
        return all(_github_path(release, file).exists() for file in release.files)
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError:
        return False
    return all(
        isinstance(
            hub.try_to_load_from_cache(
                release.repository, file.name, revision=release.revision, repo_type="dataset"
            ),
            str,
        )
        for file in release.files
    )


def _from_hub(name: str, release: Release, file: ReleasedFile) -> Path:
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise UserError(
            f"set {name!r} alone is fetched from the hub: pip install 'huggingface_hub>=1.0', "
            f"or give {name}:PATH"
        ) from error
    try:
        return Path(
            hub.hf_hub_download(release.repository, file.name, revision=release.revision, repo_type="dataset")
        )
    except (OSError, ValueError) as error:
        raise _failed(name, f"{release.repository}/{file.name} from the hub", error) from error


def _github_path(release: Release, file: ReleasedFile) -> Path:
    return _cache_folder() / "sets" / release.repository / release.revision[:12] / Path(file.name).name


def _from_github(name: str, release: Release, file: ReleasedFile) -> Path:
    path = _github_path(release, file)
    if path.exists():
        return path
    url = f"{_GITHUB}/{release.repository}/{release.revision}/{file.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, open_replacement(path) as stream:  # noqa: S310 - https
            shutil.copyfileobj(answer, stream)
    except OSError as error:
        raise _failed(name, url, error) from error
    return path


def _failed(name: str, what: str, error: Exception) -> InfrastructureError:
    causes = list(_causes(error))
    first_line = next((line for cause in causes for line in str(cause).splitlines() if line), "no answer")
    return InfrastructureError(
        f"cannot fetch {what}: {first_line.rstrip('.')}; where the file is here already, give {name}:PATH"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The innermost first: it names the fault, the outer ones only what was tried."""
    if error is not None:
        yield from _causes(error.__cause__ or error.__context__)
        yield error


def _verify(name: str, release: Release, file: ReleasedFile, path: Path) -> Fetched:
    key = f"{release.repository}@{release.revision}/{file.name}"
    try:
        state = path.stat()
        seen = _read_lock().get(key, {})
        stamp = {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
        if seen.items() >= stamp.items() and seen["sha256"] == (file.sha256 or seen["sha256"]):
            return Fetched(path, seen["sha256"])
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        blob = path.resolve().name  # the hub's client names a large file's blob by the hash the hub gave
        expected = file.sha256 or seen.get("sha256") or (blob if _SHA256.fullmatch(blob) else found)
        if found != expected:
            raise InfrastructureError(
                f"{path}: SHA-256 {found[:12]}... is not that of {name} {release.tag} ({expected[:12]}...); "
                "delete the file and run the command again"
            )
        _write_lock(key, {"set": name, "release": release.tag, "sha256": found, **stamp})
    except OSError as error:
        raise InfrastructureError(f"{error.filename or path}: {error.strerror or error}") from error
    return Fetched(path, found)


def _lock_path() -> Path:
    return _cache_folder() / "sets.lock.json"


def _read_lock() -> dict[str, dict[str, Any]]:
    try:
        lock: dict[str, dict[str, Any]] = json.loads(_lock_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return lock


def _write_lock(key: str, entry: dict[str, Any]) -> None:
    path = _lock_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(_read_lock() | {key: entry}, indent=1, sort_keys=True) + "\n")
