"""Infers from sample inputs how a standard input is laid out, and the domains of its elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.contract.domain import ANYTHING, Domain, infer
from sstar_code.selection.inputs.stdin_layout.layout import (
    Count,
    Fixed,
    Listed,
    MismatchError,
    Repeat,
    Row,
    Whole,
    Word,
    kind_of,
    read_layout,
    read_part,
    split_lines,
)

if TYPE_CHECKING:
    from sstar_code.selection.inputs.stdin_layout.layout import Element

_MAX_CHARS = 4_000
_MAX_TRIES = 1_500
"""Layouts tried before a text counts as unreadable."""
_MAX_ELEMENTS = 5
_MAX_DEPTH = 2
_MAX_WIDTH = 10
_FORMULAS = ((1, 0), (1, -1), (2, 0), (1, 1))


def find_layout(texts: Sequence[str]) -> tuple[Element, ...] | None:
    """The first layout, explained ones before loose ones, that reads all of `texts`; None: there is none.

    Samples decide between explanations: `2` before two lines of two numbers may announce either, and the
    second sample usually shows which.
    """
    samples = [split_lines(text) for text in texts if text.strip() and len(text) <= _MAX_CHARS]
    if not samples:
        return None
    found = _Search(samples).run()
    return None if found is None else _with_kinds(found, texts)


class _Search:
    def __init__(self, samples: list[list[str]]) -> None:
        self._samples = samples
        self._guide = max(samples, key=len)
        self._tries = 0
        self._depth = 1
        self._loose = False

    def run(self) -> tuple[Element, ...] | None:
        """Blocks inside blocks, and lines of any length, are tried only where simpler layouts do not do."""
        for self._depth, self._loose in ((1, False), (_MAX_DEPTH, False), (1, True), (_MAX_DEPTH, True)):
            self._tries = 0
            if found := self._extend(()):
                return found
        return None

    def _fits(self, elements: tuple[Element, ...], *, whole: bool) -> bool:
        """Whether the elements match the beginning (with `whole`: all) of every sample."""
        self._tries += 1
        for lines in self._samples:
            try:
                _, end, _ = read_part(elements, lines, 0, ())
            except MismatchError:
                return False
            if whole and end != len(lines):
                return False
        return True

    def _extend(self, elements: tuple[Element, ...]) -> tuple[Element, ...] | None:
        _, at, scope = read_part(elements, self._guide, 0, ())
        if elements and self._fits(elements, whole=True):
            return elements
        if at >= len(self._guide) or len(elements) >= _MAX_ELEMENTS:
            return None
        for option in self._options(at, scope, 0):
            if self._tries > _MAX_TRIES:
                return None
            longer = (*elements, option)
            if self._fits(longer, whole=False) and (found := self._extend(longer)):
                return found
        return None

    def _options(self, at: int, scope: tuple[int | None, ...], depth: int) -> Iterator[Element]:
        """The elements that may begin at line `at` of the guide, best explained first.

        Inside a body plain lines come before blocks: a nested block seldom comes first.
        """
        words = self._guide[at].split()
        counts = _counts(scope)
        fixed: list[Element] = [Fixed(("any",) * len(words))] if 1 <= len(words) <= _MAX_WIDTH else []
        for certain in (True, False):
            chosen = [(count, number) for count, number in counts if (number > 1) is certain]
            if depth == 0:
                yield from self._blocks(chosen, at, scope, depth)
            yield from _explained_lines(words, chosen)
            if depth and certain:
                yield from fixed
        if depth:
            yield from self._blocks(counts, at, scope, depth)
        else:
            yield from fixed
        if len(words) > 1 and words[0] == str(len(words) - 1):
            yield Listed("any")
        if not self._loose:
            return
        yield Row(None, "any")
        if depth == 0:
            lines: tuple[Element, ...] = (*fixed, Row(None, "any"), Whole())
            yield from (Repeat(None, (line,)) for line in lines)
        yield Whole()

    def _blocks(
        self, counts: list[tuple[Count, int]], at: int, scope: tuple[int | None, ...], depth: int
    ) -> Iterator[Repeat]:
        for count, number in counts:
            if number <= len(self._guide) - at and depth < self._depth:
                yield from self._repeats(count, at, scope, depth)

    def _repeats(self, count: Count, at: int, scope: tuple[int | None, ...], depth: int) -> Iterator[Repeat]:
        """Bodies that can be read as often as `count` says, short ones first."""
        bodies: list[tuple[Element, ...]] = [()]
        while bodies and self._tries <= _MAX_TRIES:
            body = bodies.pop(0)
            _, end, inner = read_part(body, self._guide, at, scope)
            if end >= len(self._guide) or len(body) >= _MAX_ELEMENTS:
                continue
            for option in self._options(end, inner, depth + 1):
                longer = (*body, option)
                self._tries += 1
                try:
                    read_part(longer, self._guide, at, scope)
                except MismatchError:
                    continue
                bodies.append(longer)
                repeat = Repeat(count, longer)
                try:
                    read_part((repeat,), self._guide, at, scope)
                except MismatchError:
                    continue
                yield repeat
                if self._tries > _MAX_TRIES:
                    return


def _explained_lines(words: list[str], counts: list[tuple[Count, int]]) -> Iterator[Element]:
    """Rows and words whose length is announced."""
    for count, number in counts:
        if number == len(words) and (number > 1 or count.plus == 0):
            yield Row(count, "any")
        if len(words) == 1 and number == len(words[0]) and _is_text(words[0]):
            yield Word(count)


def _counts(scope: tuple[int | None, ...]) -> list[tuple[Count, int]]:
    """Plain counts before formulas, near ones before far ones."""
    return [
        (Count(place, times, plus), times * number + plus)
        for times, plus in _FORMULAS
        for place, number in reversed(list(enumerate(scope)))
        if number is not None and times * number + plus >= 1
    ]


def _is_text(word: str) -> bool:
    return not word.lstrip("+-").isdigit() or set(word) <= {"0", "1"}


def _with_kinds(elements: tuple[Element, ...], texts: Sequence[str]) -> tuple[Element, ...]:
    """The same layout with the kind of every word, from what all samples have there."""
    records = []
    for text in texts:
        try:
            records.append(read_layout(elements, text))
        except MismatchError:
            continue  # a sample that was too long to search on
    return _settle(elements, records)


def _settle(elements: tuple[Element, ...], records: list[list[Any]]) -> tuple[Element, ...]:
    settled: list[Element] = []
    for place, element in enumerate(elements):
        values = [record[place] for record in records]
        if isinstance(element, Repeat):
            rows = [row for value in values for row in value]
            settled.append(replace(element, body=_settle(element.body, rows)))
        elif isinstance(element, Fixed):
            columns = [[str(value[column]) for value in values] for column in range(len(element.kinds))]
            settled.append(Fixed(tuple(map(kind_of, columns))))
        elif isinstance(element, Row | Listed):
            kind = kind_of([str(item) for value in values for item in value])
            is_prose = isinstance(element, Row) and element.count is None and kind == "word"
            settled.append(Whole() if is_prose else replace(element, kind=kind))
        else:
            settled.append(element)
    return tuple(settled)


_TEXT = Domain("text", seen=("",))


def layout_domain(elements: Sequence[Element], records: Sequence[Sequence[Any]]) -> Domain:
    """The domain of whole records; numbers that were never 0 begin at 1, and so do lengths."""
    parts = [
        _element(element, [record[place] for record in records]) for place, element in enumerate(elements)
    ]
    return Domain("record", parts=tuple(parts), make=list)


def _element(element: Element, values: list[Any]) -> Domain:
    if isinstance(element, Fixed):
        columns = range(len(element.kinds))
        parts = [_positive(infer([value[column] for value in values])) for column in columns]
        return Domain("record", parts=tuple(parts), make=list)
    if isinstance(element, Repeat):
        body = layout_domain(element.body, [row for value in values for row in value])
        return Domain("list", parts=(body,), fewest=_fewest(values))
    domain = infer(values)
    if domain.kind == "list":
        return replace(domain, parts=(_positive(domain.parts[0]),), fewest=_fewest(values))
    if domain.kind == "record":  # a row whose samples happen to have one length
        items = [item for value in values for item in value]
        return Domain("list", domain.seen, parts=(_positive(infer(items)),), fewest=_fewest(values))
    if domain is ANYTHING:
        return _TEXT
    return replace(domain, fewest=_fewest(values))


def _fewest(values: Sequence[Any]) -> int:
    return min(1, min(map(len, values), default=0))


def _positive(domain: Domain) -> Domain:
    if domain.kind in ("int", "float") and domain.low == 0 and min(domain.seen) >= 1:
        return replace(domain, low=1)
    return domain
