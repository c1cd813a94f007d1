"""Values of another type or form than the examples have: where programs that read alike often differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.strategies.records import list_nodes, replace_node

if TYPE_CHECKING:
    import random

    from sstar_code.selection.inputs.contract.domain import Domain

__all__ = ["retype"]


def retype(domain: Domain, record: list[Any], rng: random.Random) -> list[Any]:
    """`record` with one value beyond its domain: a float for an int, a number as text, an uneven list."""
    path, _, value = rng.choice(list_nodes(domain, record, rng))
    options = _others(value, rng)
    return list(replace_node(record, path, rng.choice(options))) if options else record


def _others(value: Any, rng: random.Random) -> list[Any]:
    if isinstance(value, bool | None):
        return [0, 1]
    if isinstance(value, int | float):
        odd = value + 0.1 if abs(value) < 10**15 else value
        return [odd, odd, -value, value + 1, str(value), [value], value % 2 == 0, None]
    if isinstance(value, str):
        return [str(len(value)), value + "1", [value], len(value), None, f"-{len(value)}.5"]
    if isinstance(value, list | tuple) and value:
        items, make = list(value), type(value)
        place = rng.randrange(len(items))
        uneven = [items[:place] + items[place + 1 :], [*items, items[place]]]
        floats = [item + 0.1 if type(item) is int else item for item in items]
        return [
            *map(make, uneven),
            make(floats),
            make([*items, items]),
            make([*items, str(items[0])]),
            tuple(items),
        ]
    return []
