"""How a text on standard input is laid out: lines, counted rows, counted blocks of lines.

A layout reads a text into a record (a list with one value for each element) and writes it back:

    Fixed   a line of a fixed number of words        -> [word, ...]
    Row     a line of as many words as a count says  -> [word, ...]
    Listed  a line whose first word counts the rest  -> [word, ...]
    Word    a line with one word of announced length -> text
    Whole   a line as it is                          -> text
    Repeat  a body as often as a count says          -> [record, ...]

Counts are integers of `Fixed` lines before, by their place among all that are in scope: those of the same
record and of the records around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d{0,40})")
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,40})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?")


class MismatchError(ValueError):
    """The text is not laid out so."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many follow: `times` * an integer in scope + `plus`."""

    place: int
    times: int = 1
    plus: int = 0

    def of(self, scope: Sequence[int | None]) -> int:
        """The number that is announced.

        Raises:
            MismatchError: the word in that place is no integer, or the number is negative.
        """
        value = scope[self.place] if self.place < len(scope) else None
        if value is None or (number := self.times * value + self.plus) < 0:
            raise MismatchError("a count that is no count")
        return number


@dataclass(frozen=True, slots=True)
class Fixed:
    """A line of `len(kinds)` words, each `int`, `float` or `word`."""

    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of words of one kind; None: as many as there are."""

    count: Count | None
    kind: str = "word"


@dataclass(frozen=True, slots=True)
class Listed:
    """A line whose first word says how many of one kind follow in it."""

    kind: str = "word"


@dataclass(frozen=True, slots=True)
class Word:
    """A line with one word of announced length."""

    count: Count


@dataclass(frozen=True, slots=True)
class Whole:
    """A line as it is, blanks included."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A body as often as `count` says; None: until the text ends."""

    count: Count | None
    body: tuple[Element, ...]


Element = Fixed | Row | Listed | Word | Whole | Repeat


def read_layout(elements: Sequence[Element], text: str) -> list[Any]:
    """The record that `text` writes.

    Raises:
        MismatchError: it is laid out in another way.
    """
    lines = split_lines(text)
    record, end, _ = read_part(elements, lines, 0, ())
    if end != len(lines):
        raise MismatchError("more lines than expected")
    return record


def split_lines(text: str) -> list[str]:
    """The lines without blanks at their ends and without empty ones at the end."""
    return [line.rstrip() for line in text.rstrip().split("\n")]


def read_part(
    elements: Sequence[Element], lines: Sequence[str], start: int, scope: tuple[int | None, ...]
) -> tuple[list[Any], int, tuple[int | None, ...]]:
    """Record, first line behind it, and scope behind it of what begins at line `start`.

    Raises:
        MismatchError: the lines are laid out in another way.
    """
    record: list[Any] = []
    at = start
    for element in elements:
        if isinstance(element, Repeat):
            rows, at = _read_repeat(element, lines, at, scope)
            record.append(rows)
            continue
        is_empty_row = isinstance(element, Row) and element.count is not None and not element.count.of(scope)
        if at >= len(lines):
            if not is_empty_row:
                raise MismatchError("fewer lines than expected")
            record.append([])
            continue
        record.append(_read_line(element, lines[at], scope))
        if isinstance(element, Fixed):
            scope += tuple(value if type(value) is int else None for value in record[-1])
        at += 1
    return record, at, scope


def _read_repeat(
    element: Repeat, lines: Sequence[str], at: int, scope: tuple[int | None, ...]
) -> tuple[list[Any], int]:
    rows: list[Any] = []
    wanted = None if element.count is None else element.count.of(scope)
    if wanted is not None and wanted > len(lines) - at + 1:
        raise MismatchError("fewer lines than announced")
    while at < len(lines) if wanted is None else len(rows) < wanted:
        before = at
        row, at, _ = read_part(element.body, lines, at, scope)
        rows.append(row)
        if at == before and wanted is None:
            raise MismatchError("a body without a line")
    return rows, at


def _read_line(element: Element, line: str, scope: tuple[int | None, ...]) -> Any:
    if isinstance(element, Whole):
        return line
    words = line.split()
    if isinstance(element, Fixed):
        if len(words) != len(element.kinds):
            raise MismatchError("another number of words")
        return [read_word(word, kind) for word, kind in zip(words, element.kinds, strict=True)]
    if isinstance(element, Row):
        if element.count is not None and len(words) != element.count.of(scope):
            raise MismatchError("another number of words than announced")
        return [read_word(word, element.kind) for word in words]
    if isinstance(element, Listed):
        if not words or words[0] != str(len(words) - 1):
            raise MismatchError("another number of words than announced")
        return [read_word(word, element.kind) for word in words[1:]]
    if isinstance(element, Word) and (len(words) > 1 or len(line.strip()) != element.count.of(scope)):
        raise MismatchError("another length than announced")
    return line.strip()


def read_word(word: str, kind: str) -> Any:
    """The value of one word.

    `any` reads an int where it can and keeps the text else.

    Raises:
        MismatchError: it is not of that kind.
    """
    if kind == "word":
        return word
    if _INTEGER.fullmatch(word):
        return int(word)
    if kind == "any":
        return word
    if kind == "float" and _NUMBER.fullmatch(word):
        return float(word)
    raise MismatchError(f"not of kind {kind}")


def kind_of(words: Sequence[str]) -> str:
    """The narrowest kind that all `words` have."""
    if words and all(_INTEGER.fullmatch(word) for word in words):
        return "int"
    return "float" if words and all(_NUMBER.fullmatch(word) for word in words) else "word"


def write_layout(elements: Sequence[Element], record: Sequence[Any]) -> str:
    """The text of `record`, with a line break at its end."""
    return "\n".join(_lines(elements, record)) + "\n"


def _lines(elements: Sequence[Element], record: Sequence[Any]) -> list[str]:
    found: list[str] = []
    for element, value in zip(elements, record, strict=True):
        if isinstance(element, Repeat):
            for row in value:
                found += _lines(element.body, row)
        elif isinstance(element, Whole | Word):
            found.append(value)
        elif isinstance(element, Listed):
            found.append(" ".join(map(_write_word, (len(value), *value))))
        else:
            found.append(" ".join(map(_write_word, value)))
    return found


def _write_word(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


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
