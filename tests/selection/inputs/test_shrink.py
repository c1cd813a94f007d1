from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines, encode_lines
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.search.shrink import shrink_input

LIST = Problem("p", "1 <= a.length", Kind.FUNCTION, "f", "def f(a):\n", (Test("[1, 2, 3]", "1"),))
PAIR = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test('[1, 2, 3]\n3\n"ab cd"\n1.5', "1"),))
STDIN = Problem("p", "", Kind.STDIN, public_tests=(Test("3 7\n4 5 6\nab\n", "1"), Test("1 2\n9\nc\n", "1")))
LOOSE = Problem("p", "", Kind.STDIN)


def shrink(problem, text, holds, max_tries=400):
    """The result and every text that was asked about."""
    asked = []

    async def hold_all(texts):
        asked.extend(texts)
        return [holds(item) for item in texts]

    async def run():
        return await shrink_input(problem, text, hold_all, max_tries=max_tries)

    return anyio.run(run), asked


def sum_above(limit):
    return lambda text: sum(decode_lines(text)[0]) > limit


@pytest.mark.parametrize(
    ("problem", "text", "holds", "smallest"),
    [
        (LIST, "[4, 9, 100, 7, 3, 8]", lambda text: "100" in text, "[100]"),
        (LIST, "[4, 9, 12, 7, 3, 8]", lambda text: len(decode_lines(text)[0]) >= 2, "[0, 0]"),
        (LIST, "[7, 7, 7, 5]", lambda text: True, "[0]"),
        (PAIR, '[5, 6]\n2\n"xy xy"\n9.5', lambda text: " " in decode_lines(text)[2], '[]\n0\n" "\n0.0'),
        (STDIN, "3 70\n4 5 6\nabc\n", lambda text: len(text.split()[2:-1]) >= 2, "2 1\n1 1\na\n"),
        (STDIN, "4 70\n4 5 6 88\nabc\n", lambda text: "88" in text.split()[2:], "1 1\n88\na\n"),
        (LOOSE, "a b\nc d\n", lambda text: "c" in text, "c"),
    ],
)
def test_smallest_input_is_found(problem, text, holds, smallest):
    """Items, numbers, letters and lines go as long as what matters stays, and counts follow."""
    assert shrink(problem, text, holds)[0].strip() == smallest.strip()


def test_nothing_smaller_holds():
    """An input that cannot be made smaller comes back as it is."""
    text = "[4, 9, 12]"
    assert shrink(LIST, text, lambda item: item == text)[0] == text


def test_beyond_the_contract():
    """What the contract does not admit is made smaller all the same, and stays readable."""
    found, asked = shrink(LIST, "[-40, -7]", lambda text: min(decode_lines(text)[0], default=0) < 0)
    assert found == "[-1]"
    assert all(decode_lines(text) is not None for text in asked)


def test_no_tries_no_change():
    """With no try left nothing is asked."""
    assert shrink(LIST, "[5, 6]", lambda text: True, max_tries=0) == ("[5, 6]", [])


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=12), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_what_comes_back_holds(items, max_tries):
    """The result holds, is admitted and never longer; no text is asked twice or beyond the tries."""
    text, limit = encode_lines([items]), max(1, sum(items) // 3)
    holds = sum_above(limit - 1)
    if not holds(text):
        return
    found, asked = shrink(LIST, text, holds, max_tries)
    assert holds(found)
    assert Contract.of(LIST).admits(found)
    assert len(found) <= len(text)
    assert len(asked) == len(set(asked)) <= max_tries
    assert text not in asked


@given(st.text("ab 12\n[", max_size=60), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_any_text_ends(text, kept):
    """Shrinking ends on every text, and only proposes what the contract admits if the text is."""
    found, asked = shrink(STDIN, text, lambda item: len(item) > kept, 200)
    assert len(found) <= len(text)
    if Contract.of(STDIN).admits(text):
        assert all(Contract.of(STDIN).admits(item) for item in asked)
