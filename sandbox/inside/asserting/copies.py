"""Values as they go between the test's process and the candidate's: copies of what is plain.

JSON text. Beyond what `problems.values` says, types of the standard library stay what they are, since a test
may ask for more than equality. An object of another type stays where it is and is known elsewhere by its
number. Reading makes nothing but values of the types named here, whoever wrote the text: no name in it is
looked up but those of exceptions and of the types of plain values.
"""

from __future__ import annotations

import builtins
import string
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from itertools import chain
from typing import TYPE_CHECKING, Any

from sstar_code.problems.values import spread

if TYPE_CHECKING:
    from collections.abc import Callable

_FEW = 1_000
"""Rows of texts from which on it is looked for how few are different."""
_LETTERS = string.ascii_letters + string.digits
SCALARS = frozenset({int, float, str, bool, type(None)})
_LONG_INT_BITS = 13_000
_LONGEST_NUMBER = 4_000
_DATA_TYPES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, str, tuple),
    )
}
_TEST_CONTROL = frozenset({
    "unittest", "doctest", "bdb", "pdb", "pytest", "_pytest", "sstar_code", "__main__", "test", "solution",
})  # fmt: skip
"""Modules whose exceptions may tell a test's runner what to do: a candidate raises none of them in a test."""


def _decimal(text: str) -> Any:
    from decimal import Decimal

    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a short decimal number is expected")
    return Decimal(text)


def _fraction(top: int, bottom: int) -> Any:
    from fractions import Fraction

    return Fraction(top, bottom)


def _date(name: str) -> Callable[..., Any]:
    def make(*parts: int) -> Any:
        import datetime as dt

        return getattr(dt, name)(*parts)

    return make


def _array(kind: str, items: Any) -> Any:
    import numpy as np  # type: ignore[import-not-found,unused-ignore]

    if not all(char in "<>|=biufcSU0123456789" for char in kind):
        raise ValueError("an array of numbers or texts is expected")
    return np.array(items, dtype=kind)


_DAY = ("year", "month", "day")
_CLOCK = ("hour", "minute", "second", "microsecond")
_MAKERS: dict[str, Callable[..., Any]] = {
    "builtins.tuple": tuple,
    "builtins.set": lambda items: set(spread(items)),
    "builtins.frozenset": lambda items: frozenset(spread(items)),
    "builtins.dict": lambda keys, items: dict(zip(spread(keys), items)),  # noqa: B905 - 3.9
    "builtins.complex": complex,
    "builtins.bytes": lambda text: text.encode("latin-1"),
    "builtins.bytearray": lambda text: bytearray(text.encode("latin-1")),
    "builtins.range": range,
    "builtins.slice": slice,
    "builtins.dict_keys": lambda keys: dict.fromkeys(spread(keys)).keys(),
    "builtins.dict_values": lambda items: dict(enumerate(items)).values(),
    "builtins.dict_items": lambda keys, items: dict(zip(spread(keys), items)).items(),  # noqa: B905 - 3.9
    "builtins.ellipsis": lambda: ...,
    "builtins.NotImplementedType": lambda: NotImplemented,
    "collections.Counter": lambda keys, items: Counter(dict(zip(spread(keys), items))),  # noqa: B905 - 3.9
    "collections.OrderedDict": lambda keys, items: OrderedDict(zip(spread(keys), items)),  # noqa: B905 - 3.9
    "collections.defaultdict": lambda made, keys, items: defaultdict(made, zip(spread(keys), items)),  # noqa: B905
    "collections.deque": deque,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _fraction,
    "datetime.date": _date("date"),
    "datetime.time": _date("time"),
    "datetime.datetime": _date("datetime"),
    "datetime.timedelta": _date("timedelta"),
    "numpy.ndarray": _array,
}
"""How a value of a type is made of the parts that `_PARTS` takes it into."""


def _mapping(value: Any) -> list[Any]:
    return [list(value.keys()), list(value.values())]


def _pairs(value: Any) -> list[Any]:
    return [[key for key, _ in value], [item for _, item in value]]


def _naive(*names: str) -> Callable[[Any], list[Any] | None]:
    return lambda value: (
        [getattr(value, name) for name in names] if getattr(value, "tzinfo", None) is None else None
    )


_PARTS: dict[str, Callable[[Any], list[Any] | None]] = {
    "builtins.tuple": lambda value: [list(value)],
    "builtins.set": lambda value: [list(value)],
    "builtins.frozenset": lambda value: [list(value)],
    "builtins.dict": _mapping,
    "builtins.complex": lambda value: [value.real, value.imag],
    "builtins.bytes": lambda value: [value.decode("latin-1")],
    "builtins.bytearray": lambda value: [value.decode("latin-1")],
    "builtins.range": lambda value: [value.start, value.stop, value.step],
    "builtins.slice": lambda value: [value.start, value.stop, value.step],
    "builtins.dict_keys": lambda value: [list(value)],
    "builtins.dict_values": lambda value: [list(value)],
    "builtins.dict_items": _pairs,
    "builtins.ellipsis": lambda _: [],
    "builtins.NotImplementedType": lambda _: [],
    "collections.Counter": _mapping,
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": lambda value: [value.default_factory, *_mapping(value)],
    "collections.deque": lambda value: [list(value), value.maxlen],
    "decimal.Decimal": lambda value: [str(value)],
    "fractions.Fraction": lambda value: [value.numerator, value.denominator],
    "datetime.date": _naive(*_DAY),
    "datetime.time": _naive(*_CLOCK),
    "datetime.datetime": _naive(*_DAY, *_CLOCK),
    "datetime.timedelta": _naive("days", "seconds", "microseconds"),
    "numpy.ndarray": lambda value: (
        [value.dtype.str, value.tolist()] if value.dtype.kind in "biufcSU" else None
    ),
}
_FLAT: Any = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (list, list.copy),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
)
"""How a value of a subclass becomes one of the plain type; what the subclass overrides is not asked."""


def pack(value: Any, refer: Callable[[Any], Any]) -> Any:  # noqa: C901, PLR0911 - one branch a type
    """What JSON text can say for `value`; `refer` says it for an object that is of no plain type.

    Raises:
        RecursionError: the value contains itself or is nested too deeply.
    """
    kind = type(value)
    if kind is int and value.bit_length() > _LONG_INT_BITS:
        return {"$int": hex(value)}
    if kind in SCALARS:
        return value
    if kind is list:
        return _pack_list(value, refer)
    if kind is dict and all(type(key) is str and key[:1] != "$" for key in value):
        return dict(zip(value, _pack_items(list(value.values()), refer)))  # noqa: B905 - 3.9
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name in _PARTS and _find(name) in (kind, None):
        parts = _PARTS[name](value)
        if parts is not None:
            return {"$" + name: _pack_items(parts, refer)}
    if kind.__module__ == "numpy" and hasattr(value, "item"):
        return pack(value.item(), refer)
    fields = getattr(kind, "_fields", None)
    if isinstance(value, tuple) and isinstance(fields, tuple):
        items = _pack_items(list(tuple.__iter__(value)), refer)
        return {"$namedtuple": [kind.__name__, list(fields), items]}
    for plain, take in _FLAT:
        if isinstance(value, plain):
            return pack(take(value), refer)
    if isinstance(value, type) and value in _DATA_TYPES.values():
        return {"$type": value.__name__}
    return refer(value)


def _pack_list(items: list[Any], refer: Callable[[Any], Any]) -> Any:
    """As its items; tuples with a word for all of them, since a word for each takes ten times the memory."""
    if len(items) > 1 and set(map(type, items)) == {tuple}:
        if len(items) >= _FEW and (packed := _pack_words(items)) is not None:
            return packed
        return {"$tuples": [_pack_items(item, refer) for item in items]}
    return _pack_items(items, refer)


def _pack_words(rows: list[Any]) -> Any:
    """Tuples of as many texts, few of them different, as a letter for each; None for others."""
    try:
        words = list(set(chain.from_iterable(rows)))
    except TypeError:
        return None
    same = len(set(map(len, rows))) == 1
    if not (same and 0 < len(words) <= len(_LETTERS) and set(map(type, words)) == {str}):
        return None
    table = dict(zip(words, _LETTERS))  # noqa: B905 - 3.9
    letters = "".join(map(table.__getitem__, chain.from_iterable(rows)))
    return {"$words": [words, len(rows[0]), letters]}


def _unpack_words(words: list[str], width: int, letters: str) -> list[Any]:
    table = dict(zip(_LETTERS, map(sys.intern, words)))  # noqa: B905 - 3.9
    if width < 1 or len(letters) % width:
        raise ValueError("rows of another length")
    return list(zip(*[map(table.__getitem__, letters)] * width))  # noqa: B905 - 3.9


def _pack_items(items: Any, refer: Callable[[Any], Any]) -> Any:
    kinds = set(map(type, items))
    if kinds <= SCALARS and (int not in kinds or not any(map(_is_long, items))):
        return items
    return [pack(item, refer) for item in items]


def _is_long(value: Any) -> bool:
    return type(value) is int and not -_LIMIT < value < _LIMIT


_LIMIT = 1 << _LONG_INT_BITS


def _find(name: str) -> Any:
    """The object that a loaded module has under `name`; None where there is none."""
    module, _, name = name.rpartition(".")
    return getattr(sys.modules.get(module), "__dict__", {}).get(name)


def unpack(data: Any, resolve: Callable[[str, Any], Any]) -> Any:
    """The value that `pack` said; `resolve` finds it for what `refer` said: a key with `$`, and its item.

    Raises:
        Exception: of any type, where it is not what `pack` says.
    """
    kind = type(data)
    if kind is list:
        return [unpack(item, resolve) if type(item) in (list, dict) else item for item in data]
    if kind is not dict:
        return data
    if len(data) == 1:
        ((key, item),) = data.items()
        if key[:1] == "$":
            return _unpack_tagged(key, item, resolve)
    return {key: unpack(item, resolve) for key, item in data.items()}


def _unpack_tagged(key: str, item: Any, resolve: Callable[[str, Any], Any]) -> Any:
    if key == "$int":
        return int(item, 16)
    if key == "$words":
        return _unpack_words(*item)
    if key == "$tuples":
        return [tuple(unpack(part, resolve)) for part in item]
    if key == "$type":
        return _DATA_TYPES[item]
    if key == "$namedtuple":
        (name, fields, items) = item
        return _named(name, tuple(fields))(*unpack(items, resolve))
    maker = _MAKERS.get(key[1:])
    return maker(*unpack(item, resolve)) if maker else resolve(key, item)


_named_kinds: dict[Any, Any] = {}


def _named(name: str, fields: tuple[str, ...]) -> Any:
    if (name, fields) not in _named_kinds:
        _named_kinds[name, fields] = namedtuple(name, fields)  # noqa: PYI024 - it is given its names here
    return _named_kinds[name, fields]


def find_error(name: str) -> type[BaseException] | None:
    """The exception class of Python itself, or of a loaded module of its library, that is called `name`."""
    (top, _, last) = name.rpartition(".")
    found = getattr(builtins, last, None) if top == "builtins" else _find(name)
    if top.partition(".")[0] in _TEST_CONTROL or not isinstance(found, type):
        return None
    return found if issubclass(found, BaseException) else None


def update(old: Any, new: Any) -> None:  # noqa: C901, PLR0912 - one branch a type
    """Give the mutable value `old` the contents of `new`, so that whoever holds it sees them."""
    if type(old) is not type(new):
        return
    if isinstance(old, (list, deque)):
        if len(old) == len(new):
            for place, item in enumerate(new):
                if isinstance(old[place], (list, dict, set, deque)) and type(old[place]) is type(item):
                    update(old[place], item)
                else:
                    old[place] = item
        else:
            old.clear()
            old.extend(new)
    elif isinstance(old, dict):
        for key in [key for key in old if key not in new]:
            del old[key]
        for key, item in new.items():
            if isinstance(old.get(key), (list, dict, set, deque)) and type(old[key]) is type(item):
                update(old[key], item)
            else:
                old[key] = item
    elif isinstance(old, (set, bytearray)):
        old.clear()
        old.update(new) if isinstance(old, set) else old.extend(new)
    elif isinstance(old, tuple):
        for mine, item in zip(old, new):  # noqa: B905 - 3.9
            update(mine, item)
