"""The recordings that come with the package: `replay:NAME` answers for the bundled set NAME."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from sstar_code.problems.sets.load import BUNDLED


def find_recording(spec: str) -> Path | None:
    """The recording that `replay:NAME` means; None where NAME is no bundled set, or a file is called so."""
    kind, _, name = spec.partition(":")
    if kind != "replay" or name not in BUNDLED or Path(name).is_file():
        return None
    return Path(str(resources.files("sstar_code.problems") / "bundled" / name / "calls.jsonl.gz"))


def describe_recording(recording: Path) -> str:
    """Who gave the answers of a bundled recording and what they prove, in one line."""
    about = json.loads(recording.with_name("recording.json").read_text(encoding="utf-8"))
    return str(about["answers"])
