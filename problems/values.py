"""Python values as JSON text, losslessly: how arguments and return values cross the sandbox's border.

Plain JSON stays plain JSON (so LiveCodeBench's one-JSON-value-per-argument form is a subset). What JSON
cannot say is an object with one key that starts with `$`:

    {"$tuple": [...]}   {"$set": [...]}   {"$frozenset": [...]}   {"$dict": [[key, value], ...]}
    {"$complex": [re, im]}   {"$bytes": "latin-1 text"}   {"$float": "nan" | "inf" | "-inf"}
    {"$int": "0x..."}   an integer too long to be written in decimal (see `sys.set_int_max_str_digits`)
    {"$repr": "text", "$type": "name"}   any other object: comparable by text, cannot be decoded

This file is also sent into the sandbox as text: standard library only, and nothing of ours is imported.
Never pickle: what a candidate returns is untrusted.
"""

import json
import re
from collections import Counter
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_MAX_REPR = 10_000
_LONG_INT_BITS = 13_000  # about 3,900 digits; Python refuses to print or read 4,301 decimal digits
_CHUNK_DIGITS = 4_000
_MAX_DIGITS = 100_000  # reading decimal digits is not linear, so a longer number is refused
_MAX_ALIKE = 64  # items of one hash: building a set takes the square of their number


class Opaque:
    """A value of a type that JSON text cannot carry, known by its type name and its `repr` only."""

    def __init__(self, type_name: str, text: str) -> None:
        """Keep the `type_name` and the `text` that `repr` gave, addresses removed."""
        self.type_name = type_name
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and (self.type_name, self.text) == (other.type_name, other.text)

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
        return {"$int": hex(value)} if value.bit_length() > _LONG_INT_BITS else value
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
            return {"$float": repr(value)}
        return value
    if kind is list:
        return list(map(_pack, value))  # map: one frame a level, so twice the depth
    if kind is tuple:
        return {"$tuple": list(map(_pack, value))}
    if kind in (set, frozenset):
        return {"$" + kind.__name__: sorted(map(_pack, value), key=_sort_key)}
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
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return _pack(value.tolist())
    plain_types: tuple[Any, ...] = (int, float, str, list, tuple, set, frozenset, dict)
    for plain_type in plain_types:
        if isinstance(value, plain_type):
            return _pack(plain_type(value))
    return {"$repr": _ADDRESS.sub("", repr(value))[:_MAX_REPR], "$type": kind.__name__}


def encode(value: Any) -> str:
    """One line of JSON text for `value`.

    Raises:
        RecursionError: the value contains itself or is nested too deeply.
    """
    return json.dumps(_pack(value), ensure_ascii=True, allow_nan=False)


def spread(items: Any) -> list[Any]:
    """`items` as a list, for a set or dictionary that is made of untrusted values in linear time.

    Raises:
        ValueError: many of them were chosen to have the same hash.
        TypeError: one cannot be hashed.
    """
    found = list(items)
    if len(found) > _MAX_ALIKE:
        counts = Counter(map(hash, found))
        if len(found) - len(counts) > _MAX_ALIKE and max(counts.values()) > _MAX_ALIKE:
            raise ValueError("items chosen to collide in a hash table")
    return found


_UNPACK: dict[str, Any] = {
    "$tuple": lambda items: tuple(map(_unpack, items)),
    "$set": lambda items: set(spread(map(_unpack, items))),
    "$frozenset": lambda items: frozenset(spread(map(_unpack, items))),
    "$dict": lambda pairs: dict(
        zip(spread(_unpack(key) for key, _ in pairs), [_unpack(item) for _, item in pairs])  # noqa: B905 - 3.9
    ),
    "$complex": lambda parts: complex(_unpack(parts[0]), _unpack(parts[1])),
    "$bytes": lambda text: text.encode("latin-1"),
    "$float": float,
    "$int": lambda text: int(text, 16),
}


def _unpack(data: Any) -> Any:
    if isinstance(data, list):
        return list(map(_unpack, data))
    if isinstance(data, dict):
        if set(data) == {"$repr", "$type"}:
            return Opaque(data["$type"], data["$repr"])
        if len(data) == 1:
            (key, item) = next(iter(data.items()))
            if key in _UNPACK:
                return _UNPACK[key](item)
        return {key: _unpack(item) for key, item in data.items()}
    return data


def _long_int(digits: str) -> int:
    """The value of decimal `digits` of any length, which `int` refuses above 4,300."""
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("-")
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} decimal digits; at most {_MAX_DIGITS} are read")
    value = 0
    for start in range(0, len(digits), _CHUNK_DIGITS):
        chunk = digits[start : start + _CHUNK_DIGITS]
        value = value * 10 ** len(chunk) + int(chunk)
    return sign * value


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # the limit on decimal digits; a callback for every integer is slow, so only now
        return json.loads(text, parse_int=_long_int)


def decode(text: str) -> Any:
    """The value that `text` encodes.

    Raises:
        ValueError: not JSON, nested too deeply, or a `$` object that is not well formed.
    """
    try:
        return _unpack(_load(text))
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"not an encoded value: {error}") from error
    except RecursionError as error:
        raise ValueError("not an encoded value: nested too deeply") from error


def encode_lines(values: Any) -> str:
    """The arguments of a call, one encoded value a line."""
    return "\n".join(encode(value) for value in values)


def decode_lines(text: str) -> list[Any]:
    """The arguments that `encode_lines` wrote; blank lines are skipped.

    Raises:
        ValueError: a line is not an encoded value.
    """
    return [decode(line) for line in text.split("\n") if line.strip()]  # not splitlines: JSON may hold U+2028
