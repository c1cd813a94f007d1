"""How the records of a contract are written: as a call, as literal lines, or in a layout."""

from __future__ import annotations

import json
from collections.abc import Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sstar_code.problems.statements.literals import read_value
from sstar_code.problems.values import Opaque, decode_lines, encode_lines
from sstar_code.selection.inputs.stdin_layout.layout import balance, read_layout, write_layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from sstar_code.selection.inputs.stdin_layout.layout import Element

__all__ = ["CallForm", "Form", "LayoutForm", "LinesForm"]


class Form(Protocol):
    """Reads and writes records."""

    def read(self, text: str) -> list[Any]:
        """The record that `text` writes.

        Raises:
            ValueError: it writes none.
        """
        ...

    def write(self, record: Sequence[Any]) -> str | None:
        """The text of `record`, its counts made right; None where that cannot be."""
        ...


@dataclass(frozen=True, slots=True)
class CallForm:
    """The arguments of a function, one encoded value a line."""

    counts: tuple[tuple[int, int], ...] = ()
    """(place of an int, place of the list whose length it is)."""
    equal: tuple[tuple[int, int], ...] = ()
    """Places of two lists of one length."""

    @classmethod
    def of(cls, calls: Sequence[Sequence[Any]]) -> Self:
        """What holds in all `calls` and hardly by chance."""
        if not calls:
            return cls()
        places = range(len(calls[0]))
        pairs = [(one, other) for one in places for other in places if one != other]
        counts = [pair for pair in pairs if all(_counts(call[pair[0]], call[pair[1]]) for call in calls)]
        lists = [pair for pair in pairs if pair[0] < pair[1]]
        equal = [pair for pair in lists if all(_are_level(call[pair[0]], call[pair[1]]) for call in calls)]
        sizes = {len(call[pair[0]]) for pair in equal for call in calls}
        certain = len(sizes) > 1 or max(sizes, default=0) > 2
        return cls(tuple(counts), tuple(equal) if certain else ())

    def read(self, text: str) -> list[Any]:
        """The arguments; ValueError where a line is none."""
        record = decode_lines(text)
        if any(isinstance(item, Opaque) for item in record):
            raise ValueError("a value that cannot be decoded")
        return record

    def write(self, record: Sequence[Any]) -> str | None:
        """One argument a line."""
        call = list(record)
        for one, other in self.equal:
            sizes = sorted((len(call[one]), len(call[other])))
            size = sizes[1] if sizes[0] > 0 and sizes[1] <= 2 * sizes[0] else sizes[0]
            for place in (one, other):
                call[place] = (call[place] * 2)[:size]
        for count, counted in self.counts:
            call[count] = len(call[counted])
        try:
            return encode_lines(call)
        except (ValueError, RecursionError):
            return None


def _counts(number: Any, items: Any) -> bool:
    return type(number) is int and isinstance(items, list | tuple) and number == len(items) > 1


def _are_level(one: Any, other: Any) -> bool:
    return isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other)


@dataclass(frozen=True, slots=True)
class LinesForm:
    """Arguments on standard input, one literal (or plain text) a line, as sets made from functions have."""

    literal: tuple[bool, ...]
    """Whether the line is a literal; else it is text as it is."""
    as_json: bool

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self | None:
        """Where every sample has as many lines and at least one line holds a container or a quoted text."""
        samples = [text.rstrip("\n").split("\n") for text in texts]
        if not samples or len({len(lines) for lines in samples}) > 1:
            return None
        columns = list(zip(*samples, strict=True))
        literal = tuple(all(_is_literal(line) for line in column) for column in columns)
        marked = any(
            known and column[0].strip()[:1] in tuple("[({\"'")
            for known, column in zip(literal, columns, strict=True)
        )
        as_json = all(
            _is_json(line) for known, column in zip(literal, columns, strict=True) if known for line in column
        )
        return cls(literal, as_json) if marked else None

    def read(self, text: str) -> list[Any]:
        """One value a line."""
        lines = text.rstrip("\n").split("\n")
        if len(lines) != len(self.literal):
            raise ValueError("another number of lines")
        return [read_value(line) if known else line for line, known in zip(lines, self.literal, strict=True)]

    def write(self, record: Sequence[Any]) -> str | None:
        """One value a line, spelt as in the samples."""
        try:
            lines = [
                (json.dumps(value) if self.as_json else repr(value)) if known else str(value)
                for value, known in zip(record, self.literal, strict=True)
            ]
        except (TypeError, ValueError, RecursionError):
            return None
        return "\n".join(lines)


def _is_literal(line: str) -> bool:
    try:
        return isinstance(read_value(line), Sized | int | float | None)
    except ValueError:
        return False


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class LayoutForm:
    """Standard input in a layout of lines, rows and blocks."""

    elements: tuple[Element, ...]

    def read(self, text: str) -> list[Any]:
        """The record; ValueError where the text is laid out in another way."""
        return read_layout(self.elements, text)

    def write(self, record: Sequence[Any]) -> str | None:
        """The text, all counts made right."""
        balanced = balance(self.elements, record)
        return None if balanced is None else write_layout(self.elements, balanced)
