"""Writes files so that a reader sees the old or the new one, never half, whenever the machine stops."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def open_replacement(path: Path) -> Iterator[BinaryIO]:
    """A stream to a file beside `path` that is flushed to the disk and takes the place of `path` at the end.

    The mode of an old file is kept. Where the block raises, the old file stays and nothing else does.

    Raises:
        OSError: it cannot be written; the old file is untouched.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with scratch.open("xb") as stream:
            yield stream
            stream.flush()
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(stream.fileno(), path.stat().st_mode & 0o7777)
            os.fsync(stream.fileno())
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # some file systems cannot flush a folder
        _flush_folder(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data`, as `open_replacement` does.

    Raises:
        OSError: it cannot be written; the old file is untouched.
    """
    with open_replacement(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Give `path` the content `text` in UTF-8, as `open_replacement` does.

    Raises:
        OSError: it cannot be written; the old file is untouched.
    """
    replace_file(path, text.encode("utf-8"))


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
