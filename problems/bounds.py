"""Bounds on what a data file may make of this machine, and the readers that keep them.

A small file can ask for much: packed data, nested lists, numbers that stand for sizes. Whatever is read goes
through here, is measured before memory is taken for it, and costs time that is linear in its size.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from sstar_code.problems.errors import ProblemFileError, UserError
from sstar_code.problems.values import load_json

MIB = 1 << 20
ROW_MB = 256
"""Memory that one row, or one file that is read as a whole, may take: text and values together."""
ROW_VARIABLE = "SSTAR_ROW_MB"
"""The environment variable that sets another number than `ROW_MB`."""
MAX_DEPTH = 200
"""Lists and objects inside each other."""
MAX_ROWS = 1_000_000
"""Rows of a file, or files of a folder."""
MAX_TEXT = 16 * MIB
"""Bytes of a text that is read as a whole: a statement with pictures in it, a template."""
FREE_BYTES = 64 * MIB
"""Packed data may always unpack to as much; what is more has to be in proportion to what is stored."""
MAX_RATIO = 16
"""Times its size that packed data may unpack to beyond that: text is packed to a third, or to a tenth."""
_LIST_BYTES, _ITEM_BYTES, _TEXT_BYTES, _OBJECT_BYTES, _KEY_BYTES = 72, 40, 64, 200, 140
"""Memory for an empty list, an item in its place, a text without its characters, an object, its next key."""
_LEAST_WORTH = 40
"""Bytes of memory for a byte of JSON at most: both the text and its values."""
_CHUNK = MIB
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_FILLED = re.compile(rb"[^ \t\r\n\f\v]")
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_REST_OF_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_MOST_PARTS = 100
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.){0,200}+"|'[^'\n]{0,200}+')"""
_LONG_NAME = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MOST_PARTS}}}")
_FOUR = re.compile(rb"[\xf0-\xff]")
_HALF = re.compile(rb"\\u[dD]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def row_bytes() -> int:
    """Bytes of memory that one row may take: `ROW_MB`, or what the environment says.

    Raises:
        UserError: the variable is no number of megabytes.
    """
    text = os.environ.get(ROW_VARIABLE, "")
    if not text:
        return ROW_MB * MIB
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 9):
        raise UserError(f"{ROW_VARIABLE}={text[:40]!r} is not a number of megabytes")
    return int(text) * MIB


def unpacked_bytes(stored: int) -> int:
    """Bytes to which `stored` bytes of packed data may unpack."""
    return FREE_BYTES + MAX_RATIO * stored


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """A regular file to read; a pipe or a device, which may never end or cannot be read twice, is refused.

    Raises:
        ProblemFileError: it is none, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - the descriptor is what was looked at
            state = os.fstat(descriptor)
            if stat.S_ISDIR(state.st_mode):
                raise ProblemFileError(path, None, "cannot be read: Is a directory")
            if not stat.S_ISREG(state.st_mode):
                raise ProblemFileError(path, None, "is a pipe or a device; write it to a file and name that")
            if state.st_size > FREE_BYTES and state.st_blocks * 512 * 100 < state.st_size:
                raise ProblemFileError(path, None, "is a sparse file, almost all of it holes; give the data")
            yield stream
    except OSError as error:
        raise ProblemFileError(path, None, f"cannot be read: {error.strerror or error}") from error


def hash_bytes(path: Path, digest: Any) -> None:
    """Feed the content of a file to `digest`, a hash object.

    Raises:
        ProblemFileError: it cannot be read.
    """
    with open_file(path) as stream:
        while data := stream.read(_CHUNK):
            digest.update(data)


def hash_file(path: Path) -> str:
    """The first 16 hex digits of the file's SHA-256: its revision in a manifest.

    Raises:
        ProblemFileError: it cannot be read.
    """
    digest = hashlib.sha256()
    hash_bytes(path, digest)
    return digest.hexdigest()[:16]


def read_text(path: Path, limit: int = MAX_TEXT) -> str:
    """The text of a file of at most `limit` bytes.

    Raises:
        ProblemFileError: it cannot be read, is longer or is not UTF-8.
    """
    with open_file(path) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ProblemFileError(
            path, None, f"is longer than {_show(limit)}, the most that is read of such a file"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProblemFileError(path, None, "is not UTF-8 text; save it as UTF-8") from error


def read_json(path: Path) -> Any:
    """The value in a file of JSON that one row's memory is enough for.

    Raises:
        ProblemFileError: it cannot be read, is longer or is not JSON.
    """
    try:
        return parse_json(read_text(path, row_bytes() // 2))
    except ValueError as error:
        raise ProblemFileError(path, None, f"is not JSON: {error}") from error


@dataclass(slots=True)
class Line:
    """A line that is not blank."""

    number: int
    """1-based."""
    data: bytes
    """From its first to its last byte that is not blank."""
    span: tuple[int, int] | None
    """First byte and number of bytes in a plain file; None in a packed one."""


class LineReader:
    """The lines of an open file, plain or gzip, that are not blank."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        """Read `stream`, what is in the file at `path`, from its beginning."""
        self._path = path
        self._limit = row_bytes() // 2  # parsing makes text of the bytes, and values of the text
        self._packed = isinstance(stream, io.BufferedReader) and stream.peek(2)[:2] == _GZIP_MAGIC
        self._stored = os.fstat(stream.fileno()).st_size if self._packed else 0
        self._stream = cast("BinaryIO", gzip.open(stream)) if self._packed else stream  # noqa: SIM115
        self._count = 0
        """Bytes read."""
        self._rest = b""
        """Bytes read, and not yet given as a line."""

    @property
    def is_last(self) -> bool:
        """Whether the line that was given last is the last of the file, and has no end."""
        return not self._rest and not self._read()

    def __iter__(self) -> Iterator[Line]:
        number, place = 1, 0
        data = self._read().removeprefix(_BOM)
        start = self._count - len(data)
        while data:
            filled = _FILLED.search(data, place)
            if filled is None:
                number += data.count(b"\n", place)
                start, data, place = self._count, self._read(), 0
                continue
            number += data.count(b"\n", place, filled.start())
            place = filled.start()
            end = data.find(b"\n", place)
            if end < 0:
                start, data, place = start + place, self._complete(data[place:], number), 0
                end = data.find(b"\n")
                end = len(data) if end < 0 else end
            self._rest = data[end:]
            span = None if self._packed else (start + place, end - place)
            yield Line(number, data[place:end].rstrip(), span)
            if not self._rest:
                start, data, place = self._count, self._read(), 0
            else:
                place = end

    def read_on(self, line: Line) -> bytes:
        """`line`, the last that was given, with all that follows it in the file; iteration ends with it.

        Raises:
            ProblemFileError: that is more than one row may take.
        """
        pieces = [line.data, self._rest]
        size = len(line.data) + len(self._rest)
        self._rest = b""
        while data := self._read():
            size += len(data)
            if size > self._limit:
                raise ProblemFileError(
                    self._path,
                    line.number,
                    f"is longer than {_show(self._limit)} and read as a whole; give JSON Lines",
                )
            pieces.append(data)
        return b"".join(pieces)

    def _complete(self, data: bytes, number: int) -> bytes:
        """`data`, the beginning of a line, and what is read up to its end."""
        pieces = [data]
        size = len(data)
        while b"\n" not in data and (data := self._read()):
            pieces.append(data)
            size += len(data)
            if size > self._limit + _CHUNK:
                raise ProblemFileError(
                    self._path,
                    number,
                    f"the line is longer than {_show(self._limit)}; "
                    f"{ROW_VARIABLE}=MEGABYTES allows more memory than {2 * self._limit // MIB} for a row",
                )
        return b"".join(pieces)

    def _read(self) -> bytes:
        try:
            data = self._stream.read(_CHUNK)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ProblemFileError(self._path, None, f"damaged gzip file: {error}") from error
        self._count += len(data)
        if self._packed and self._count > unpacked_bytes(self._stored):
            raise ProblemFileError(
                self._path,
                None,
                f"unpacks to more than {_show(unpacked_bytes(self._stored))}, too much for its size; "
                "unpack it first",
            )
        return data


def parse_json(data: bytes | str, *, unique: bool = False) -> Any:
    """The value of JSON text that is no larger and no deeper than the bounds.

    With `unique` an object that has a key twice is refused, and so is an integer that Python does not read.

    Raises:
        ValueError: it is not JSON (then a JSONDecodeError), or beyond a bound; the words say which.
        UnicodeDecodeError: it is not UTF-8.
    """
    check_json(data)
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    try:
        value = json.loads(text, object_pairs_hook=_make_object) if unique else load_json(text)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from error
    check_depth(value)
    return value


def check_json(data: bytes | str) -> None:
    """Refuse JSON text whose value would take more memory than a row may.

    Raises:
        ValueError: it would; the words say what to do.
    """
    limit = row_bytes()
    if len(data) * _LEAST_WORTH <= limit:
        return
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    cost, place = len(raw) * _width(raw), 0
    while place < len(raw) and cost <= limit:
        end = _find_end(raw, place)
        if end is None:  # a text without end: the parser says where
            break
        cost += _weigh(raw[place:end])
        place = end
    if cost > limit:
        raise ValueError(
            f"it takes more than {_show(limit)} of memory when it is read; "
            f"{ROW_VARIABLE}=MEGABYTES allows more for a row"
        )


def _find_end(raw: bytes, place: int) -> int | None:
    """Where about `_CHUNK` bytes from `place` end that hold whole texts; None where the last has no end.

    Not one pattern: a possessive group that ends within an alternative goes wrong before Python 3.11.5.
    """
    bare = _ESCAPE.sub(b"", raw[place : place + _CHUNK])
    end = min(place + _CHUNK, len(raw)) - bare.endswith(b"\\")
    if bare.count(b'"') % 2 == 0:
        return end if end > place else len(raw)
    rest = _REST_OF_TEXT.match(raw, end)
    return rest.end() if rest else None


def _weigh(piece: bytes) -> int:
    """Bytes of memory for the values in whole tokens of JSON."""
    bare, texts = _TEXT.subn(b"", piece)
    width = 4 if _HALF.search(piece) else 2 if _width(piece) == 1 and b"\\u" in piece else _width(piece)
    return (
        (len(piece) - len(bare)) * width
        + texts * _TEXT_BYTES
        + bare.count(b",") * _ITEM_BYTES
        + bare.count(b"[") * _LIST_BYTES
        + bare.count(b"{") * _OBJECT_BYTES
        + bare.count(b":") * _KEY_BYTES
    )


def _width(data: bytes) -> int:
    """Bytes for a character in the text that `data`, UTF-8, is."""
    return 1 if data.isascii() else 4 if _FOUR.search(data) else 2


def parse_toml(text: str) -> dict[str, Any]:
    """The table that the TOML `text` holds.

    Raises:
        ValueError: it is no TOML, or has what the parser takes more than linear time for.
    """
    if _LONG_NAME.search(text):
        raise ValueError(f"a name of more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_depth(value: Any) -> None:
    """Refuse a value of JSON that is nested deeper than `MAX_DEPTH`.

    Raises:
        ValueError: it is.
    """
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = (
            [
                inner
                for item in level
                for inner in (item.values() if type(item) is dict else item)
                if type(inner) is dict or type(inner) is list
            ]
            if type(value) in (dict, list)
            else []
        )
        if not level:
            return
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {key[:60]!r} is given twice in one object")
    return made


_HOLD_TEXT = frozenset({str, dict, list})


def has_surrogate(value: Any) -> bool:
    """Whether a text in a value of JSON holds half of a character, which no file can be written with."""
    if isinstance(value, str):
        return not value.isascii() and _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(has_surrogate(key) or has_surrogate(item) for key, item in value.items())
    # Numbers, of which there may be millions, cost no call.
    return isinstance(value, list) and any(has_surrogate(item) for item in value if type(item) in _HOLD_TEXT)


def _show(size: int) -> str:
    return f"{size // MIB} MB"
