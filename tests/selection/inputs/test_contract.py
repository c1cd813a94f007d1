from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection.inputs.contract.contract import Contract
from sstar_code.selection.inputs.contract.stated_limits import Stated, read_stated
from sstar_code.selection.inputs.strategies.plain_text import quoted_signs, read_dictionary


def function(*inputs, statement="", starter="", entry="f"):
    tests = tuple(Test(text, "1") for text in inputs)
    return Problem("p", statement, Kind.FUNCTION, entry, starter, tests)


def stdin(*inputs, statement=""):
    return Problem("p", statement, Kind.STDIN, public_tests=tuple(Test(text, "1") for text in inputs))


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("1 <= n <= 10^5", [Stated("n", low=1, high=100_000)]),
        (
            r"$1 \leq n, k \leq 2 \cdot 10^{5}$",
            [Stated("n", low=1, high=200_000), Stated("k", low=1, high=200_000)],
        ),
        ("- -10^9 \u2264 A_i < 10", [Stated("A", 1, low=-(10**9), high=9)]),
        (
            "1 <= k <= nums.length <= 50",
            [Stated("k", low=1, high=50, bound="nums.length"), Stated("nums", 0, True, 1, 50)],
        ),
        ("0 <= grid[i][j] <= 1e4", [Stated("grid", 2, low=0, high=10_000)]),
        ("1 \u2264 |S| \u2264 100 000", [Stated("S", 0, True, 1, 100_000)]),
        ("x < y and no number", []),
        ("2 <= len(word) <= 3", [Stated("word", 0, True, 2, 3)]),
    ],
)
def test_ranges_are_read_from_statements(text, stated):
    """Inequalities in plain text, LaTeX and signs give the range of each variable."""
    assert read_stated(text) == stated


@pytest.mark.parametrize(
    ("problem", "inside", "outside"),
    [
        (function("[1, 2]\n3"), ["[]\n0", "[5]\n10"], ["[-1]\n3", "[1]", "[1.5]\n1", "x", '"a"\n1']),
        (
            function(
                "[1, 2]\n3", statement="1 <= k <= 9, 1 <= a.length <= 2", starter="def f(a: list, k):\n"
            ),
            ["[7]\n9"],
            ["[]\n1", "[1, 2, 3]\n1", "[1]\n0"],
        ),
        (function('"ab"'), ['""', '"zz"'], ['"A"', '"a b"', "1"]),
        (function('"01101"'), ['"1"'], ['"2"', '"a"']),
        (function('"08:30"', '"12:05"'), ['"11:59"'], ['"8:30"', '"08-30"']),
        (function("[[1, 2, 3, 4], [3, 4, 5, 6]]"), ["[[1], [2]]", "[]"], ["[[1], [2, 3]]"]),
        (function("[[1, 2], [3, 4]]"), ["[[0, 5]]", "[]"], ["[[1]]"]),
        (function("[2, 3, 1]", statement="a permutation"), ["[1]", "[2, 1]"], ["[1, 3]", "[1, 1]"]),
        (function("[1, 3, 7]", statement="sorted distinct numbers"), ["[2, 9]"], ["[3, 1]", "[1, 1]"]),
        (function("[1, 3, 7]"), ["[3, 1, 1]"], []),
        (function('"a*b"', statement="with `*` or `?` in it"), ['"c?d"', '"*?"'], ['"a!b"', '"A*b"']),
        (function('"a*b"', statement="with `+` or `?` in it"), ['"c*d"'], ['"c?d"', '"c+d"']),
        (function('"*?*?"', statement="`*`, `?` and `!`"), ['"!*"'], ['"a"']),
        (
            function('["a", 2]', '["b", 3]', statement="1 <= p[i] <= 5", starter="def f(p):\n"),
            ['["c", 5]'],
            ['["c", 6]', '["c"]', '["c", 0]'],
        ),
        (
            function('[["a", 2], ["b", 3]]', statement="1 <= p[i] <= 5", starter="def f(p):\n"),
            ['[["c", 5]]'],
            ['[["c", 6]]', '[["c"]]'],
        ),
        (function("3", "7", statement="a positive integer"), ["1", "9"], ["0", "-1"]),
        (function("2.5", "1.5", statement="a positive number"), ["1.25", "3"], ["0.5", "0"]),
        (function("2.5", "0.5", statement="a positive number"), ["0.25", "0"], ["-1"]),
        (function("3", "-7", statement="a positive integer or not"), ["0", "-1"], []),
        (function("3\n[4, 5]", statement="positive integers"), ["1\n[]"], ["0\n[]", "1\n[0]"]),
        (function("[4, 5]", statement="a non-empty list"), ["[1]"], ["[]"]),
        (function("[4, 5]", "[]", statement="a non-empty list"), ["[]"], []),
        (function('"ab"', statement="a non-empty word"), ['"c"'], ['""']),
        (function("[3, 1, 2]", statement="sorted distinct numbers"), ["[2, 1]"], ["[1, 1]"]),
        (function("[1, 1, 2]", statement="sorted distinct numbers"), ["[2, 2]"], ["[2, 1]"]),
        (function("[2, 0, 1]", statement="a permutation"), ["[0]", "[1, 0]"], ["[1]", "[1, 2]"]),
        (stdin("3\n1 2 3\n", "1\n4\n"), ["2\n7 7\n"], ["2\n7\n", "1\n0\n", "1\nx\n", ""]),
        (stdin("5\n", statement="Here 1 <= n <= 10."), ["10\n"], ["0\n", "11\n", "1 2\n"]),
        (stdin("[1, 2]\n3"), ["[]\n0"], ["[1, 2]", "[1\n3"]),
        (stdin("'a'\n['b']"), ["'c'\n[]"], ["1\n[]"]),
    ],
)
def test_contracts_admit_what_is_alike(problem, inside, outside):
    """Types, ranges, forms and counts decide; the public inputs themselves are always inside."""
    contract = Contract.of(problem)
    assert [text for text in inside if not contract.admits(text)] == []
    assert [text for text in outside if contract.admits(text)] == []
    assert all(contract.admits(test.input) for test in problem.public_tests)


def test_what_surely_is_no_input_is_told_from_what_is_only_unlike():
    """Words of one letter each, eight of them or more; fewer may be a chance."""
    letters = Contract.of(function('"a b c"', '"a b b a"', '"c"', '""'))
    assert (letters.admits('"c a"'), letters.forbids('"c a"'), letters.forbids('"c  z"')) == (
        True,
        False,
        False,
    )
    assert (letters.admits('"ab"'), letters.forbids('"ab"'), letters.forbids('"a bc d"')) == (
        False,
        True,
        True,
    )
    few = Contract.of(function('"a b c"', '"a b"'))
    assert (few.admits('"ab"'), few.forbids('"ab"')) == (True, False)
    items = Contract.of(function('["a", "b", "c", "d"]', '["x", "y", "z", "v"]'))
    assert (items.forbids('["a", "b"]'), items.forbids('["ab"]')) == (False, True)
    assert not Contract().forbids("anything")


def test_a_signature_stands_in_for_examples():
    """With no public test the annotations say what an argument is."""
    starter = "def f(a: list[int], s: str, d: dict[str, float], o: int | None = None, *, k=1):\n    pass\n"
    contract = Contract.of(function(starter=starter))
    assert contract.records
    assert contract.admits('[1]\n"a"\n{"a": 1.5}\nnull')
    assert not contract.admits('1\n"a"\n{}\nnull')


def test_calls_in_the_statement_stand_in_for_examples():
    """With no public test, calls that the statement shows are examples."""
    contract = Contract.of(function(statement="So `f([3, 1], 'x')` gives 2 and f(n, m) is an error."))
    assert contract.records == (([3, 1], "x"),)


def test_nothing_known_admits_all_but_blanks():
    """Where nothing shows the form of an input, nothing is refused."""
    contract = Contract.of(stdin())
    assert contract.admits("anything")
    assert not contract.admits(" \n")
    assert contract.read("anything") is None
    assert contract.write(["anything"]) is None


def test_literals_of_programs_and_statement_are_collected():
    """Numbers and texts that few programs name come first; docstrings, 0 and 1 are left out."""
    codes = [
        'def f(x):\n    "doc"\n    return x > 17 or x == 1',
        "def f(x): return x > 17 or x == 'end'",
        "def (",
    ]
    words = read_dictionary("Use `and` for 42.", codes)
    assert set(words.numbers) == {17, 42}
    assert words.numbers[-1] == 17
    assert set(words.texts) == {"and", "end"}
    assert quoted_signs("`?` or '*', not `ab` or `a`") == "?*"
