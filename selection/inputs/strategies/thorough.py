"""Streams of records for a search that may cost more: made by kind of value, not by what an example shows.

Three observations stand behind them. Most faults show on some small input, so small ones are enumerated (the
small scope hypothesis of Jackson's "Software Abstractions"). A program that knows finitely many cases shows
it by a length or a number just beyond them. And texts have parts: words, numbers, what stands between; a
program fails where these meet in a way that no example has.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.strategies.draw import draw
from sstar_code.selection.inputs.strategies.records import list_nodes, replace_node

if TYPE_CHECKING:
    from sstar_code.selection.inputs.contract.domain import Domain

_LEVELS = 4
_MOST_VALUES = 400
"""Values of one place, and records, of one level; of more a sample is taken."""
_LONGEST = 130
"""Items or letters of the longest list or text whose length is varied."""
_MOST_LITERALS = 8
_INTEGERS = (0, 1, 2, -1, 3, 4, -2, 5, 6, 7, 8, 9)
_FLOATS = (0.0, 1.0, 0.5, -1.0, 2.0, 1.5, -0.5, 2.5, -1.5, 3.0)
_PLAIN = "ab"
_TOKENS = re.compile(r"[A-Za-z]+|\d+|\s|[^\w\s]|_")

Record = list[Any]


def enumerate_small(domain: Domain, rng: random.Random) -> Iterator[Record]:
    """Records of few and small values, the smallest first, in an order of their own on each level."""
    for level in range(1, _LEVELS + 1):
        columns = [_list_small(part, level, rng) for part in domain.parts]
        yield from map(list, _sample_product(columns, rng))


def _sample_product(columns: Sequence[Sequence[Any]], rng: random.Random) -> list[tuple[Any, ...]]:
    """All rows with one value of each column, or a sample of them; in random order."""
    total = 1
    for column in columns:
        total *= len(column)
    if total <= _MOST_VALUES:
        rows = list(itertools.product(*columns))
        rng.shuffle(rows)
        return rows
    return [tuple(map(rng.choice, columns)) for _ in range(_MOST_VALUES)]


def _list_small(domain: Domain, level: int, rng: random.Random) -> list[Any]:  # noqa: PLR0911 - a branch a kind
    if domain.kind == "int":
        low = domain.low or 0
        return [low + number if low > 0 else number for number in _INTEGERS[: 3 * level]]
    if domain.kind == "float":
        return list(_FLOATS[: 3 * level])
    if domain.kind == "bool":
        return [False, True]
    if domain.kind == "text":
        letters = _choose_letters(domain, rng)
        return [text for size in range(level + 1) for text in _list_texts(letters, size, rng)]
    if domain.kind == "record":
        return [
            domain.make(row)
            for row in _sample_product([_list_small(p, level, rng) for p in domain.parts], rng)
        ]
    if domain.kind == "list":
        items = _list_small(domain.parts[0], max(1, level - 1), rng)
        rows = [row for size in range(level + 1) for row in _sample_product([items] * size, rng)]
        return [domain.make(row) for row in rows if domain.make is list or _is_hashable(row)] or [
            domain.make()
        ]
    if domain.kind == "mapping":
        keys, values = (_list_small(part, level, rng) for part in domain.parts)
        pairs = [pair for pair in _sample_product([keys, values], rng) if _is_hashable(pair[:1])]
        return [dict(rng.sample(pairs, min(len(pairs), size))) for size in range(level + 1)]
    if domain.kind == "mixed":
        return [value for part in domain.parts for value in _list_small(part, level, rng)]
    return list(domain.seen[:level]) or [None]


def _is_hashable(row: Sequence[Any]) -> bool:
    try:
        return hash(tuple(row)) is not None
    except TypeError:
        return False


def _choose_letters(domain: Domain, rng: random.Random) -> str:
    """A few letters of a text: of each sort that is seen at least one."""
    known = domain.letters or "".join(dict.fromkeys("".join(map(str, domain.seen)))) or _PLAIN
    sorts: dict[str, list[str]] = {}
    for letter in known + domain.signs:
        sort = (
            "digit"
            if letter.isdigit()
            else "upper"
            if letter.isupper()
            else "lower"
            if letter.isalpha()
            else letter
        )
        sorts.setdefault(sort, []).append(letter)
    chosen = [rng.choice(letters) for letters in sorts.values()][:4]
    more = [letter for letters in sorts.values() for letter in letters if letter not in chosen]
    return "".join([*chosen, *rng.sample(more, min(len(more), 2))])


def _list_texts(letters: str, size: int, rng: random.Random) -> list[str]:
    return ["".join(row) for row in _sample_product([letters] * size, rng)]


def spread_lengths(
    domain: Domain, records: Sequence[Sequence[Any]], numbers: Sequence[int], rng: random.Random
) -> Iterator[Record]:
    """Examples with one list or text drawn anew, of every length up to 130.

    Lengths about the numbers that programs name come first.
    """
    near = [abs(number) + step for number in numbers[:_MOST_LITERALS] for step in (1, 2, 3, 6)]
    sizes = list(dict.fromkeys(size for size in near if size <= _LONGEST))
    sizes += rng.sample(range(_LONGEST), _LONGEST)
    for size in sizes:
        record = list(rng.choice(records))
        nodes = [node for node in list_nodes(domain, record, rng) if node[1].kind in ("list", "text")]
        if not nodes:
            return
        path, part, _ = rng.choice(nodes)
        longer = replace(part, fewest=size, most=size)
        yield list(replace_node(record, path, draw(longer, rng, size)))


def spread_numbers(
    domain: Domain, records: Sequence[Sequence[Any]], numbers: Sequence[int], rng: random.Random
) -> Iterator[Record]:
    """Examples with one number of a sort that programs treat in ways of their own: powers, squares.

    Also round ones, what lies next to them, and beyond the numbers that programs name; both signs.
    """
    special = [base**power + step for base in (2, 3, 5, 10) for power in range(1, 8) for step in (-1, 0, 1)]
    special += [side**2 + step for side in range(2, 32) for step in (0, 1)] + [
        side**3 for side in range(2, 12)
    ]
    special += [abs(number) + step for number in numbers for step in (1, 2, 10)] + list(range(-9, 60))
    rng.shuffle(special)
    for number in special:
        record = list(rng.choice(records))
        nodes = [node for node in list_nodes(domain, record, rng) if node[1].kind in ("int", "float")]
        if not nodes:
            return
        path, part, _ = rng.choice(nodes)
        other = -number if rng.random() < 0.25 else number
        yield list(
            replace_node(record, path, other if part.kind == "int" else other + rng.choice((0.0, 0.5, 0.25)))
        )


def recombine_parts(domain: Domain, records: Sequence[Sequence[Any]], rng: random.Random) -> Iterator[Record]:
    """Examples with one text put together anew from the parts of all texts of its place.

    Parts are words, numbers, blanks and signs. Texts that are all numbers become other numbers.
    """
    while True:
        record = list(rng.choice(records))
        nodes = [node for node in list_nodes(domain, record, rng) if node[1].kind == "text"]
        if not nodes:
            return
        path, part, value = rng.choice(nodes)
        change = rng.choice(_NUMERIC if _are_numbers(part) and rng.random() < 0.7 else _TEXTUAL)
        pool = [token for text in (*part.seen, part.signs) for token in _TOKENS.findall(str(text))] or list(
            _PLAIN
        )
        yield list(replace_node(record, path, change(_TOKENS.findall(value), pool, rng)))


def _are_numbers(domain: Domain) -> bool:
    try:
        return bool(domain.seen) and all(float(text) == float(text) for text in domain.seen)
    except ValueError:
        return False


def _join_any(_: list[str], pool: list[str], rng: random.Random) -> str:
    return "".join(rng.choice(pool) for _ in range(rng.randint(0, 6)))


def _keep_one(tokens: list[str], pool: list[str], rng: random.Random) -> str:
    return rng.choice(tokens or pool)


def _insert(tokens: list[str], pool: list[str], rng: random.Random) -> str:
    place = rng.randint(0, len(tokens))
    return "".join([*tokens[:place], rng.choice(pool), *tokens[place:]])


def _double(tokens: list[str], pool: list[str], rng: random.Random) -> str:
    place = rng.randrange(len(tokens)) if tokens else 0
    return "".join([*tokens[: place + 1], *tokens[place:]]) or rng.choice(pool)


def _leave_out(tokens: list[str], _: list[str], rng: random.Random) -> str:
    place = rng.randint(0, len(tokens))
    return "".join([*tokens[:place], *tokens[place + 1 :]])


def _cut(tokens: list[str], _: list[str], rng: random.Random) -> str:
    first, last = sorted((rng.randint(0, len(tokens)), rng.randint(0, len(tokens))))
    return "".join(tokens[first:last])


def _swap_case(tokens: list[str], pool: list[str], rng: random.Random) -> str:
    text = "".join(tokens) or rng.choice(pool)
    place = rng.randrange(len(text)) if text else 0
    return text[:place] + text[place : place + 1].swapcase() + text[place + 1 :]


def _mirror(tokens: list[str], pool: list[str], rng: random.Random) -> str:
    text = "".join(tokens[: rng.randint(1, 3)]) or rng.choice(pool)
    return text + rng.choice((text[::-1], text[::-1].swapcase(), text.swapcase(), text[-2::-1]))


_TEXTUAL: tuple[Callable[[list[str], list[str], random.Random], str], ...] = (
    *(_join_any, _keep_one, _insert, _double, _leave_out, _cut, _swap_case, _mirror),
)


def _write_number(_: list[str], __: list[str], rng: random.Random) -> str:
    whole = rng.choice(
        (rng.randint(0, 9), rng.randint(0, 9), rng.randint(10, 200), rng.randint(10**5, 10**8))
    )
    sign, tail = (
        rng.choice(("", "", "-")),
        rng.choice(("", ".5", ".5", ".0", ".49", ".51", ".25", ".75", ".999")),
    )
    return f"{sign}{whole}{tail}"


_NUMERIC = (_write_number,)


def relate_places(domain: Domain, records: Sequence[Sequence[Any]], rng: random.Random) -> Iterator[Record]:
    """Examples in which one list or text is made of another: a part of it, turned, reversed, twice."""
    pairs = [
        (one, other)
        for one, first in enumerate(domain.parts)
        for other, second in enumerate(domain.parts)
        if one != other and first.kind == second.kind and first.kind in ("list", "text")
    ]
    while pairs:
        one, other = rng.choice(pairs)
        record = list(rng.choice(records))
        source: Any = record[one]
        if not hasattr(source, "__getitem__"):
            return
        first, last = sorted((rng.randint(0, len(source)), rng.randint(0, len(source))))
        turned = source[first:] + source[:first]
        part = turned[: rng.randint(0, len(turned))]
        made = rng.choice(
            (source[first:last], turned, part, source[::-1], source, source + source, source[:0])
        )
        yield [*record[:other], made, *record[other + 1 :]]
