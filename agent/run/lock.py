"""The lock of a run folder: one process works in it at a time."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from sstar_code.problems import InfrastructureError, UserError
from sstar_code.problems.files import open_to_append

_MOST_CHARS = 1000
"""Characters read of what is said of who holds a lock: the folder may be anybody's."""


class StoreError(InfrastructureError):
    """The store cannot be written (disk full, read-only folder, ...)."""


def lock(path: Path) -> TextIO:
    """Hold the file `path` until the result is closed; the kernel lets go of it however the process ends.

    Raises:
        UserError: another process holds it; the message says which, where and since when.
        StoreError: the file cannot be made.
    """
    try:
        file = os.fdopen(open_to_append(path), "a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: cannot write ({error.strerror}); name another --out") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = _read_holder(file)
        file.close()
        raise UserError(
            f"{path.parent}: another sstar is working in this folder{holder}; "
            "wait for it, stop it, or name another --out"
        ) from error
    _write_holder(file)
    return file


def _write_holder(file: TextIO) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": platform.node(), "since": since}
    try:
        file.truncate(0)
        file.write(json.dumps(holder) + "\n")
        file.flush()
    except OSError:  # a full disk: the lock holds all the same, only its holder stays unnamed
        os.ftruncate(file.fileno(), 0)


def _read_holder(file: TextIO) -> str:
    file.seek(0)
    try:
        holder = json.loads(file.read(_MOST_CHARS))
        return f" (process {holder['pid']} on {holder['host']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError, RecursionError):  # it has just begun, or its disk was full
        return ""
