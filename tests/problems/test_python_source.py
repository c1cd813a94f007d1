"""Source that others wrote is parsed without a word."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems.python_source import (
    UNREADABLE,
    limit_parsing,
    parse_expression,
    parse_python,
    parse_strictly,
    walk_statements,
    walk_tree,
)

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


def test_a_tree_is_walked_like_the_librarys_walk_does():
    """`walk_tree` gives the nodes of `ast.walk` in its order, without contexts; statements are among them."""
    source = Path(ast.__file__).read_text("utf-8")
    tree = ast.parse(source + "\nmatch x:\n    case {1: y, **z}:\n        {**z}\n    case _:\n        pass\n")
    wanted = [node for node in ast.walk(tree) if not isinstance(node, ast.expr_context)]
    assert [id(node) for node in walk_tree(tree)] == [id(node) for node in wanted]
    statements = [node for node in walk_statements(tree) if isinstance(node, ast.stmt)]
    assert {id(node) for node in statements} == {id(node) for node in wanted if isinstance(node, ast.stmt)}


def test_what_is_read_twice_in_a_row_is_parsed_once():
    """Inside a limit the same text gives the same tree, and counts for the limit each time."""
    with limit_parsing(100):
        first = parse_python("x = 1")
        assert parse_python("x = 1") is first
        assert parse_python("(") is None
        assert parse_python("(") is None
        assert parse_python("y = 1") is None
    assert parse_python("x = 1") is not first
