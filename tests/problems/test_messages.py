"""Pieces of messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems.errors import shorten, suggest


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc..."), ("abcdefg", 2, ".."), ("abc", 0, ""), ("", 0, "")],
)
def test_a_long_text_ends_with_dots(text, limit, short):
    """What fits stays; what does not keeps its beginning and says that more was there."""
    assert shorten(text, limit) == short


@given(st.text(max_size=30), st.integers(0, 30))
def test_a_short_text_is_never_longer_than_asked_for(text, limit):
    """The limit counts the dots too."""
    assert len(shorten(text, limit)) <= limit


@pytest.mark.parametrize(
    ("name", "words"),
    [("LISTZ", " (did you mean 'Lists'?)"), ("exampels", " (did you mean 'examples'?)"), ("zzz", "")],
)
def test_the_name_that_was_meant_is_offered(name, words):
    """The nearest name is offered in its own spelling, letter case aside; without one nothing is said."""
    assert suggest(name, ["examples", "Lists"]) == words
