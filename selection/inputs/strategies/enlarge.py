"""Inputs with as many items as the statement allows, to find programs that are right but too slow."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.strategies.draw import draw
from sstar_code.selection.inputs.strategies.records import list_nodes, replace_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sstar_code.selection.inputs.contract.contract import Contract
    from sstar_code.selection.inputs.contract.domain import Domain
    from sstar_code.selection.inputs.strategies.records import Path

__all__ = ["enlarge"]

_UNSTATED = 2_000
"""Items where the statement does not say how many there may be: more than Python's recursion limit."""
_MOST_ITEMS = 10_000
"""Enough for a quadratic program to run out of time."""
_MOST_CHARS = 60_000
_SMALL = 9
"""Size of items that have a length themselves."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A list or a text in an example."""

    contract: Contract
    record: Sequence[Any]
    path: Path
    part: Domain
    value: Any

    def largest(self, make: Callable[[_Place, int], Any]) -> str | None:
        """The input with as much there as there may be; None where that is no more than there is."""
        letters = len(repr(self.value)) // len(self.value) + 1  # of one item, about
        most = min(_MOST_ITEMS, self.part.most or _UNSTATED, _MOST_CHARS // letters)
        size, best = len(self.value), None
        while size < most:  # in steps: in a square each row grows as well
            size = min(4 * size, most)
            text = self.contract.write(replace_node(list(self.record), self.path, make(self, size)))
            if text is None or len(text) > _MOST_CHARS:
                break
            best = text
        return best


def enlarge(contract: Contract) -> Iterator[str | None]:
    """Each list and text of two examples in turn, outer ones first: repeated, then drawn anew; None for some.

    No longer than stated, and at most 10,000 items or 60,000 letters in all.
    """
    rng = random.Random(0)
    for record in contract.records[:2]:
        for path, part, value in list_nodes(contract.domain, list(record), rng):
            if part.kind in ("list", "text") and len(value):
                place = _Place(contract, record, path, part, value)
                yield place.largest(_repeat)
                yield place.largest(_draw)


def _repeat(place: _Place, size: int) -> Any:
    part, value = place.part, place.value
    if part.kind == "text":
        return (value * (size // len(value) + 1))[:size]
    items = list(value)
    return part.make((items * (size // len(items) + 1))[:size])


def _draw(place: _Place, size: int) -> Any:
    is_flat = place.part.kind == "text" or not any(map(_has_length, place.part.parts))
    return draw(replace(place.part, fewest=size), random.Random(size), size if is_flat else _SMALL)


def _has_length(part: Domain) -> bool:
    return part.kind in ("list", "text", "mapping") or any(map(_has_length, part.parts))
