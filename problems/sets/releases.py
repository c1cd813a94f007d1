"""The published files of each set that can be named alone, pinned by commit and, where known, by SHA-256."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sstar_code.problems.errors import UserError
from sstar_code.problems.messages import suggest

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
_RELEASES: dict[str, tuple[Release, ...]] = {
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
