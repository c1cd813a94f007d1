"""Test inputs without a model: variations of the public ones that keep to the problem's contract.

Several strategies, each an endless or finite stream, are taken in turn, so that the first inputs are already
varied:

    edges    one value of an example at a border of its domain: 0, 1, the stated ends, empty, one
             item, all equal, sorted, reversed, a tie, a doubled item, other cases of letters
    near     one or two values of an example changed a little
    tiny     drawn from the domain, with few items and small numbers
    alike    drawn from the domain, as large as the examples
    crossed  values of one example in another, or of one place in another
    deep     inputs that told programs apart, changed further
    words    one value that the statement or a program names, or one near to it
    retyped  a value of another type or form, or a wrong count, where no annotation forbids it
    reflow   the words of an example on other lines, where the statement allows it
    big      drawn from the domain, with more items than the examples have
    stretch  borders that the contract does not admit: 10**16 + 1, -1, an empty list, an odd letter

A search that may cost more has besides (`thorough`):

    small    all small values, the smallest first
    lengths  lists and texts of every length, those beyond a number of a program first
    numbers  powers, squares, round numbers and those next to them
    parts    the words, numbers and signs of texts, put together anew
    related  one list or text made of another: its part, turned, reversed

An input that is not admitted is rare in all but the last. Nothing guarantees validity.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.values import encode_lines
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.contract.examples import annotations_of, public_inputs
from sstar_code.selection.inputs.strategies.draw import LARGE, draw, list_boundaries
from sstar_code.selection.inputs.strategies.plain_text import enlarge_text, mutate_text, read_dictionary
from sstar_code.selection.inputs.strategies.records import (
    change,
    cross,
    list_nodes,
    put_word,
    replace_node,
    retype,
)
from sstar_code.selection.inputs.strategies.thorough import (
    enumerate_small,
    recombine_parts,
    relate_places,
    spread_lengths,
    spread_numbers,
)

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.inputs.contract.domain import Domain
    from sstar_code.selection.inputs.strategies.records import Path

_TRIES = 12
"""Records made for each input wanted: small examples have few different neighbours."""
_SIZES = {"tiny": (1, 3), "alike": (3, 9), "big": (10, 60)}
_STRETCH = 0.1
"""Chance that a record that the contract does not admit is kept nevertheless."""
_BEYOND = 0.3
"""The same for the streams of a thorough search."""
_THOROUGH = ("small", "lengths", "numbers", "parts", "related")
_MAX_SCALAR = 10**5
"""Largest border value of a number that is no item of a list, and so may say how long a program runs; larger
ones are left to `large_inputs`."""
_REFLOWS = 20
_RETYPES = 400
_FREE_FLOW = re.compile(
    r"line breaks|any number of lines|spread over|several lines|whitespace", re.IGNORECASE
)
_MAX_CHARS = 60_000
_UNSTATED = 2_000
"""Most items where the statement does not say how many there may be: more than Python's recursion limit."""
_MOST_ITEMS = 10_000
"""Most items in any case: enough for a quadratic program to run out of time."""
_SMALL = 9
"""Most items in each of many items that have a length themselves."""


class Mutations:
    """Streams of different inputs of one problem, none of them public. Equal seeds give equal streams."""

    def __init__(
        self,
        problem: Problem,
        seed: str,
        contract: Contract | None = None,
        codes: Iterable[str] = (),
        *,
        thorough: bool = False,
    ) -> None:
        """Infer the contract of `problem` (or take `contract`) and make nothing yet.

        `codes`: the programs that are to be told apart; their literals are used.
        """
        self._is_thorough = thorough
        self._words = read_dictionary(problem.statement, codes)
        self._flows = problem.kind is Kind.STDIN and _FREE_FLOW.search(problem.statement) is not None
        self.contract = contract or Contract.of(problem)
        self._kind = problem.kind
        self._is_untyped = problem.kind is Kind.FUNCTION and not any(annotations_of(problem))
        self._texts = public_inputs(problem)
        self._given = set(self._texts)
        self._seed = seed
        self._seeds: list[list[Any]] = [list(record) for record in self.contract.records]
        self._streams = self._make_streams()

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of the streams that have not ended, in the order to take turns."""
        return tuple(self._streams)

    def take(self, strategy: str) -> str | None:
        """The next input of `strategy`; None where it has ended, or only repeats itself."""
        stream = self._streams.get(strategy)
        for text in stream or ():
            if text is not None and text not in self._given and len(text) <= _MAX_CHARS:
                self._given.add(text)
                return text
        self._streams.pop(strategy, None)
        return None

    def learn(self, text: str) -> None:
        """Let `deep` go on from `text`, which told programs apart."""
        if (record := self.contract.read(text)) is not None:
            self._seeds.append(record)

    def _make_streams(self) -> dict[str, Iterator[str | None]]:
        if self.contract.form is None:
            is_text = self._kind is Kind.STDIN and any(text.strip() for text in self._texts)
            return {"text": self._of_text()} if is_text else {}
        if not self.contract.records or not self.contract.domain.parts:
            return {}
        return {
            "edges": self._edges(admitted=True),
            "near": self._random("near"),
            "tiny": self._random("tiny"),
            "alike": self._random("alike"),
            "words": self._random("words"),
            "stretch": self._edges(admitted=False),
            "crossed": self._random("crossed"),
            "deep": self._random("deep"),
            "big": self._random("big"),
            **(self._make_thorough_streams() if self._is_thorough else {}),
            **({"retyped": self._retyped()} if self._is_untyped else {}),
            **({"reflow": self._reflow()} if self._flows else {}),
        }

    def _make_thorough_streams(self) -> dict[str, Iterator[str | None]]:
        (domain, records, numbers) = (self.contract.domain, self.contract.records, self._words.numbers)
        rngs = {name: random.Random(f"{self._seed}:{name}") for name in _THOROUGH}
        streams = {
            "small": enumerate_small(domain, rngs["small"]),
            "lengths": spread_lengths(domain, records, numbers, rngs["lengths"]),
            "numbers": spread_numbers(domain, records, numbers, rngs["numbers"]),
            "parts": recombine_parts(domain, records, rngs["parts"]),
            "related": relate_places(domain, records, rngs["related"]),
        }
        return {name: self._write_all(stream, rngs[name]) for name, stream in streams.items()}

    def _write_all(self, records: Iterator[list[Any]], rng: random.Random) -> Iterator[str | None]:
        """The texts of `records`, few that are not admitted; it ends where nothing new comes."""
        repeated = 0
        while repeated < 20 * _TRIES:
            try:
                text = self.contract.write(next(records))
            except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError):
                text = None  # beyond the domain
            except StopIteration:
                return
            is_new = text is not None and text not in self._given
            if is_new and text and (self.contract.admits(text) or rng.random() < _BEYOND):
                repeated = 0
                yield text
            else:
                repeated += 1

    def _retyped(self) -> Iterator[str | None]:
        """Written as they are, without counts made right."""
        rng = random.Random(f"{self._seed}:retyped")
        records = [list(record) for record in self.contract.records if record]
        for _ in range(_RETYPES if records else 0):
            try:
                yield encode_lines(retype(self.contract.domain, rng.choice(records), rng))
            except (TypeError, ValueError, RecursionError):
                yield None

    def _reflow(self) -> Iterator[str | None]:
        rng = random.Random(f"{self._seed}:reflow")
        for _ in range(_REFLOWS):
            words = [text.split() for text in rng.choice(self._texts).splitlines()]
            flat = [word for line in words for word in line]
            breaks = [rng.choice(("\n", " ", " ", "\n\n")) for _ in flat]
            yield "".join(word + gap for word, gap in zip(flat, breaks, strict=True)).rstrip() + "\n"
            yield "\n".join(flat) + "\n"

    def _of_text(self) -> Iterator[str | None]:
        rng = random.Random(f"{self._seed}:text")
        for _ in range(1_000):
            yield mutate_text(rng.choice(self._texts), rng)

    def _edges(self, *, admitted: bool) -> Iterator[str | None]:
        """Every node of every example in turn, one border value each."""
        rng = random.Random(f"{self._seed}:edges")
        domain = self.contract.domain
        waiting = []
        for record in self.contract.records[:4]:
            nodes = list_nodes(domain, list(record), rng)
            for path, part, value in nodes:
                borders = list_boundaries(part, value)
                if part.kind == "int" and not _is_item(domain, path):
                    borders = (number for number in borders if abs(number) <= _MAX_SCALAR)
                waiting.append((record, path, borders))
        while waiting:
            left = []
            for record, path, borders in waiting:
                if text := self._next_edge(list(record), path, borders, admitted=admitted):
                    yield text
                    left.append((record, path, borders))
            waiting = left

    def _next_edge(
        self, record: list[Any], path: tuple[int, ...], borders: Iterator[Any], *, admitted: bool
    ) -> str | None:
        for border in borders:
            text = self.contract.write(replace_node(record, path, border))
            if text is not None and text not in self._given and self.contract.admits(text) is admitted:
                return text
        return None

    def _random(self, strategy: str) -> Iterator[str | None]:
        rng = random.Random(f"{self._seed}:{strategy}")
        failed = 0
        while failed < 20 * _TRIES:
            text = None
            for _ in range(_TRIES):
                try:
                    text = self.contract.write(self._record(strategy, rng))
                except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError):
                    text = None  # an input to go on from was beyond the domain, in types too
                is_new = text is not None and text not in self._given
                if is_new and text and (self.contract.admits(text) or rng.random() < _STRETCH):
                    break
                failed += 1
            else:
                continue
            failed = 0
            yield text

    def _record(self, strategy: str, rng: random.Random) -> list[Any]:
        contract, domain = self.contract, self.contract.domain
        if strategy == "near":
            return change(domain, list(rng.choice(contract.records)), rng, rng.choice((1, 1, 2)))
        if strategy == "deep":
            return change(domain, list(rng.choice(self._seeds[-12:])), rng, rng.choice((1, 2, 3)))
        if strategy == "words":
            return put_word(domain, list(rng.choice(contract.records)), self._words, rng)
        if strategy == "crossed":
            return cross(domain, [list(record) for record in contract.records], rng)
        least, most = _SIZES[strategy]
        return list(draw(domain, rng, rng.randint(least, most)))


def _is_item(domain: Domain, path: tuple[int, ...]) -> bool:
    """Whether `path` leads into a list."""
    for place in path:
        if domain.kind == "list":
            return True
        domain = domain.parts[min(place, len(domain.parts) - 1)]
    return False


def large_inputs(problem: Problem, count: int, contract: Contract | None = None) -> list[str]:
    """At most `count` variations of the public inputs with one length or one number as large as may be.

    Lengths come first, in turn with numbers: as stated, at most 10,000 items and 60,000 letters in all, 2,000
    items where nothing is stated. Costly for slow programs: callers should try them last.
    """
    contract = contract or Contract.of(problem)
    public = set(public_inputs(problem))
    found: Iterator[str | None]
    if contract.form is None and problem.kind is Kind.STDIN:
        found = (large for text in public_inputs(problem) for large in enlarge_text(text, LARGE))
    else:
        found = chain.from_iterable(zip_longest(_enlarge(contract), _top(contract)))
    different: dict[str, None] = {}
    for text in found:
        if len(different) == count:
            break
        if text is not None and text not in public:
            different[text] = None
    return list(different)


def _top(contract: Contract) -> Iterator[str | None]:
    """One number at the top of its range."""
    rng = random.Random(0)
    for record in contract.records[:2]:
        for path, part, _ in list_nodes(contract.domain, list(record), rng):
            if part.kind == "int":
                tops = [LARGE] if part.high is None else [part.high, min(part.high - 1, LARGE)]
                yield from (contract.write(replace_node(list(record), path, top)) for top in tops)


def _enlarge(contract: Contract) -> Iterator[str | None]:
    """Each list and text of two examples in turn, outer ones first: repeated, then drawn anew; None for some.

    No longer than stated, and at most 10,000 items or 60,000 letters in all.
    """
    rng = random.Random(0)
    for record in contract.records[:2]:
        for node in list_nodes(contract.domain, list(record), rng):
            if node[1].kind in ("list", "text") and len(node[2]):
                yield _find_largest(contract, record, node, _repeat)
                yield _find_largest(contract, record, node, _draw)


def _find_largest(
    contract: Contract,
    record: Sequence[Any],
    node: tuple[Path, Domain, Any],
    make: Callable[[Domain, Any, int], Any],
) -> str | None:
    """The input with as much at `node` as there may be; None where that is no more than there is."""
    path, part, value = node
    letters = len(repr(value)) // len(value) + 1  # of one item, about
    most = min(_MOST_ITEMS, part.most or _UNSTATED, _MAX_CHARS // letters)
    size, best = len(value), None
    while size < most:  # in steps: in a square each row grows as well
        size = min(4 * size, most)
        text = contract.write(replace_node(list(record), path, make(part, value, size)))
        if text is None or len(text) > _MAX_CHARS:
            break
        best = text
    return best


def _repeat(part: Domain, value: Any, size: int) -> Any:
    items = value if part.kind == "text" else list(value)
    items = (items * (size // len(items) + 1))[:size]
    return items if part.kind == "text" else part.make(items)


def _draw(part: Domain, _: Any, size: int) -> Any:
    is_flat = part.kind == "text" or not any(map(_has_length, part.parts))
    return draw(replace(part, fewest=size), random.Random(size), size if is_flat else _SMALL)


def _has_length(part: Domain) -> bool:
    return part.kind in ("list", "text", "mapping") or any(map(_has_length, part.parts))
