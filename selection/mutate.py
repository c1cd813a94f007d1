"""Test inputs without a model: variations of the public ones.

A mutation keeps what makes an input plausible, as far as it shows in the example: types; an int
equal to the length of a list next to it; on standard input the number of lines and tokens, and counts that
announce them. Nothing guarantees validity: an input on which every candidate fails is dropped later.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from problems import Kind
from problems.values import encode_lines
from selection.examples import example_calls, public_inputs
from selection.mutate_text import enlarge_text, mutate_text
from selection.mutate_values import mutate_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from problems import Problem

__all__ = ["LARGE", "large_inputs", "mutate_inputs"]

LARGE = 10**16 + 1
"""Above 2**53, so that an int that went through a float shows."""
_TRIES = 20
"""Mutations tried for each input wanted: small examples have few different neighbours."""
_FROM_ANOTHER = 0.1
"""Share of mutations that take an argument from another example."""


def mutate_inputs(problem: Problem, count: int, seed: str) -> list[str]:
    """At most `count` different inputs near the public ones, none of them public.

    The same for the same `seed`. Empty where there is no public input that can be read.
    """
    rng = random.Random(seed)
    if problem.kind is Kind.STDIN:
        texts = public_inputs(problem)
        return _collect(problem, count, lambda: mutate_text(rng.choice(texts), rng)) if texts else []
    calls = example_calls(problem)
    signed = any(_has_negative(call) for call in calls)
    return _collect(problem, count, lambda: _encode(_mutate_call(rng, calls, signed=signed))) if calls else []


def large_inputs(problem: Problem, count: int) -> list[str]:
    """At most `count` variations of the public inputs with one number at `LARGE` or one list made long.

    Costly for slow programs: callers should try them last and on few programs first.
    """
    if problem.kind is Kind.STDIN:
        found = [large for text in public_inputs(problem) for large in enlarge_text(text, LARGE)]
    else:
        calls = [large for call in example_calls(problem) for large in _enlarge_call(call)]
        found = [text for text in map(_encode, calls) if text]
    public = set(public_inputs(problem))
    return list(dict.fromkeys(text for text in found if text not in public))[:count]


def _collect(problem: Problem, count: int, make: Callable[[], str | None]) -> list[str]:
    public = set(public_inputs(problem))
    found: dict[str, None] = {}
    for _ in range(count * _TRIES):
        if len(found) == count:
            break
        text = make()
        if text and text not in public:
            found[text] = None
    return list(found)


def _encode(call: list[Any]) -> str | None:
    try:
        return encode_lines(call)
    except (ValueError, RecursionError):
        return None


def _has_negative(value: Any) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return any(_has_negative(item) for item in value)
    return isinstance(value, int | float) and value < 0


def _mutate_call(rng: random.Random, calls: list[list[Any]], *, signed: bool) -> list[Any]:
    """One or two arguments of an example changed, or one taken from another example."""
    call = list(rng.choice(calls))
    lengths = _announced_lengths(call)
    for _ in range(rng.choice((1, 1, 1, 2)) if call else 0):
        place = rng.randrange(len(call))
        others = [other[place] for other in calls if len(other) == len(call)]
        swap = rng.random() < _FROM_ANOTHER
        call[place] = rng.choice(others) if swap else mutate_value(call[place], rng, signed=signed)
    for count, counted in lengths:
        if hasattr(call[counted], "__len__"):
            call[count] = len(call[counted])
    return call


def _announced_lengths(call: list[Any]) -> list[tuple[int, int]]:
    """(place of an int, place of the list whose length it is)."""
    return [
        (count, counted)
        for count, value in enumerate(call)
        for counted, items in enumerate(call)
        if type(value) is int and isinstance(items, list | tuple) and value == len(items) > 1
    ]


def _enlarge_call(call: list[Any]) -> Iterator[list[Any]]:
    for place, value in enumerate(call):
        if type(value) is int:
            yield [*call[:place], LARGE, *call[place + 1 :]]
        elif isinstance(value, list | str) and value:
            yield [*call[:place], value * (2_000 // len(value) + 1), *call[place + 1 :]]
