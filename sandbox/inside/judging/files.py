"""A judge's files: memory files of its own, whose paths are its arguments.

They come in one input behind a head of fixed length (`frames.pack_files` writes it). No more than that is
read here: a candidate in Python is a copy of this process and must not find in it what its judge alone sees.
"""

from __future__ import annotations

import os
from typing import Any

from sstar_code.sandbox.inside import run
from sstar_code.sandbox.inside.compiling import native
from sstar_code.sandbox.inside.frames import FILES, FILES_MAGIC, SIZE_DIGITS

TOLD = 1500
"""Bytes that are kept of a judge's standard error: the first, since its verdict begins with a word."""
_HEAD = len(FILES_MAGIC) + FILES * SIZE_DIGITS


def execute(state: run.SupervisorState, image: native.Image, limits: dict[str, Any]) -> run.End:
    """Run `image` with the paths of the files in its input as arguments, and nothing on standard input.

    Raises:
        OSError: as `native.execute`.
    """
    opened = open_files()
    for place, descriptor in enumerate(opened):
        os.dup2(descriptor, native.FIRST_FILE + place)
    try:
        end = native.execute(state, image, limits, name_files(), files=FILES)
        if os.fstat(2).st_size > TOLD:
            os.ftruncate(2, TOLD)
        return end
    finally:
        close(opened, range(native.FIRST_FILE, native.FIRST_FILE + FILES))


def execute_with_arguments(
    state: run.SupervisorState, image: native.Image, limits: dict[str, Any]
) -> run.End:
    """Run `image` with the lines of its input as arguments, and nothing on standard input.

    Raises:
        OSError: as `native.execute`.
    """
    lines = os.pread(0, os.fstat(0).st_size, 0).decode("utf-8", "replace").split("\n")
    os.ftruncate(0, 0)
    return native.execute(state, image, limits, tuple(line for line in lines if line))


def name_files() -> tuple[str, ...]:
    """The paths under which a run finds the files on its descriptors from `native.FIRST_FILE` on."""
    return tuple(f"/proc/self/fd/{native.FIRST_FILE + place}" for place in range(FILES))


def open_files() -> list[int]:
    """The files in the input on descriptor 0, which is empty from then on.

    An input without the head is the first of them, and the others are empty.
    """
    head = os.pread(0, _HEAD, 0)
    sizes = [os.fstat(0).st_size, *[0] * (FILES - 1)]
    place = 0
    if head.startswith(FILES_MAGIC):
        parts = [head[len(FILES_MAGIC) + number * SIZE_DIGITS :][:SIZE_DIGITS] for number in range(FILES)]
        (sizes, place) = ([int(part) for part in parts], _HEAD)
    opened = []
    for size in sizes:
        made = run.move_up(os.memfd_create("file")) or 0
        end = place + size
        while place < end:
            sent = os.sendfile(made, 0, place, end - place)
            if not sent:
                raise OSError(f"{end - place} bytes of a judge's files are missing")
            place += sent
        opened.append(made)
    os.ftruncate(0, 0)
    os.lseek(0, 0, os.SEEK_SET)
    return opened


def close(*several: Any) -> None:
    """Close the descriptors in each of `several`."""
    for descriptors in several:
        for descriptor in descriptors:
            os.close(descriptor)
