"""Draws values: new ones of a domain, and neighbours of one."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.selection.inputs.contract.domain import Domain

_RARE = 0.2
_DIGITS = re.compile(r"\d{1,9}")


def mutate_value(value: Any, rng: random.Random, *, signed: bool = True) -> Any:  # noqa: PLR0911 - a branch a type
    """A neighbour of `value` of the same type (or `value`: not every type has one).

    Negative numbers are rare unless `signed` or `value` is negative.
    """
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        number = _near_int(value, rng) if isinstance(value, int) else _near_float(value, rng)
        return abs(number) if number < 0 <= value and not signed and rng.random() > _RARE else number
    if isinstance(value, str):
        return _near_text(value, rng) if value else rng.choice(("a", "A", "0", " "))
    if isinstance(value, list):
        return _near_list(value, rng, signed=signed) if value else value
    if isinstance(value, tuple | set | frozenset):
        items = list(value) if isinstance(value, tuple) else sorted(value, key=repr)
        return type(value)(mutate_value(items, rng, signed=signed))
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        if rng.random() < _RARE:
            return {other: item for other, item in value.items() if other != key}
        return {**value, key: mutate_value(value[key], rng, signed=signed)}
    return value


def _near_int(value: int, rng: random.Random) -> int:
    step = 10 ** rng.randrange(len(str(abs(value)))) if abs(value) < 10**18 else 1
    wider = rng.randint(2, 20)
    near = (value + 1, value - 1, value * 2, value // 2, value + wider, value + step, value - step)
    return rng.choice((*near, *near, 0, 1, -value))


def _near_float(value: float, rng: random.Random) -> float:
    return rng.choice((value + 1, value - 1, value * 2, value / 2, value + 0.5, round(value, 1), 0.0, -value))


def _near_text(value: str, rng: random.Random) -> str:
    numbers = list(_DIGITS.finditer(value))
    if numbers and rng.random() < 0.35:
        return _change_number(value, rng.choice(numbers), rng)
    parts = re.split(r"([ ,]+)", value)
    if len(parts) > 2 and rng.random() < 0.4:
        return _change_words(parts, rng)
    place = rng.randrange(len(value))
    head, here, tail = value[:place], value[place], value[place + 1 :]
    extended = (head + rng.choice(value) + here + tail, value + value, value + value[-1])
    changed = (head + rng.choice(value) + tail, head + here.swapcase() + tail, value[::-1])
    cut = (head + tail, value[: len(value) // 2], value[0], value[place:], head + here)
    other = rng.randrange(len(value))
    swapped = list(value)
    swapped[place], swapped[other] = swapped[other], swapped[place]
    near = head + chr(max(32, min(126, ord(here) + rng.choice((-1, 1))))) + tail
    return rng.choice((*extended, *changed, *cut, *changed, "".join(swapped), near))


def _change_number(value: str, found: re.Match[str], rng: random.Random) -> str:
    """A number written in `value` replaced by another, as wide where zeros stood in front."""
    number = int(found[0])
    other = rng.choice((number + 1, max(0, number - 1), 0, 1, 10 * number, number // 2, rng.randint(0, 99)))
    width = len(found[0]) if found[0].startswith("0") or len(found[0]) == 2 else 0
    return value[: found.start()] + str(other).zfill(width) + value[found.end() :]


def _change_words(parts: list[str], rng: random.Random) -> str:
    """`parts` are words with what separates them in between."""
    words, gaps = parts[::2], parts[1::2]
    place = rng.randrange(len(words))
    kind = rng.randrange(5)
    if kind == 0:
        words[place] = rng.choice(words)
    elif kind == 1:
        rng.shuffle(words)
    elif kind == 2:
        del words[place], gaps[min(place, len(gaps) - 1)]
    elif kind == 3:
        words[place] = words[place].swapcase() if rng.random() < 0.5 else words[place][::-1]
    else:
        words.insert(place, rng.choice(words))
        gaps.append(gaps[0])
    return "".join(word + gap for word, gap in zip(words, [*gaps, ""], strict=False))


def _near_list(value: list[Any], rng: random.Random, *, signed: bool) -> list[Any]:
    place, other = rng.randrange(len(value)), rng.randrange(len(value))
    head, here, tail = value[:place], value[place], value[place + 1 :]
    swapped = list(value)
    swapped[place], swapped[other] = swapped[other], swapped[place]
    copied = [*head, value[other], *tail]
    changed = mutate_value(here, rng, signed=signed)
    if _is_rectangular(value) and len(changed) != len(here):
        return [*head, *tail]  # keep a matrix a matrix
    by_size = sorted(value, key=lambda item: (type(item).__name__, repr(item)))
    reordered = (rng.sample(value, len(value)), value[::-1], by_size, swapped, copied)
    resized: tuple[list[Any], ...] = (
        [*head, *tail],
        [*head, here, here, *tail],
        value[: len(value) // 2],
        value[:1],
        value + value,
        [],
    )
    return rng.choice((*reordered, *resized, *([[*head, changed, *tail]] * 8)))


def _is_rectangular(rows: list[Any]) -> bool:
    return (
        len(rows) > 1 and all(isinstance(row, list) for row in rows) and len({len(row) for row in rows}) == 1
    )


LARGE = 10**16 + 1
"""Above 2**53, so that an int that went through a float shows."""
_WORDS = "ab"
_RUNS = re.compile(r"\d+|\D+")


def list_boundaries(domain: Domain, value: Any) -> Iterator[Any]:
    """Values at the borders of `domain` to stand in place of `value`; some may be beyond them."""
    if domain.kind == "int":
        yield from (0, 1, 2, -1, 3, 10)
        yield from (number for number in (domain.low, domain.high) if number is not None)
        yield from (value - 1, value + 1, -value, max(domain.seen, default=0), 100, LARGE)
    elif domain.kind == "float":
        yield from (0.0, 1.0, 0.5, -1.0, 1.5, 2.5, -0.5, -2.5, 1e-7, 0.1 + 0.2, 100.0, 1e16)
    elif domain.kind == "bool":
        yield not value
    elif domain.kind == "text":
        yield from _text_boundaries(domain, value)
    elif domain.kind == "list":
        yield from _list_boundaries(domain, list(value))
    elif domain.kind == "mapping":
        yield {}
        yield dict(list(value.items())[:1])
        for key, item in value.items():
            yield from ({**value, key: other} for other in list_boundaries(domain.parts[1], item))
    elif domain.kind == "mixed":
        yield from domain.seen
        yield from (
            edge for part in domain.parts if part.admits(value) for edge in list_boundaries(part, value)
        )


def _text_boundaries(domain: Domain, value: str) -> Iterator[str]:
    yield ""
    letters = domain.letters or "".join(dict.fromkeys(value)) or _WORDS
    yield from letters[:4]
    yield from (value[:1] * 2, value[:1] * 3, value[:1] * len(value), value[::-1], value + value)
    yield from (value + value[-1:], value[1:], value[:-1], value[: len(value) // 2] * 2, value + value[::-1])
    yield from (value[:1] + sign for sign in domain.signs)
    if not domain.letters:
        yield from (value.upper(), value.lower(), value.swapcase(), value.title())
        yield from (
            " ",
            "a",
            "Z",
            "0",
            "aA",
            "  " + value,
            value + " ",
            value.replace(" ", "  "),
            "é" + value,
            value + "ß",
        )
        yield from (value.replace(" ", ""), " ".join(value), value + "!", "1a2", "-1")


def _list_boundaries(domain: Domain, value: list[Any]) -> Iterator[Any]:
    make, item = domain.make, domain.parts[0]
    yield make([])
    yield from (make([only]) for only in value[:2])
    yield make(value[:2])
    if make in (set, frozenset):
        return
    if value:
        by_size = sorted(value, key=lambda entry: (type(entry).__name__, _rank(entry), repr(entry)))
        yield from (make(by_size), make(by_size[::-1]), make(value[::-1]))
        yield from (make([value[0]] * 2), make([value[0]] * len(value)), make([*value, value[0]]))
        yield from (make([value[-1], *value]), make([*value, by_size[-1]]), make([*value, by_size[0]]))
        yield from (make(value[1:]), make(value[:-1]), make(value + value), make(by_size[:1] * 3))
        for edge in list(list_boundaries(item, value[0]))[:8]:
            yield make([edge])
            yield make([edge, *value[1:]])
            yield make([*value[:-1], edge])


def _rank(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < LARGE**8 else 0.0


def draw(domain: Domain, rng: random.Random, size: int) -> Any:  # noqa: PLR0911 - one branch a kind
    """A random value of `domain`; lengths up to about `size`, numbers small or like those seen."""
    if domain.kind == "int":
        return _draw_int(domain, rng, size)
    if domain.kind == "float":
        whole = _draw_int(domain, rng, size)
        return rng.choice(
            (float(whole), whole + 0.5, round(whole + rng.random(), 2), rng.choice(domain.seen))
        )
    if domain.kind == "bool":
        return rng.random() < 0.5
    if domain.kind == "text":
        return _draw_text(domain, rng, size)
    if domain.kind == "record":
        values = [draw(part, rng, size) for part in domain.parts]
        return domain.make(sorted(values) if domain.ordered else values)
    if domain.kind == "list":
        return _draw_list(domain, rng, size)
    if domain.kind == "mapping":
        key, item = domain.parts
        return {draw(key, rng, size): draw(item, rng, size) for _ in range(_length(domain, rng, size))}
    if domain.kind == "mixed":
        return draw(rng.choice(domain.parts), rng, size)
    return rng.choice(domain.seen) if domain.seen else None


def _length(domain: Domain, rng: random.Random, size: int) -> int:
    wanted = max(domain.fewest, rng.randint(0, size))
    return wanted if domain.most is None else min(wanted, domain.most)


def _draw_int(domain: Domain, rng: random.Random, size: int) -> int:
    seen = [abs(int(value)) for value in domain.seen if abs(value) < LARGE] or [10]
    reach = rng.choice((2, 4, size + 2, max(seen), 2 * max(seen) + 1, rng.choice(seen)))
    low = domain.low if domain.low is not None else -reach
    high = max(low, 0) + reach if domain.high is None else min(domain.high, max(low, 0) + reach)
    return rng.randint(min(low, high), max(low, high)) if low > -LARGE else rng.randint(-reach, reach)


def _draw_text(domain: Domain, rng: random.Random, size: int) -> str:
    known = [text for text in domain.seen if isinstance(text, str)]
    if domain.shape:
        return "".join(rng.choice(column) for column in zip(*map(_RUNS.findall, known), strict=True))
    if " " in "".join(known) and not domain.letters and rng.random() < 0.6:
        words = [word for text in known for word in text.split()] or [_WORDS]
        return " ".join(rng.choice(words) for _ in range(max(1, _length(domain, rng, size))))
    pool = domain.letters or "".join(known) + domain.signs or _WORDS
    few = "".join(rng.sample(pool, min(len(pool), rng.choice((1, 2, 3, 30)))))
    return "".join(rng.choice(few) for _ in range(_length(domain, rng, size)))


def _draw_list(domain: Domain, rng: random.Random, size: int) -> Any:
    item = domain.parts[0]
    length = _length(domain, rng, size)
    inner = max(1, size // 2) if item.kind in ("list", "text", "mapping") else size
    items = [draw(item, rng, inner) for _ in range(length)]
    if domain.level and items:
        width = max(1, min(len(row) for row in items)) if item.kind == "list" else max(map(len, items))
        items = [_widen(row, width, item, rng) for row in items]
    if items and not domain.distinct and rng.random() < 0.3:
        items[rng.randrange(length)] = rng.choice(items)
    if domain.ordered:
        items.sort(key=lambda entry: (_rank(entry), repr(entry)))
    if domain.make in (set, frozenset):
        return domain.make(entry for entry in items if entry.__hash__)
    if domain.distinct:
        items = list({repr(entry): entry for entry in items}.values())
    return domain.make(items)


def _widen(row: Any, width: int, item: Domain, rng: random.Random) -> Any:
    """`row` with `width` items or letters."""
    if isinstance(row, str):
        pool = item.letters or "".join(map(str, item.seen)) or _WORDS
        return (row + "".join(rng.choice(pool) for _ in range(width)))[:width]
    row = list(row)[:width]
    while len(row) < width:
        row.append(draw(item.parts[0], rng, width))
    return item.make(row)
