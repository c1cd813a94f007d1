"""Python values as JSON text, losslessly: how arguments and return values cross the sandbox's border.

Plain JSON stays plain JSON (so LiveCodeBench's one-JSON-value-per-argument form is a subset). What JSON
cannot say is an object with one key that starts with `$`:

    {"$tuple": [...]}   {"$set": [...]}   {"$frozenset": [...]}   {"$dict": [[key, value], ...]}
    {"$complex": [re, im]}   {"$bytes": "latin-1 text"}   {"$float": "nan" | "inf" | "-inf"}
    {"$repr": "text", "$type": "name"}   any other object: comparable by text, cannot be decoded

This file is also sent into the sandbox as text: standard library only, and nothing of ours is imported.
Never pickle: what a candidate returns is untrusted.
"""

import json
import re
from typing import Any

__all__ = ["Opaque", "decode", "decode_lines", "encode", "encode_lines"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_MAX_REPR = 10_000


class Opaque:
    """A value of a type that JSON text cannot carry, known by its type name and its `repr` only."""

    def __init__(self, type_name: str, text: str) -> None:
        """Keep the `type_name` and the `text` that `repr` gave, addresses removed."""
        self.type_name = type_name
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and (self.type_name, self.text) == (
            other.type_name,
            other.text,
        )

    def __hash__(self) -> int:
        return hash((self.type_name, self.text))

    def __repr__(self) -> str:
        return self.text


def _sort_key(text: Any) -> str:
    return json.dumps(text, sort_keys=True)


def _pack(value: Any) -> Any:  # noqa: PLR0911, C901 - one branch a type is the clearest form
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
            return {"$float": repr(value)}
        return value
    if kind is list:
        return [_pack(item) for item in value]
    if kind is tuple:
        return {"$tuple": [_pack(item) for item in value]}
    if kind in (set, frozenset):
        return {"$" + kind.__name__: sorted((_pack(item) for item in value), key=_sort_key)}
    if kind is dict:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: _pack(item) for key, item in value.items()}
        return {"$dict": [[_pack(key), _pack(item)] for key, item in value.items()]}
    if kind is complex:
        return {"$complex": [_pack(value.real), _pack(value.imag)]}
    if kind in (bytes, bytearray):
        return {"$bytes": bytes(value).decode("latin-1")}
    return _pack_foreign(value, kind)


def _pack_foreign(value: Any, kind: type) -> Any:
    """Subclasses of the plain types count as what they are (Counter, IntEnum, namedtuple, numpy scalars)."""
    item = getattr(value, "item", None)
    if kind.__module__ == "numpy":
        plain = item() if getattr(value, "ndim", 1) == 0 and item else value.tolist()
        return _pack(plain)
    for plain_type in (bool, int, float, str, list, tuple, set, frozenset, dict):
        if isinstance(value, plain_type):
            return _pack(plain_type(value))
    return {"$repr": _ADDRESS.sub("", repr(value))[:_MAX_REPR], "$type": kind.__name__}


def encode(value: Any) -> str:
    """One line of JSON text for `value`.

    Raises:
        RecursionError: the value contains itself or is nested too deeply.
    """
    return json.dumps(_pack(value), ensure_ascii=True, allow_nan=False)


_UNPACK = {
    "$tuple": lambda items: tuple(_unpack(item) for item in items),
    "$set": lambda items: {_unpack(item) for item in items},
    "$frozenset": lambda items: frozenset(_unpack(item) for item in items),
    "$dict": lambda pairs: {_unpack(key): _unpack(item) for key, item in pairs},
    "$complex": lambda parts: complex(_unpack(parts[0]), _unpack(parts[1])),
    "$bytes": lambda text: text.encode("latin-1"),
    "$float": float,
}


def _unpack(data: Any) -> Any:
    if isinstance(data, list):
        return [_unpack(item) for item in data]
    if isinstance(data, dict):
        if set(data) == {"$repr", "$type"}:
            return Opaque(data["$type"], data["$repr"])
        if len(data) == 1:
            (key, item) = next(iter(data.items()))
            if key in _UNPACK:
                return _UNPACK[key](item)
        return {key: _unpack(item) for key, item in data.items()}
    return data


def decode(text: str) -> Any:
    """The value that `text` encodes.

    Raises:
        ValueError: not JSON, or a `$` object that is not well formed.
    """
    try:
        return _unpack(json.loads(text))
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"not an encoded value: {error}") from error


def encode_lines(values: Any) -> str:
    """The arguments of a call, one encoded value a line."""
    return "\n".join(encode(value) for value in values)


def decode_lines(text: str) -> list[Any]:
    """The arguments that `encode_lines` wrote; blank lines are skipped."""
    return [decode(line) for line in text.splitlines() if line.strip()]
