"""Fetches a pinned release of a problem set from the Hugging Face hub (extra `hub`)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from problems.errors import InfrastructureError, UserError

__all__ = ["download_set"]


@dataclass(frozen=True, slots=True)
class _Release:
    repository: str
    revision: str
    files: str
    """Pattern of the files that make the set."""


_RELEASES = {
    "lcb": _Release(
        "livecodebench/code_generation_lite", "0fe84c3912ea0c4d4a78037083943e8f0c4dd505", "test*.jsonl"
    ),
}
_ELSEWHERE = {
    "humaneval": "data/HumanEval.jsonl.gz of github.com/openai/human-eval",
    "humaneval+": "HumanEvalPlus.jsonl.gz of a release of github.com/evalplus/humanevalplus_release",
    "mbpp": "mbpp/mbpp.jsonl of github.com/google-research/google-research",
    "mbpp+": "MbppPlus.jsonl.gz of a release of github.com/evalplus/mbppplus_release",
    "apps": "the test split of APPS, github.com/hendrycks/apps, as JSON Lines",
    "codecontests": "the test split of CodeContests, github.com/google-deepmind/code_contests, as JSON Lines",
}


def download_set(name: str) -> Path:
    """The folder with the files of the pinned release, fetched once and kept in the hub's own cache.

    Raises:
        UserError: the set is not fetched by name, or the extra `hub` is not installed.
        InfrastructureError: the hub cannot be reached.
    """
    release = _RELEASES.get(name)
    if release is None:
        where = f"; download {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
        raise UserError(f"set {name!r} needs a file: give {name}:PATH{where}")
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise UserError(
            f"set {name!r} alone is fetched from the hub: pip install 'sstar[hub]', or give {name}:PATH"
        ) from error
    try:
        folder = hub.snapshot_download(
            release.repository,
            repo_type="dataset",
            revision=release.revision,
            allow_patterns=[release.files],
        )
    except (OSError, ValueError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise InfrastructureError(f"cannot fetch {release.repository} from the hub: {first_line}") from error
    return Path(folder)
