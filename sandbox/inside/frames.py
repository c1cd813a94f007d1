"""Frames: two big-endian 4-byte lengths, a JSON object, raw bytes. Both directions, both sides.

Text of programs travels in the object; inputs and outputs travel raw, so nothing has to be escaped and
the inside can hand them on without ever decoding them. An input is a frame without an object.
"""

from __future__ import annotations

import json
from typing import Any

LARGEST = 1 << 30
"""Longest part of a frame that is believed, in bytes."""


def pack(head: dict[str, Any] | None, blob: bytes = b"") -> bytes:
    """One frame; None: without an object.

    Raises:
        ValueError: a part is longer than `LARGEST`.
    """
    text = json.dumps(head, separators=(",", ":")).encode("ascii") if head is not None else b""
    if max(len(text), len(blob)) > LARGEST:
        raise ValueError("a frame's part is longer than 1 GiB")
    return len(text).to_bytes(4, "big") + len(blob).to_bytes(4, "big") + text + blob


class Decoder:
    """Cuts a byte stream into frames, whatever pieces it arrives in."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[tuple[dict[str, Any], bytes]]:
        """Every frame that `data` completes.

        Raises:
            ValueError: the stream is not made of frames.
        """
        self._bytes += data
        found = []
        while len(self._bytes) >= 8:
            head_size = int.from_bytes(self._bytes[:4], "big")
            blob_size = int.from_bytes(self._bytes[4:8], "big")
            if max(head_size, blob_size) > LARGEST:
                raise ValueError("not a frame: a part would be longer than 1 GiB")
            end = 8 + head_size + blob_size
            if len(self._bytes) < end:
                break
            try:
                head = json.loads(self._bytes[8 : 8 + head_size])
            except RecursionError as error:
                raise ValueError("not a frame: its head is nested too deeply") from error
            if not isinstance(head, dict):
                raise ValueError("not a frame: its head is not an object")  # noqa: TRY004 - bad data, not a bad call
            found.append((head, bytes(self._bytes[8 + head_size : end])))
            del self._bytes[:end]
        return found


FILES_MAGIC = b"files "
FILES = 3
SIZE_DIGITS = 12


def pack_files(*texts: str) -> str:
    """The input of a run that is given files: `texts`, at most three; those that are missing are empty.

    A head of fixed length tells their sizes, so that `judging.files` reads no more than that.
    """
    whole = [*texts, *[""] * (FILES - len(texts))]
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in whole]
    return "".join([FILES_MAGIC.decode("ascii"), *(f"{size:0{SIZE_DIGITS}d}" for size in sizes), *whole])
