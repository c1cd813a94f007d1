"""Makes the counts of a record agree with what they count, after something was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.stdin_layout.layout import Fixed, Repeat, Row, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sstar_code.selection.inputs.stdin_layout.layout import Count, Element

__all__ = ["balance"]

_MAX_COUNT = 5_000


class _Slot:
    """An integer in scope: where it is written."""

    def __init__(self, line: list[Any], column: int) -> None:
        self.line, self.column = line, column

    @property
    def value(self) -> Any:
        return self.line[self.column]


def balance(elements: Sequence[Element], record: Sequence[Any]) -> list[Any] | None:
    """A copy of `record` in which every count is right; None where that cannot be.

    What was made longer or shorter wins over its count; other parts under the same count are cut, or
    filled up with their own items.
    """
    copy = _copy(record)
    return copy if _balance(elements, copy, ()) else None


def _copy(value: Any) -> Any:
    return list(map(_copy, value)) if isinstance(value, list | tuple) else value


def _balance(elements: Sequence[Element], record: list[Any], scope: tuple[_Slot, ...]) -> bool:
    start = len(scope)
    for element, value in zip(elements, record, strict=True):
        if isinstance(element, Fixed):
            scope += tuple(_Slot(value, column) for column in range(len(value)))
    sites = list(_sites(elements, record, start, len(scope)))
    for place in range(start, len(scope)):
        if not _settle(scope[place], [site for site in sites if site[0].place == place]):
            return False
    visible = scope[:start]
    for element, value in zip(elements, record, strict=True):
        if isinstance(element, Fixed):
            visible = scope[: len(visible) + len(value)]
        if isinstance(element, Repeat) and not all(_balance(element.body, row, visible) for row in value):
            return False
    return True


def _sites(
    elements: Sequence[Element], record: list[Any], width: int, limit: int
) -> Iterator[tuple[Count, list[Any], int]]:
    """Everything that one of the first `limit` integers in scope counts, also inside blocks.

    `width`: how many are in scope here; those of a block's own lines are not in scope behind it.
    """
    for place, element in enumerate(elements):
        if isinstance(element, Fixed):
            width += len(element.kinds)
        if isinstance(element, Row | Word | Repeat) and element.count and element.count.place < limit:
            yield element.count, record, place
        if isinstance(element, Repeat):
            for row in record[place]:
                yield from _sites(element.body, row, width, min(limit, width))


def _settle(slot: _Slot, sites: Sequence[tuple[Count, list[Any], int]]) -> bool:
    if not sites:
        return True
    announced = slot.value
    if type(announced) is not int:
        return False
    target = announced
    for count, holder, place in sites:
        implied, rest = divmod(len(holder[place]) - count.plus, count.times)
        if implied != announced or rest:
            target = implied
            break
    if not 0 <= target <= _MAX_COUNT:
        return False
    for count, holder, place in sites:
        size = count.times * target + count.plus
        if size < 0 or (fitted := _fit(holder[place], size)) is None:
            return False
        holder[place] = fitted
    slot.line[slot.column] = target
    return True


def _fit(items: Any, size: int) -> Any:
    """`items` cut to `size`, or filled up with its own from the start."""
    if len(items) < size and not items:
        return None
    while len(items) < size:
        items = items + _copy(items)[: size - len(items)] if isinstance(items, list) else items + items
    return items[:size]
