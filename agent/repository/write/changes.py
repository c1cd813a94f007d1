"""Shows the changes of a file as a diff, and writes them.

Diffs are those that `git apply` and `patch` take, whatever the file's line ends and encoding are. A file is
written so that whoever looks, whenever the machine stops, finds the old or the new one.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.project_files import split_lines
from sstar_code.problems import InfrastructureError, UserError, files

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source

_CONTEXT_LINES = 3


def make_diff(before: Source, after: Source, root: Path) -> bytes:
    """The changes of the file, in its own encoding; empty where there are none."""
    name = before.path.relative_to(root).as_posix()
    found = difflib.unified_diff(
        _lines(before), _lines(after), f"a/{name}", f"b/{name}", lineterm="\n", n=_CONTEXT_LINES
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


def write_changes(before: Source, after: Source) -> None:
    """Put `after` in the place of `before`, unless the file has been changed since it was read.

    Raises:
        UserError: it has been.
        InfrastructureError: it cannot be written; the old file is untouched.
    """
    path = Path(os.path.realpath(before.path))
    try:
        now = path.read_bytes()
    except OSError as error:
        raise UserError(f"{before.path}: {error.strerror}; it was there a moment ago") from error
    if now != before.data:
        raise UserError(f"{before.path}: changed while it was being worked on; it is left alone, run again")
    replace_file(path, after.data)


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data`: a file beside it is written, flushed to the disk, and takes its name.

    Raises:
        InfrastructureError: it cannot be written; the old file is untouched.
    """
    try:
        files.replace_file(path, data)
    except OSError as error:
        raise InfrastructureError(
            f"{path}: not written ({error.strerror}); the old file is untouched"
        ) from error
