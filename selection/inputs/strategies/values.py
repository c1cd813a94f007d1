"""Neighbours of Python values, type by type."""

from __future__ import annotations

import random
import re
from typing import Any

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
