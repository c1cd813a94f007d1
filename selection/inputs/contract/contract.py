"""The properties that all inputs of a problem share, as far as examples, signature and statement show.

A contract reads an input into a *record*: the arguments of a call, or the elements of a layout
(`layout`). It writes a record back with its counts made right, and says whether an input keeps to what
was inferred. It errs towards admitting too much: ranges come from the statement where it gives
them as inequalities; otherwise only the signs of numbers and the sorts of letters are kept.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from sstar_code.problems import Kind
from sstar_code.problems.statements.literals import read_value
from sstar_code.problems.values import Opaque, decode_lines, encode_lines
from sstar_code.selection.inputs.contract.domain import ANYTHING, Domain, infer, read_annotation
from sstar_code.selection.inputs.contract.examples import (
    annotations_of,
    example_calls,
    named_calls,
    parameter_names,
    public_inputs,
)
from sstar_code.selection.inputs.contract.stated_limits import narrow_call, narrow_layout, narrow_words
from sstar_code.selection.inputs.stdin_layout.infer import find_layout, layout_domain
from sstar_code.selection.inputs.stdin_layout.layout import balance, read_layout, write_layout
from sstar_code.selection.inputs.strategies.draw import draw

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.inputs.stdin_layout.layout import Element


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
        """The relations between arguments that hold in all `calls`, and hardly by chance."""
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
        """The form, if all samples have as many lines, one of them a container or a quoted text."""
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


_DRAWN = 3
"""Records drawn where there is a signature but no example."""
_CALLED = re.compile(r"arguments of `(\w+)`")
"""How loaders say that a program on standard input stands for a function."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The inputs of one problem."""

    form: Form | None = None
    """None: nothing about the inputs is known."""
    domain: Domain = ANYTHING
    """The domain of records."""
    records: tuple[tuple[Any, ...], ...] = ()
    """The records of the public inputs."""

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The contract that `problem` shows. Takes up to about half a second for odd layouts."""
        if problem.kind is Kind.FUNCTION:
            return cls._of_function(problem)
        return cls._of_stdin(problem)

    @classmethod
    def _of_function(cls, problem: Problem) -> Self:
        calls = _of_one_size(example_calls(problem))
        names = parameter_names(problem)
        if not calls:
            annotations = annotations_of(problem)
            domain = Domain("record", parts=tuple(map(read_annotation, annotations)))
            if not annotations:
                return cls()
            calls = _draw_records(domain, problem.id)
        else:
            domain = _record_domain(calls)
        text = f"{problem.statement}\n{problem.starter_code}"
        domain = narrow_words(narrow_call(domain, names[0] if names else (), text), text)
        return cls(CallForm.of(calls), domain, tuple(map(tuple, calls)))

    @classmethod
    def _of_stdin(cls, problem: Problem) -> Self:
        texts = [text for text in public_inputs(problem) if text.strip()]
        if not texts:
            return cls._of_called(problem)
        if lines := LinesForm.of(texts):
            records = [lines.read(text) for text in texts]
            return cls(lines, narrow_words(_record_domain(records), problem.statement), _freeze(records))
        if (elements := find_layout(texts)) is None:
            return cls()
        form = LayoutForm(elements)
        records = [record for text in texts if (record := _try_read(form, text)) is not None]
        domain = narrow_layout(layout_domain(elements, records), problem.statement)
        return cls(form, narrow_words(domain, problem.statement), _freeze(records))

    @classmethod
    def _of_called(cls, problem: Problem) -> Self:
        """A function's calls in the statement, where standard input stands for its arguments."""
        named = _CALLED.search(problem.statement)
        calls = _of_one_size(named_calls(problem.statement, named[1])) if named else []
        if not calls:
            return cls()
        columns = zip(*calls, strict=True)
        form = LinesForm(
            tuple(not all(isinstance(item, str) for item in column) for column in columns), False
        )
        return cls(form, narrow_words(_record_domain(calls), problem.statement), _freeze(calls))

    def read(self, text: str) -> list[Any] | None:
        """The record of `text`; None where it has another form."""
        return None if self.form is None else _try_read(self.form, text)

    def write(self, record: Sequence[Any]) -> str | None:
        """The text of `record` with its counts made right; None where that cannot be."""
        if self.form is None:
            return None
        try:  # a change may have gone beyond what the form can write
            return self.form.write(record)
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            return None

    def admits(self, text: str) -> bool:
        """Whether `text` has the form of the public inputs and keeps to what was inferred.

        With no form known everything but blanks is admitted.
        """
        if self.form is None:
            return bool(text.strip())
        record = self.read(text)
        return record is not None and self.domain.admits(record)

    def forbids(self, text: str) -> bool:
        """Whether `text` surely is no input, which is more than that it is unlike the public ones."""
        record = None if self.form is None else self.read(text)
        return record is not None and self.domain.forbids(record)


def _try_read(form: Form, text: str) -> list[Any] | None:
    try:
        return form.read(text)
    except (ValueError, RecursionError):
        return None


def _freeze(records: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(map(tuple, records))


def _of_one_size(calls: Sequence[list[Any]]) -> list[list[Any]]:
    """The calls that have as many arguments as most have."""
    if not calls:
        return []
    size = Counter(map(len, calls)).most_common(1)[0][0]
    return [call for call in calls if len(call) == size] if size else []


def _record_domain(records: Sequence[Sequence[Any]]) -> Domain:
    return Domain("record", parts=tuple(infer(column) for column in zip(*records, strict=True)))


def _draw_records(domain: Domain, seed: str) -> list[list[Any]]:
    rng = random.Random(seed)
    return [list(draw(domain, rng, 4)) for _ in range(_DRAWN)]
