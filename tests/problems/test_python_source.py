"""Source that others wrote is parsed without a word."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems.python_source import UNREADABLE, parse_expression, parse_python, parse_strictly

UNUSABLE = ["f(", "\0", "(" * 10_000, "é\ud800", "return = 1"]


def test_an_odd_escape_makes_no_warning():
    """What the parser would warn of reaches nobody (warnings are errors here), and the tree is whole."""
    source = r"x = '\d' is 1"
    assert ast.unparse(parse_python(source)) == ast.unparse(parse_strictly(source))
    assert isinstance(parse_expression(r"'\d'"), ast.Constant)
    assert ast.unparse(parse_python(b"# coding: latin-1\nx = '\xe9'")) == "x = 'é'"


@pytest.mark.parametrize("text", UNUSABLE)
def test_what_is_not_python_is_none(text):
    """None stands for any refusal, and the strict reader raises one of the exceptions that it names."""
    assert parse_python(text) is None
    assert parse_expression(text) is None
    with pytest.raises(UNREADABLE):
        parse_strictly(text)


def test_a_statement_is_no_expression():
    """`parse_expression` gives the tree of one expression, and None for a statement."""
    assert parse_expression("x = 1") is None
    assert isinstance(parse_expression("f(1)"), ast.Call)


@given(st.text(max_size=40))
def test_any_text_is_survived(text):
    """No text makes a reader raise."""
    assert isinstance(parse_python(text), ast.Module | None)
    assert isinstance(parse_expression(text), ast.expr | None)
