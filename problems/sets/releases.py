"""The published releases of sets, and how one is fetched.

What was fetched is kept, and used without the network. Every file is compared with its SHA-256 before it is
read: the pinned one, else the one that the hub names for it, else the one that the first download had.
`sets.lock.json` in the cache folder remembers what was compared: gigabytes are not read again at every start.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sstar_code.problems.errors import InfrastructureError, UserError, suggest
from sstar_code.problems.files import open_replacement, write_text

_LCB_TAG = re.compile(r"release_v(?P<all>[1-6])|v(?P<first>[1-6])(?:_v(?P<last>[1-6]))?")


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """One file of a release."""

    name: str
    """Path inside its repository."""
    sha256: str | None
    """None where no checksum was known when this was written: then the first download's is kept."""
    size_mb: int


@dataclass(frozen=True, slots=True)
class Release:
    """A published state of a set."""

    tag: str
    repository: str
    """`owner/name`."""
    revision: str
    """Full commit hash."""
    files: tuple[ReleasedFile, ...]
    on_hub: bool = True
    """A data set of the Hugging Face hub; else a repository of github.com."""

    @property
    def size_mb(self) -> int:
        """Size of the download, in megabytes."""
        return sum(file.size_mb for file in self.files)


_LCB_SHARDS = (
    ReleasedFile("test.jsonl", "2bd02b38beb48e8c46b5b9987095d999ff38cd8efc255ea5d58974317c48f63f", 1253),
    ReleasedFile("test2.jsonl", "095df7c5daf15f882c51a9deb84085cff1e073495a5dbcf95015a564d485f3a3", 713),
    ReleasedFile("test3.jsonl", "28ed26cc83363ce3f1fe2d5fad9f8393077beb1907b167a31bd3b32f80801b79", 623),
    ReleasedFile("test4.jsonl", "d711138ddaebfcf5f8ec6a4283ee677298c0f5c5d374a235af92aaf0584510da", 1205),
    ReleasedFile("test5.jsonl", "7f77571c2a6df0c2a72a3277650309f67e01e0008e18117e624633df53f81214", 558),
    ReleasedFile("test6.jsonl", "bb4c364f71921c4495a6ad15abe1a927350b720009f4933e2e71f8af0f6fd1f5", 134),
)


def _lcb(tag: str, first: int, last: int) -> Release:
    return Release(
        tag,
        "livecodebench/code_generation_lite",
        "0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
        _LCB_SHARDS[first - 1 : last],
    )


def _hub(tag: str, place: tuple[str, str], name: str, sha256: str | None, size_mb: int) -> Release:
    return Release(tag, *place, (ReleasedFile(name, sha256, size_mb),))


def _github(tag: str, repository: str, revision: str, name: str, sha256: str) -> Release:
    return Release(tag, repository, revision, (ReleasedFile(name, sha256, 1),), on_hub=False)


_APPS = ("codeparrot/apps", "21e74ddf8de1a21436da12e3e653065c5213e9d1")
_CODECONTESTS = ("deepmind/code_contests", "802411c3010cb00d1b05bad57ca77365a3c699d6")
_CRUXEVAL = (
    _github(
        "v1",
        "facebookresearch/cruxeval",
        "190faf16d175b5847b0af05d937872b1fb395942",
        "data/cruxeval.jsonl",
        "8368b81047dc5014e4caf5a2f97604eff7644e0ecd7415e3ceeb184bbc2e0c96",
    ),
)
_RELEASES: dict[str, tuple[Release, ...]] = {
    "cruxeval-o": _CRUXEVAL,
    "cruxeval-i": _CRUXEVAL,
    "lcb": tuple(_lcb(f"release_v{last}", 1, last) for last in range(6, 0, -1)),
    "humaneval": (
        _github(
            "v1",
            "openai/human-eval",
            "6d43fb980f9fee3c892a914eda09951f772ad10d",
            "data/HumanEval.jsonl.gz",
            "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
        ),
    ),
    "humaneval+": (
        _github(
            "v0.1.10",
            "evalplus/humanevalplus_release",
            "200defce9e3429d28ca215b6dd061c0f7f31c18b",
            "HumanEvalPlus.jsonl.gz",
            "272720b90ac375502c8ed23cd791c2a93dfb22a911641a494da74a426c09f101",
        ),
    ),
    "mbpp": (
        _github(
            "v1",
            "google-research/google-research",
            "f82046ba5aabbbb427dbfd38a254d26bff08b533",
            "mbpp/mbpp.jsonl",
            "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
        ),
    ),
    "mbpp+": (
        _github(
            "v0.2.0",
            "evalplus/mbppplus_release",
            "dadf43da556a00f7bacd71cb154f2932757d9144",
            "MbppPlus-OriginFmt.jsonl.gz",
            "7a5aec547b134fa297ee6c45f829298aa3f58de02547b8d8a5c3d85d9cb10efc",
        ),
    ),
    "apps": (
        _hub("test", _APPS, "test.jsonl", None, 1293),
        _hub(
            "train",
            _APPS,
            "train.jsonl",
            "45e82ef22ed8e7c0c04d881a21b923e9dd233157896b0b8d5b3493e887499cae",
            107,
        ),
    ),
    "codecontests": (
        _hub(
            "test",
            _CODECONTESTS,
            "data/test-00000-of-00001-9c49eeff30aacaa8.parquet",
            "aa426cbdb202bf8703b658bcb31fd1878ca7cfd33ca07d3b703dc94ca6a2b651",
            63,
        ),
        _hub(
            "valid",
            _CODECONTESTS,
            "data/valid-00000-of-00001-5e672c5751f060d3.parquet",
            "02e8c1ccedae716f1e43cc813fcb7823c3db666ea92638820aba80e8cef451ab",
            52,
        ),
    ),
}


def list_releases(name: str) -> tuple[Release, ...]:
    """The releases of a set, the one that NAME alone means first; none for a set that is not published."""
    return _RELEASES.get(name, ())


def find_release(name: str, tag: str | None) -> Release:
    """The release of set `name` with this tag; without a tag the first of `list_releases`.

    LiveCodeBench's tags are those of its own loader: `release_v3` is everything up to the third file, `v3`
    the third file alone, `v2_v4` the second to the fourth.

    Raises:
        UserError: the set has no such release, or none at all.
    """
    known = list_releases(name)
    if not known:
        raise UserError(f"set {name!r} is published nowhere that is known here: give {name}:PATH")
    if tag is None:
        return known[0]
    for release in known:
        if release.tag == tag:
            return release
    shards = _LCB_TAG.fullmatch(tag) if name == "lcb" else None
    if shards and shards["first"]:
        first, last = int(shards["first"]), int(shards["last"] or shards["first"])
        if first <= last:
            return _lcb(tag, first, last)
    tags = [release.tag for release in known]
    hint = suggest(tag, tags)
    more = ", single files v1 to v6, or a range like v4_v6" if name == "lcb" else ""
    raise UserError(f"set {name!r} has no release {tag!r}{hint}; there are {', '.join(tags)}{more}")


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


def find_missing(spec: str) -> Release | None:
    """The release that the set `spec` has to be fetched of; None where it is here, or is no published set.

    Raises:
        UserError: the set has no such release.
    """
    name, mark, tag = spec.partition("@")
    if ":" in spec or not list_releases(name):
        return None
    release = find_release(name, tag if mark else None)
    return None if find_cached(release) else release


def _from_hub(name: str, release: Release, file: ReleasedFile) -> Path:
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise UserError(
            f"set {name!r} alone is fetched from the hub: pip install 'huggingface_hub>=1.0', "
            f"or give {name}:PATH"
        ) from error
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)  # a line or two for each try would hide what is said at the end
    try:
        return Path(
            hub.hf_hub_download(release.repository, file.name, revision=release.revision, repo_type="dataset")
        )
    except (OSError, ValueError) as error:
        raise _failed(name, f"{release.repository}/{file.name} from the hub", error) from error
    finally:
        log.setLevel(level)


def _github_path(release: Release, file: ReleasedFile) -> Path:
    return _cache_folder() / "sets" / release.repository / release.revision[:12] / Path(file.name).name


def _from_github(name: str, release: Release, file: ReleasedFile) -> Path:
    import urllib.request

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
