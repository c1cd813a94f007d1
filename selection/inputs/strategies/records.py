"""Changes inside a record: where its values are, and what may stand there instead."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.contract.domain import is_sorted
from sstar_code.selection.inputs.strategies.draw import draw, list_boundaries, mutate_value

if TYPE_CHECKING:
    from sstar_code.selection.inputs.contract.domain import Domain
    from sstar_code.selection.inputs.strategies.plain_text import Dictionary

_MAX_ITEMS = 3
"""Items of one list that are looked at by themselves."""

_MAX_LENGTH = 60

Path = tuple[int, ...]


def list_nodes(domain: Domain, value: Any, rng: random.Random) -> list[tuple[Path, Domain, Any]]:
    """Every place inside `value`, outer ones first, with its domain and what is there.

    Of a list's items the first, the last and a random one.
    """
    return list(_walk(domain, value, rng, ()))


def _walk(domain: Domain, value: Any, rng: random.Random, path: Path) -> Iterator[tuple[Path, Domain, Any]]:
    if domain.kind == "mixed":
        domain = next((part for part in domain.parts if part.admits(value)), domain.parts[0])
    if not is_of_kind(domain, value):
        return  # an earlier change went beyond the domain
    if path and domain.kind != "record":
        yield path, domain, value
    if domain.kind not in ("list", "record") or not isinstance(value, list | tuple):
        return
    places = range(len(value))
    if domain.kind == "list" and len(value) > _MAX_ITEMS:
        places = sorted({0, len(value) - 1, rng.randrange(len(value))})  # type: ignore[assignment]
    for place in places:
        part = domain.parts[min(place, len(domain.parts) - 1)]
        yield from _walk(part, value[place], rng, (*path, place))


def is_of_kind(domain: Domain, value: Any) -> bool:
    """Whether the type of `value` is the one that `domain` speaks of."""
    if domain.kind in ("list", "record"):
        if not isinstance(value, domain.make) or not domain.parts:
            return False
        return domain.kind == "list" or len(value) == len(domain.parts)
    kinds: dict[str, Any] = {"int": int, "float": int | float, "text": str, "bool": bool, "mapping": dict}
    return domain.kind not in kinds or isinstance(value, kinds[domain.kind])


def replace_node(value: Any, path: Path, new: Any) -> Any:
    """A copy of `value` with `new` at `path`."""
    if not path:
        return new
    items = list(value)
    items[path[0]] = replace_node(items[path[0]], path[1:], new)
    return type(value)(items)


def change(domain: Domain, record: list[Any], rng: random.Random, times: int) -> list[Any]:
    """`record` with `times` values changed."""
    for _ in range(times):
        nodes = list_nodes(domain, record, rng)
        if not nodes:
            break
        path, part, value = rng.choice(nodes)
        record = _repair_around(
            domain, replace_node(record, path, repair(part, _other(part, value, rng))), path
        )
    return record


def _repair_around(domain: Domain, record: list[Any], path: Path) -> list[Any]:
    """`record` with the containers around `path` repaired, innermost first."""
    parts, values = [domain], [record]
    for place in path[:-1]:
        inner = parts[-1].parts[min(place, len(parts[-1].parts) - 1)]
        if not is_of_kind(inner, values[-1][place]):
            break
        parts.append(inner)
        values.append(values[-1][place])
    for depth in range(len(parts) - 1, 0, -1):
        whole = repair(parts[depth], values[depth])
        if whole != values[depth]:
            return list(replace_node(record, path[:depth], whole))
    return record


def _other(domain: Domain, value: Any, rng: random.Random) -> Any:
    chance = rng.random()
    if chance < 0.15:
        return rng.choice(list(list_boundaries(domain, value)) or [value])
    if chance < 0.3:
        return draw(domain, rng, rng.choice((2, 4, 8)))
    if chance < 0.4 and domain.seen:
        return rng.choice(domain.seen)
    if chance < 0.55 and domain.kind == "list" and domain.make in (list, tuple):
        place = rng.randint(0, len(value))
        item = draw(domain.parts[0], rng, 4)
        return type(value)([*value[:place], item, *value[place + rng.choice((0, 1)) :]])
    if domain.kind == "list" and domain.parts[0].kind == "record":
        return _reorder(list(value), rng)
    signed = domain.low is None or domain.low < 0
    return mutate_value(value, rng, signed=signed)


def _reorder(rows: list[Any], rng: random.Random) -> list[Any]:
    """`rows` with one less, one twice, or in another order; the rows themselves as they are."""
    if not rows:
        return rows
    place = rng.randrange(len(rows))
    options = (
        rows[:place] + rows[place + 1 :],
        [*rows, rows[place]],
        [*rows[:place], rng.choice(rows), *rows[place + 1 :]],
        rng.sample(rows, len(rows)),
        rows[::-1],
        sorted(rows, key=repr),
        rows[: place + 1],
    )
    return rng.choice(options)


def put_word(domain: Domain, record: list[Any], words: Dictionary, rng: random.Random) -> list[Any]:
    """`record` with one value that comes from `words`, is near to it, or is as long."""
    nodes = [
        node for node in list_nodes(domain, record, rng) if node[1].kind in ("int", "float", "text", "list")
    ]
    if not nodes:
        return record
    path, part, value = rng.choice(nodes)
    new = value
    if part.kind in ("int", "float") and words.numbers:
        new = rng.choice(words.numbers) + rng.choice((0, 0, 0, 1, -1))
    elif part.kind == "text":
        new = _put_text(value, words, rng)
    elif part.kind == "list" and part.make in (list, tuple) and words.numbers:
        length = min(abs(rng.choice(words.numbers)), _MAX_LENGTH) + rng.choice((0, 1, -1))
        new = part.make(draw(part.parts[0], rng, 5) for _ in range(length))
    return list(replace_node(record, path, repair(part, new)))


def _put_text(value: str, words: Dictionary, rng: random.Random) -> str:
    if words.numbers and rng.random() < 0.25:
        length = min(abs(rng.choice(words.numbers)), _MAX_LENGTH) + rng.choice((0, 1, -1))
        return (value * (length // max(1, len(value)) + 1))[: max(0, length)]
    if not words.texts:
        return value
    word = rng.choice(words.texts)
    place = rng.randint(0, len(value))
    gap = " " if " " in value and len(word) > 1 else ""
    return rng.choice((word, value[:place] + gap + word + gap + value[place:], word + value, value + word))


def cross(domain: Domain, records: Sequence[list[Any]], rng: random.Random) -> list[Any]:
    """A record with values of another record, or of another of its own places, put in."""
    record = list(rng.choice(records))
    for place in range(len(record)):
        if len(records) > 1 and rng.random() < 0.5:
            record[place] = rng.choice(records)[place]
    nodes = list_nodes(domain, record, rng)
    for _ in range(rng.choice((0, 1, 2))):
        path, part, value = rng.choice(nodes)
        alike = [
            entry
            for other, known, entry in nodes
            if other != path and known.kind == part.kind and type(entry) is type(value)
        ]
        if part.kind == "int":
            alike += [len(entry) for _, known, entry in nodes if known.kind in ("list", "text")]
        if part.kind == "text" and value and rng.random() < 0.5:
            alike += [entry[: rng.randint(1, len(entry))] for entry in alike if entry]
        if alike:
            record = replace_node(record, path, rng.choice(alike))
            nodes = list_nodes(domain, record, rng)
    return record


def repair(domain: Domain, value: Any) -> Any:
    """`value` with what its domain asks of all items together made right: no double, in order, dense."""
    if domain.kind == "record" and domain.ordered:
        return domain.make(sorted(value))
    if domain.kind != "list" or not isinstance(value, list | tuple):
        return value
    items = list(value)
    if domain.parts[0].kind == "record" and domain.parts[0].ordered:
        items = [repair(domain.parts[0], item) for item in items]
    if domain.dense and all(type(item) is int for item in items):
        low = domain.low or 0
        ranks = {place: rank for rank, place in enumerate(sorted(range(len(items)), key=items.__getitem__))}
        return type(value)(low + ranks[place] for place in range(len(items)))
    if domain.distinct:
        items = list({repr(item): item for item in items}.values())
    if domain.ordered and not is_sorted(items):
        try:
            items.sort()
        except TypeError:
            return value
    return type(value)(items)


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
