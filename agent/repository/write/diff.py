"""Unified diffs that `git apply` and `patch` take, whatever the file's line ends and encoding are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.source import split_lines

if TYPE_CHECKING:
    from pathlib import Path

    from sstar_code.agent.repository.find.source import Source

__all__ = ["make_diff"]

_CONTEXT = 3


def make_diff(before: Source, after: Source, root: Path) -> bytes:
    """What changes in the file, in its own encoding; empty where nothing does."""
    name = before.path.relative_to(root).as_posix()
    found = difflib.unified_diff(
        _lines(before), _lines(after), f"a/{name}", f"b/{name}", lineterm="\n", n=_CONTEXT
    )
    text = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found
    )
    return text.encode(before.encoding if before.encoding != "utf-8-sig" else "utf-8")


def _lines(source: Source) -> list[str]:
    """Lines as git counts them: a lone carriage return ends none."""
    joined: list[str] = []
    for line in split_lines(source.text):
        if joined and not joined[-1].endswith("\n"):
            joined[-1] += line
        else:
            joined.append(line)
    if source.encoding == "utf-8-sig" and joined:
        joined[0] = "\ufeff" + joined[0]
    return joined
