"""The streams of a search that may cost more: what each reaches, and that others stay as they were."""

from __future__ import annotations

import json
import random
from itertools import islice

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.strategies.streams import Mutations
from sstar_code.selection.inputs.strategies.thorough import (
    enumerate_small,
    recombine_parts,
    relate_places,
    spread_lengths,
    spread_numbers,
)

THOROUGH = ("small", "lengths", "numbers", "parts", "related")


def _contract(*calls):
    tests = tuple(Test("\n".join(map(json.dumps, call))) for call in calls)
    return Contract.of(Problem("p", "S", Kind.FUNCTION, "f", public_tests=tests))


def _take(stream, count):
    return list(islice(stream, count))


def test_small_values_are_enumerated():
    """The smallest first: empty and single lists with every small number, and no record twice in a row."""
    contract = _contract(([3, 1, 2], 2), ([5, 5], 1))
    records = list(enumerate_small(contract.domain, random.Random(1)))
    assert records == list(enumerate_small(contract.domain, random.Random(1)))
    for wanted in ([[], 0], [[0], 1], [[1], 2], [[0, 1], 0]):
        assert wanted in records[:200]
    assert max(len(items) for items, _ in records[:9]) <= 1


def test_lengths_beyond_a_number_of_a_program_come_first():
    """A program that knows primes up to 47 is asked about 53 letters; all lengths follow."""
    contract = _contract(("hello",), ("abcdcba",))
    records = list(spread_lengths(contract.domain, contract.records, [47], random.Random(1)))
    sizes = [len(text) for (text,) in records]
    assert sizes[:4] == [48, 49, 50, 53]
    assert set(range(130)) <= set(sizes)


def test_numbers_of_their_own_sort_are_tried():
    """Powers and squares, what lies next to them, and both signs."""
    contract = _contract((6, 2), (35, 4))
    records = list(spread_numbers(contract.domain, contract.records, [1000], random.Random(1)))
    firsts = {abs(first) for first, _ in records} | {abs(second) for _, second in records}
    assert {64, 63, 65, 81, 1001, 1010, 0, 1} <= firsts
    assert any(min(record) < 0 for record in records)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["Hello world", "It is. I love it"], {"I", "Hello"}),
        (["abba", "xyz"], {"abbaabba", "Abba"}),
        (["10", "15.3"], {"-3.5", "7.5"}),
    ],
)
def test_parts_of_texts_are_put_together(texts, wanted):
    """A word alone, signs where no example has them, other cases, other numbers."""
    contract = _contract(*([text] for text in texts))
    stream = recombine_parts(contract.domain, contract.records, random.Random(1))
    assert wanted <= {text for (text,) in _take(stream, 6000)}


def test_one_place_is_made_of_another():
    """Turned, a part, the same, nothing."""
    contract = _contract(("abcd", "abd"), ("hello", "ell"))
    made = _take(relate_places(contract.domain, contract.records, random.Random(1)), 3000)
    for wanted in (["hello", "ohell"], ["hello", "hello"], ["hello", ""], ["hello", "llo"]):
        assert wanted in made
    assert _take(relate_places(_contract((1,)).domain, [(1,)], random.Random(1)), 1) == []


def test_only_a_thorough_search_has_them():
    """Its streams are taken in turn with the others and give inputs that are new, most of them admitted."""
    problem = Problem("p", "S", Kind.FUNCTION, "f", public_tests=(Test("[3, 1]\n2"), Test("[5]\n1")))
    plain, thorough = Mutations(problem, "s"), Mutations(problem, "s", thorough=True)
    names = plain.strategies
    assert [name for name in thorough.strategies if name not in names] == list(THOROUGH)
    assert [plain.take(name) for name in names] == [thorough.take(name) for name in names]
    texts = [
        text for _ in range(60) for name in ("small", "lengths", "numbers") if (text := thorough.take(name))
    ]
    assert len(texts) == len(set(texts)) > 100
    assert sum(map(thorough.contract.admits, texts)) > len(texts) / 2
    assert all(len(decode_lines(text)) == 2 for text in texts)
    assert thorough.take("parts") is None, "there is no text"
