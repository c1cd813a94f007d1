"""Makes data files that would eat the machine if their readers let them."""

from __future__ import annotations

import gzip
import json
import os
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20


def _repeat(block: bytes, times: int, head: bytes = b"", tail: bytes = b"") -> bytes:
    """Gzip data that unpacks to `head`, `block` again and again, `tail`: a member each, packed once."""
    return gzip.compress(head) + gzip.compress(block) * times + gzip.compress(tail)


def _nest(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "1" + closing * depth


def list_contents(row: dict[str, object], key: str) -> dict[str, Callable[[], bytes]]:
    """Contents of files by name; `row` is a row that its reader takes, `key` one of its keys."""

    def with_value(text: str) -> bytes:
        """The row with the JSON `text` as one more value."""
        return (json.dumps(row)[:-1] + f", {json.dumps(key)}: {text}}}\n").encode()

    def without(text: str) -> bytes:
        return (json.dumps({name: item for name, item in row.items() if name != key})[:-1] + text).encode()

    start = json.dumps(row)[:-1].encode()
    head = start + b', "padding": "'
    line = json.dumps(row).encode() + b"\n"
    plain: dict[str, Callable[[], bytes]] = {
        "zeros": lambda: b"\0" * (8 * MIB),
        "deep lists": lambda: b"[" * MIB,
        "deep objects": lambda: b'{"a":' * 200_000,
        "deep and whole": lambda: with_value(_nest("[", "]", 900)),
        "deep objects and whole": lambda: with_value(_nest('{"a":', "}", 900)),
        "many lists": lambda: with_value("[" + "[]," * 2_000_000 + "1]"),
        "many lists, alone": lambda: b"[" + b"[]," * 2_000_000 + b"1]",
        "many objects": lambda: with_value("[" + "{}," * 2_000_000 + "1]"),
        "many objects, alone": lambda: b"[" + b"{}," * 2_000_000 + b"1]",
        "many objects of one key": lambda: with_value("[" + '{"":1},' * 1_500_000 + "1]"),
        "many short texts": lambda: with_value("[" + '"ab",' * 6_000_000 + "1]"),
        "many numbers": lambda: with_value("[" + "1.5," * 5_000_000 + "1]"),
        "many keys": lambda: with_value("{" + ",".join(f'"{number}":1' for number in range(1_500_000)) + "}"),
        "an integer of a million digits": lambda: with_value("9" * MIB),
        "a negative integer of many digits": lambda: with_value("-" + "1" * 5000),
        "a key twice": lambda: with_value("1").replace(b"}\n", b', "%s": 2}\n' % key.encode()),
        "a key of an inner object twice": lambda: with_value('{"a": 1, "a": 2}'),
        "an unknown escape": lambda: with_value(r'"\q"'),
        "text without end": lambda: head + b"x" * MIB,
        "escapes without end": lambda: head + b"\\" * MIB,
        "quotes": lambda: start + b'"' * MIB,
        "commas": lambda: start + b"," * MIB,
        "minus signs": lambda: b"[" + b"-" * MIB,
        "no UTF-8": lambda: head + b"\xff\xfe\xfd" * 1000 + b'"}',
        "UTF-16": lambda: json.dumps(row).encode("utf-16"),
        "surrogates in bytes": lambda: head + b"\xed\xa0\x80" * 1000 + b'"}',
        "wide characters": lambda: head + "\U0001f600".encode() * (9 * MIB) + b'"}',
        "wide escapes": lambda: head + b"\\ud83d\\ude00" * (6 * MIB) + b'"}',
        "a long line": lambda: head + b"x" * (140 * MIB) + b'"}',
        "a long object over many lines": lambda: b"{\n" + head[1:] + b"x" * (140 * MIB) + b'"}',
        "a number alone": lambda: b"1\n",
        "a text alone": lambda: b'"' + b"x" * MIB + b'"\n',
        "not JSON": lambda: b"<html>" * 100_000,
        "a Parquet file that is none": lambda: b"PAR1" + b"\xff" * MIB + b"PAR1",
        "cut gzip": lambda: gzip.compress(line * 1000)[:-20],
        "garbage as gzip": lambda: b"\x1f\x8b\x08" + b"\xa5" * MIB,
        "gzip of zeros": lambda: _repeat(b"\0" * (16 * MIB), 64),
        "gzip of blanks": lambda: _repeat(b" " * (16 * MIB), 64),
        "gzip of empty lines": lambda: _repeat(b"\n" * (16 * MIB), 64),
        "gzip of blank lines": lambda: _repeat(b" \n" * (8 * MIB), 64),
        "gzip of a long text": lambda: _repeat(b"x" * (16 * MIB), 64, head, b'"}\n'),
        "gzip of many lists": lambda: _repeat(b"[]," * (5 * MIB), 20, start + b', "padding": [', b"1]}\n"),
        "gzip of a text of half the bound": lambda: _repeat(b"x" * (16 * MIB), 7, head, b'"}\n{'),
        "gzip of escapes": lambda: _repeat(b"\\n" * (8 * MIB), 7, head, b'"}\n{'),
        "gzip in gzip": lambda: gzip.compress(_repeat(b"\0" * (16 * MIB), 64)),
        "a list of gzip": lambda: _repeat(b"[]," * (5 * MIB), 64, b"["),
    }
    halves = {"value": '"a\\ud800b"', "inner value": '[{"a": ["\\udfff"]}]', "key": '{"\\ud800": 1}'}
    for name, half in halves.items():
        plain[f"half a character in a {name}"] = partial(without, f", {json.dumps(key)}: {half}}}\n")
    return plain


def _make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(64 << 30)


PLACES: dict[str, Callable[[Path], object]] = {
    "a sparse file": _make_sparse,
    "a pipe": os.mkfifo,
    "a socket that is gone": lambda path: os.mknod(path, 0o140644),
    "a folder of nothing": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a file that may not be read by its length": lambda path: path.symlink_to("/proc/self/mem"),
}
"""What is no file of data, by name: makes it at a path."""
