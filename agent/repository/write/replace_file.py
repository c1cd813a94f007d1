"""Writes a changed file so that whoever looks, whenever the machine stops, finds the old or the new one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.problems import InfrastructureError, UserError, files

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.source import Source

__all__ = ["replace_file", "write_changes"]


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
