"""Python values as JSON text, losslessly: how arguments and return values cross the sandbox's border.

Plain JSON stays plain JSON (so LiveCodeBench's one-JSON-value-per-argument form is a subset). What JSON
cannot say is an object with one key that starts with `$`:

    {"$tuple": [...]}   {"$set": [...]}   {"$frozenset": [...]}   {"$dict": [[key, value], ...]}
    {"$complex": [re, im]}   {"$bytes": "latin-1 text"}   {"$float": "nan" | "inf" | "-inf"}
    {"$fraction": [numerator, denominator]}   {"$decimal": "1.50"}
    {"$int": "0x..."}   an integer too long to be written in decimal (see `sys.set_int_max_str_digits`)
    {"$repr": "text", "$type": "name"}   any other object: comparable by text, cannot be decoded

This file is also sent into the sandbox as text: standard library only, and nothing of ours is imported.
Never pickle: what a candidate returns is untrusted.
"""

import json
import re
import sys
from collections import Counter
from itertools import accumulate
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_MAX_REPR = 10_000
_MAX_TYPE = 100
_MAX_DEPTH = 300  # what is nested deeper cannot be compared or shown within Python's recursion limit
_MAX_EXPONENT = 100_000  # of a decimal number: as an integer or a fraction it would have so many digits
_LONG_INT_BITS = 13_000  # about 3,900 digits; Python refuses to print or read 4,301 decimal digits
_CHUNK_DIGITS = 4_000
_MOST_DIGITS = 4_000_000  # of all long integers of one text together: about a second
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


_EXACT: Any = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (list, list.copy),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
)
"""How a subclass's value becomes one of the plain type itself. Methods that the subclass overrides are not
asked: `==` of the plain type does not ask them either."""
_LISTS = {("collections", "UserList"), ("sortedcontainers.sortedlist", "SortedList")}
"""Classes that equal a list with the same items."""


def _pack_foreign(value: Any, kind: type) -> Any:
    """Subclasses of the plain types count as what they are (Counter, IntEnum, namedtuple, numpy scalars)."""
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return _pack(value.tolist())
    for plain_type, take in _EXACT:
        if isinstance(value, plain_type):
            return _pack(take(value))
    number = _pack_number(value)
    if number is not None:
        return number
    if any((base.__module__, base.__name__) in _LISTS for base in kind.__mro__):
        return _pack(list(value))
    return {"$repr": _ADDRESS.sub("", repr(value))[:_MAX_REPR], "$type": kind.__name__[:_MAX_TYPE]}


def _pack_number(value: Any) -> Any:
    """A Fraction or a Decimal; None for all else and for what is too long to be compared in little time."""
    fractions, decimal = sys.modules.get("fractions"), sys.modules.get("decimal")  # else it cannot be one
    if fractions is not None and isinstance(value, fractions.Fraction):
        parts = [value.numerator, value.denominator]
        if all(type(part) is int and part.bit_length() <= _LONG_INT_BITS for part in parts):
            return {"$fraction": parts}
    if decimal is not None and isinstance(value, decimal.Decimal):
        text = decimal.Decimal.__str__(value)
        if len(text) <= _CHUNK_DIGITS:
            return {"$decimal": text}
    return None


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


def _items(data: Any, count: Any = None) -> list[Any]:
    """The list that `data` has to be, of `count` items where that is given."""
    if type(data) is not list or (count is not None and len(data) != count):
        raise ValueError("a list is expected, or one of another length")
    return data


def _text(data: Any, longest: Any = None) -> str:
    """The text that `data` has to be, of at most `longest` characters where that is given."""
    if type(data) is not str or (longest is not None and len(data) > longest):
        raise ValueError("a text is expected, or a shorter one")
    return data


def _fraction(parts: Any) -> Any:
    from fractions import Fraction

    top, bottom = _items(parts, 2)
    if any(type(part) is not int or part.bit_length() > _LONG_INT_BITS for part in parts):
        raise ValueError("a fraction of two short integers is expected")
    return Fraction(top, bottom)


def _decimal(text: Any) -> Any:
    from decimal import Decimal

    value = Decimal(_text(text, _CHUNK_DIGITS))
    if value.is_snan() or (value.is_finite() and abs(value.adjusted()) > _MAX_EXPONENT):
        raise ValueError("a short decimal number is expected")
    return value


def _complex(parts: Any) -> complex:
    numbers = [_unpack(part) for part in _items(parts, 2)]
    if any(type(number) not in (int, float) for number in numbers):
        raise ValueError("a complex number of two numbers is expected")
    return complex(*numbers)


def _dict(pairs: Any) -> dict[Any, Any]:
    found = [_items(pair, 2) for pair in _items(pairs)]
    keys = spread(_unpack(key) for key, _ in found)
    return dict(zip(keys, [_unpack(item) for _, item in found]))  # noqa: B905 - 3.9


_UNPACK: dict[str, Any] = {
    "$tuple": lambda items: tuple(map(_unpack, _items(items))),
    "$set": lambda items: set(spread(map(_unpack, _items(items)))),
    "$frozenset": lambda items: frozenset(spread(map(_unpack, _items(items)))),
    "$dict": _dict,
    "$complex": _complex,
    "$bytes": lambda text: _text(text).encode("latin-1"),
    "$float": lambda text: float(_text(text, _CHUNK_DIGITS)),
    "$fraction": _fraction,
    "$decimal": _decimal,
    "$int": lambda text: int(_text(text), 16),
}


def _unpack(data: Any) -> Any:
    if isinstance(data, list):
        return list(map(_unpack, data))
    if isinstance(data, dict):
        if set(data) == {"$repr", "$type"}:
            return Opaque(_text(data["$type"], _MAX_REPR), _text(data["$repr"], _MAX_REPR))
        if len(data) == 1:
            (key, item) = next(iter(data.items()))
            if key in _UNPACK:
                return _UNPACK[key](item)
        return {key: _unpack(item) for key, item in data.items()}
    return data


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def _check_depth(text: str) -> None:
    """Refuse JSON text with too many levels before anything is built of it; linear, whatever the text."""
    if text.count("[") + text.count("{") > _MAX_DEPTH:
        outside = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]  # of every text in quotes
        brackets = "".join(outside).encode("ascii", "replace").translate(None, _NO_BRACKETS)
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")  # most of them, in no time
        if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) >= _MAX_DEPTH:
            raise ValueError(f"not an encoded value: nested in more than {_MAX_DEPTH} levels")


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


def load_json(text: Any) -> Any:
    """The value of JSON text (or bytes), with integers of any length up to 100,000 digits.

    Raises:
        ValueError: it is not JSON, holds a longer integer, or too many that are long.
        RecursionError: it is nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # the limit on decimal digits; a callback for every integer is slow, so only now
        left = _MOST_DIGITS

        def read(digits: str) -> int:
            nonlocal left
            if len(digits) > sys.int_info.default_max_str_digits:
                left -= len(digits)
            if left < 0:
                raise ValueError(f"long integers of more than {_MOST_DIGITS} digits together")
            return _long_int(digits)

        return json.loads(text, parse_int=read)


def decode(text: str) -> Any:
    """The value that `text` encodes: one that can be compared, shown and, in parts, hashed without an error.

    Raises:
        ValueError: not JSON, nested in more than 300 levels, or a `$` object that is not well formed.
    """
    _check_depth(text)
    try:
        return _unpack(load_json(text))
    except (TypeError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"not an encoded value: {error}") from error
    except RecursionError as error:
        raise ValueError("not an encoded value: nested too deeply") from error


def show_integer(value: int) -> str:
    """The decimal digits of an integer of any length, which `str` refuses above 4,300."""
    if value.bit_length() <= _LONG_INT_BITS:
        return str(value)
    rest, chunks = abs(value), []
    step = 10**_CHUNK_DIGITS
    while rest:
        rest, chunk = divmod(rest, step)
        chunks.append(str(chunk).zfill(_CHUNK_DIGITS))
    return ("-" if value < 0 else "") + "".join(reversed(chunks)).lstrip("0")


def encode_lines(values: Any) -> str:
    """The arguments of a call, one encoded value a line."""
    return "\n".join(encode(value) for value in values)


def decode_lines(text: str) -> list[Any]:
    """The arguments that `encode_lines` wrote; blank lines are skipped.

    Raises:
        ValueError: a line is not an encoded value.
    """
    return [decode(line) for line in text.split("\n") if line.strip()]  # not splitlines: JSON may hold U+2028
