"""Writes files so that a reader sees the old or the new one, never half, whenever the machine stops.

Nothing that writes follows a link in a file's own place, which somebody else may have put there (a shared
folder, a repository): what it leads to is not touched, and the error says that it is one. Links among the
folders above are followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def open_replacement(path: Path) -> Iterator[BinaryIO]:
    """A stream to a file beside `path` that is flushed to the disk and takes the place of `path` at the end.

    The mode of an old file is kept. Where the block raises, the old file stays and nothing else does.

    Raises:
        OSError: it cannot be written, or `path` is a link or no file; the old file is untouched.
    """
    mode = _find_mode(path)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with scratch.open("xb") as stream:
            yield stream
            stream.flush()
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # some file systems cannot flush a folder
        _flush_folder(path.parent)


def _find_mode(path: Path) -> int | None:
    """The mode of the file at `path`; None where nothing is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise _refusal(path, is_link=stat.S_ISLNK(mode))
    return stat.S_IMODE(mode)


def _refusal(path: Path, *, is_link: bool) -> OSError:
    what = "is a link; give the file that it leads to" if is_link else "is no regular file; give another name"
    return OSError(errno.ELOOP if is_link else errno.EINVAL, what, str(path))


def open_to_append(path: Path) -> int:
    """A descriptor that reads `path` anywhere and writes at its end; a file is made where there is none.

    Raises:
        OSError: it cannot be opened, or is a link or no file.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _refusal(path, is_link=error.errno == errno.ELOOP and path.is_symlink()) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):  # a device, like /dev/null, is nobody's trap
        os.close(descriptor)
        raise _refusal(path, is_link=False)
    return descriptor


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


def why_outside(folder: Path, file: Path) -> str | None:
    """Why `file` is no regular file of `folder`, links that end inside being followed; None where it is one.

    A folder may come from anybody, and a link in it may lead to any file of the reader's. In a snapshot of
    the Hugging Face hub's cache (`snapshots/REVISION`) every file is a link to one in `blobs`.
    """
    top = Path(os.path.realpath(folder))
    homes = [top, *([top.parent.parent / "blobs"] if top.parent.name == "snapshots" else [])]
    real = Path(os.path.realpath(file))
    if not any(real.is_relative_to(home) for home in homes):
        return f"is a link that leads out of {folder}; put a copy of the file in its place"
    try:
        is_file = stat.S_ISREG(real.lstat().st_mode)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if is_file else "is no regular file; take it out of the folder"
