"""What a piece of code is worth, which names it has, and what it borrows."""

from __future__ import annotations

import ast

import pytest

from sstar_code.agent.generation.completeness import (
    Grade,
    all_names,
    borrow_definitions,
    bound_names,
    free_names,
    grade_text,
    grade_tree,
    reach,
)
from sstar_code.problems import Kind, Problem

STDIN = Problem("s", "S", Kind.STDIN)
FUNCTION = Problem("f", "S", Kind.FUNCTION, "f")
METHOD = Problem("m", "S", Kind.FUNCTION, "A.f")


@pytest.mark.parametrize(
    ("code", "problem", "grade"),
    [
        ("", STDIN, Grade.NOTHING),
        ("42\nx\nOutput: int", STDIN, Grade.NOTHING),
        ("x = 1", STDIN, Grade.SOMETHING),
        ("f()", STDIN, Grade.SOMETHING),
        ("print(1)", STDIN, Grade.PARTIAL),
        ("x = input()", STDIN, Grade.PARTIAL),
        ("def main():\n    print(input())", STDIN, Grade.PARTIAL),
        ("def main():\n    print(input())\nmain()", STDIN, Grade.COMPLETE),
        ("import sys\nsys.stdout.write(sys.stdin.read())", STDIN, Grade.COMPLETE),
        ("from sys import stdin\nfor x in stdin: print(x)", STDIN, Grade.COMPLETE),
        ("def g(): pass", FUNCTION, Grade.SOMETHING),
        ("def f(): pass", FUNCTION, Grade.COMPLETE),
        ("async def f(): pass", FUNCTION, Grade.COMPLETE),
        ("f = g", FUNCTION, Grade.COMPLETE),
        ("f: int = g", FUNCTION, Grade.COMPLETE),
        ("f: int\ng()", FUNCTION, Grade.SOMETHING),
        ("from x import g as f", FUNCTION, Grade.COMPLETE),
        ("class A:\n    def f(self): pass", METHOD, Grade.COMPLETE),
        ("class A:\n    def g(self): pass", METHOD, Grade.PARTIAL),
        ("class A(B):\n    def g(self): pass", METHOD, Grade.COMPLETE),
        ("A = B", METHOD, Grade.COMPLETE),
        ("def f(self): pass", METHOD, Grade.PARTIAL),
        ("def g(self): pass", METHOD, Grade.SOMETHING),
    ],
)
def test_code_is_graded_by_what_it_defines_and_does(code, problem, grade):
    """It reads, writes, and does so when run; or has the entry point, in its class or a base of that."""
    assert grade_tree(ast.parse(code), problem) is grade


@pytest.mark.parametrize(
    ("text", "problem", "grade"),
    [
        ("def f(:", FUNCTION, Grade.BROKEN),
        ("def f(:", METHOD, Grade.BROKEN),
        ("def g(:", FUNCTION, Grade.NOTHING),
        ("x = input(\nprint(x", STDIN, Grade.BROKEN),
        ("sys.stdin.read(\nsys.stdout", STDIN, Grade.BROKEN),
        ("open(0\nprint(", STDIN, Grade.BROKEN),
        ("input(", STDIN, Grade.NOTHING),
        ("print(", STDIN, Grade.NOTHING),
    ],
)
def test_broken_code_counts_where_it_means_to_be_the_program(text, problem, grade):
    """It names the entry point, or both reads and prints."""
    assert grade_text(text, problem) is grade


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def f(x): y = 1", {"f"}),
        ("class A: pass", {"A"}),
        ("import a.b, c as d", {"a", "d"}),
        ("from a import b as c, e", {"c", "e"}),
        ("from __future__ import annotations", set()),
        ("a = b, [c, *d] = e", {"a", "b", "c", "d"}),
        ("a: int = 1", {"a"}),
        ("a: int", set()),
        ("a += 1", set()),
        ("a[b] = c.d = 1", set()),
        ("print(a)", set()),
    ],
)
def test_names_that_a_statement_binds(code, names):
    """Definitions, imports and assignments bind names; a bare annotation and what only changes do not."""
    assert bound_names(ast.parse(code).body[0]) == names


def test_names_that_are_free():
    """Read and bound in no scope of the piece, in the order of their first use on each level."""
    code = "import a\ndef f(x, *y):\n  try:\n    return a + x + b\n  except E as e:\n    return e, y\nc = b"
    assert free_names(ast.parse(code)) == ["b", "E"]
    assert all_names(ast.parse("import a.b\nc.d(e)")) == {"a", "c", "d", "e"}


def test_what_is_needed_is_reached_in_turn_and_once():
    """Needs of needs count, circles end, names that nobody offers are passed over."""
    needs = {"A": ["b", "c"], "B": ["a"], "C": ["none"], "D": []}
    offers = {name.lower(): name for name in needs}
    assert reach(["a", "x"], offers, needs.__getitem__) == {"A", "B", "C"}


def test_the_last_definition_of_a_name_is_borrowed_with_its_decorators():
    """In the order of the blocks; never what the problem or Python supplies, never what runs something."""
    first = "import functools\ndef g(): return 1\nprint(g())\nx = int(input())"
    second = "@functools.cache\ndef g(): return h() + q\ndef h(): return 2\nfor q in x: pass"
    blocks = [(text, ast.parse(text)) for text in (first, second)]
    borrowed = borrow_definitions(ast.parse("print(g(), x)"), blocks, STDIN)
    assert borrowed == (
        "import functools\nx = int(input())\n@functools.cache\ndef g(): return h() + q\ndef h(): return 2"
    )
    supplied = Problem("p", "S", Kind.FUNCTION, "f", "def g(): pass\n", preamble="x = 1")
    assert borrow_definitions(ast.parse("print(g(), x)"), blocks, supplied) == ""
