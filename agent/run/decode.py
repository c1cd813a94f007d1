"""Records read back from JSON: what `asdict` made of a dataclass becomes the dataclass again."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from functools import cache, partial
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read_record(kind: type[T], data: dict[str, Any]) -> T:
    """The `kind` that `data` describes; nested dataclasses, enums and tuples are rebuilt by annotation.

    A field without a value takes its default and a key without a field is left out, so that files of older
    and of newer versions can be read. Values of other types are taken as they are.

    Raises:
        TypeError: a field without a default is missing, or a value has another shape.
        ValueError: an enum has no such value.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{data!r} is no {kind.__name__}")
    makers = _find_makers(kind)  # type: ignore[arg-type]  # a class is hashable
    return kind(**{name: _make(makers[name], value) for name, value in data.items() if name in makers})


def _make(maker: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if maker is None or value is None else maker(value)


@cache
def _find_makers(kind: type[Any]) -> dict[str, Callable[[Any], Any] | None]:
    hints = get_type_hints(kind, localns=vars(collections.abc))  # many are imported for the type checker only
    return {name: _find_maker(hint) for name, hint in hints.items()}


def _find_maker(hint: Any) -> Callable[[Any], Any] | None:
    """The function that makes a value of its JSON; None where that is the value itself."""
    if get_origin(hint) is UnionType:
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        maker = _find_maker(get_args(hint)[0])
        return lambda items: tuple(_make(maker, item) for item in items)
    if is_dataclass(hint):
        return partial(read_record, hint)  # type: ignore[arg-type]
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else None
