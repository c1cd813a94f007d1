"""Smaller values of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.strategies.records import is_of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sstar_code.selection.inputs.contract.domain import Domain

__all__ = ["list_smaller"]

_MAX_CHUNKS = 32
_MAX_ITEMS = 40
"""Items of one list that are made smaller one by one."""


def list_smaller(domain: Domain, value: Any) -> Iterator[Any]:  # noqa: C901 - one branch a kind
    """Values like `value` with one part of it smaller; not all need be in `domain`."""
    if domain.kind == "mixed":
        domain = next((part for part in domain.parts if part.admits(value)), domain)
    if not is_of_kind(domain, value):
        return
    if domain.kind == "int":
        yield from _smaller_int(value, domain.low)
    elif domain.kind == "float":
        yield from _smaller_float(value)
    elif domain.kind == "bool" and value:
        yield False
    elif domain.kind == "text":
        yield from _smaller_text(value, domain)
    elif domain.kind == "mapping":
        yield from ({key: item for key, item in value.items() if key != gone} for gone in value)
        for key, item in value.items():
            yield from ({**value, key: smaller} for smaller in list_smaller(domain.parts[1], item))
    elif domain.kind == "record":
        for place, part in enumerate(domain.parts):
            yield from (_put(value, place, smaller) for smaller in list_smaller(part, value[place]))
    elif domain.kind == "list":
        yield from _smaller_list(domain, value)


def _put(value: Any, place: int, item: Any) -> Any:
    items = list(value)
    items[place] = item
    return type(value)(items)


def _without_chunks(value: Any) -> Iterator[Any]:
    """`value` without a chunk, or only a chunk: all, halves, quarters, ..., down to single items or 1/32."""
    size = len(value)
    while size > len(value) // _MAX_CHUNKS:
        for start in range(0, len(value), size):
            yield value[:start] + value[start + size :]
            if size > 1:
                yield value[start : start + size]
        size //= 2


def _smaller_list(domain: Domain, value: Any) -> Iterator[Any]:
    items, make = list(value), type(value)
    part = domain.parts[0]
    yield from map(make, _without_chunks(items))
    if part.kind == "int" and items and all(type(item) is int for item in items):
        ranks = {number: rank for rank, number in enumerate(sorted(set(items)))}
        low = part.low or 0
        yield make(low + ranks[item] for item in items)
        yield make(item // 2 for item in items)
        yield make(item // 10 for item in items)
        yield make(min(items) for _ in items)
    if part.kind == "list" and items and all(isinstance(item, list) for item in items):
        for column in range(min(map(len, items), default=0)):
            yield make([item[:column] + item[column + 1 :] for item in items])
    if make in (list, tuple):
        for place in range(min(len(items), _MAX_ITEMS)):
            yield from (_put(value, place, smaller) for smaller in list_smaller(part, items[place]))


def _smaller_int(value: int, low: int | None) -> Iterator[int]:
    floor = low if low is not None and low > 0 else 0
    yield from (floor, floor + 1, floor + 2, value // 10, value // 2, value - 1, -value)
    digits = str(abs(value))
    sign = -1 if value < 0 else 1
    for power in range(1, min(len(digits), 30)):
        yield from (sign * 10**power, sign * (10**power + 1))
    for place in range(min(len(digits), 20)):
        if rest := digits[:place] + digits[place + 1 :]:
            yield sign * int(rest)
        if digits[place] not in "01":
            yield sign * int(f"{digits[:place]}1{digits[place + 1 :]}")
            yield sign * int(f"{digits[:place]}0{digits[place + 1 :]}")


def _smaller_float(value: float) -> Iterator[float]:
    yield from (0.0, 1.0, 0.5, 1.5, 2.5)
    if abs(value) < 1e15:  # beyond it every float is whole; also keeps out inf and nan
        yield from (float(int(value)), round(value, 1), round(value, 2), value / 2, -value)


def _smaller_text(value: str, domain: Domain) -> Iterator[str]:
    yield from _without_chunks(value)
    words = value.split(" ")
    if len(words) > 1:
        yield from (" ".join(rest) for rest in _without_chunks(words))
    simplest = domain.letters[:1] or ("a" if value.isascii() else "")
    yield value.lower()
    for place in range(min(len(value), _MAX_ITEMS)):
        digit = "0" if value[place].isdigit() else simplest
        if digit and value[place] != digit:
            yield value[:place] + digit + value[place + 1 :]
