"""Confirmed inputs as pytest files that stand alone."""

from __future__ import annotations

import ast
import runpy
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, UserError
from sstar_code.problems.values import encode, encode_lines
from sstar_code.selection.protocols import Derived
from sstar_code.selection.pytest_export import literal, name_of, render_tests, write_tests

WHY = "the judge, right 95% of the time, named it out of 2 outputs"
SQUARE = Problem("is-square/1", "Is n a square?", Kind.FUNCTION, "is_square", checker="python")


def derive(*values, output):
    return Derived(encode_lines(values), encode(output), 0.97, WHY)


def run_file(path):
    """Call every test function of a written file; how many there were."""
    found = runpy.run_path(str(path))
    tests = [value for name, value in found.items() if name.startswith("test_")]
    for test in tests:
        test()
    return len(tests)


def check(folder, problem, tests, right, wrong):
    """The written file passes with the right program and fails with the wrong one."""
    (folder / "solution.py").write_text(right)
    path = folder / "test_it.py"
    assert write_tests(problem, tests, path, target="solution.py") == len(tests)
    assert run_file(path) == len(tests)
    (folder / "solution.py").write_text(wrong)
    with pytest.raises(AssertionError):
        run_file(path)
    return path.read_text()


def test_a_function_is_called_with_literals(tmp_path):
    """A file for a function reads like one written by hand, and says what confirmed each test."""
    right = "import math\ndef is_square(n):\n    return math.isqrt(n) ** 2 == n\n"
    wrong = "def is_square(n):\n    return (n ** 0.5).is_integer()\n"
    text = check(tmp_path, SQUARE, [derive(10**16 - 1, output=False)], right, wrong)
    assert "assert is_square(9999999999999999) == False" in text
    assert f"# Confirmed by {WHY} (probability 0.97)." in text
    assert "is-square/1" in text


def test_a_program_is_run_on_standard_input(tmp_path):
    """A file for standard input runs the program in a process of its own."""
    problem = Problem("double", "Double it.", Kind.STDIN)
    test = Derived("3\n", "6\n", 0.9, "all 4 different programs")
    text = check(tmp_path, problem, [test], "print(int(input()) * 2)", "print(int(input()) ** 2)")
    assert "Confirmed by all 4 different programs (probability 0.90)." in text


@pytest.mark.parametrize(
    ("checker", "wanted", "fine", "wrong"),
    [
        ("exact", [1, [2]], "(1, [2])", "[1, [3]]"),
        ("floats:1e-3", {"a": [0.5]}, "{'a': [0.5001]}", "{'a': [0.6]}"),
        ("python:1e-3", 2.0, "2.0001", "2.1"),
        ("apps", [1.0], "[1]", "[2]"),
        ("unordered", [[1], [2]], "[[2], (1,)]", "[[2], [2]]"),
        ("exact", float("nan"), "float('nan')", "1.0"),
    ],
)
def test_values_are_compared_as_the_checker_does(tmp_path, checker, wanted, fine, wrong):
    """What the checker takes for the same answer passes, another value does not."""
    problem = Problem("p", "", Kind.FUNCTION, "Solution.f", checker=checker)
    code = "class Solution:\n    def f(self, n):\n        return "
    text = check(tmp_path, problem, [derive(1, output=wanted)], code + fine, code + wrong)
    assert "_same(" in text


def test_a_plain_value_is_just_equal(tmp_path):
    """Where no rule is needed the file has none."""
    problem = Problem("p", "", Kind.FUNCTION, "f")
    text = check(tmp_path, problem, [derive(1, output="a")], "def f(n): return 'a'", "def f(n): return 1")
    assert "assert f(1) == 'a'" in text
    assert "_same" not in text
    assert "math" not in text


@pytest.mark.parametrize(
    ("checker", "wanted", "fine", "wrong"),
    [
        ("exact", "a b\nc\n", "a b \\nc", "a  b\\nc"),
        ("lines", "a b\nc\n", "a  b\\nc", "a b c"),
        ("unordered", "a\nb\n", "b\\na", "b\\nb"),
        ("floats:1e-6", "0.5 yes\n", "0.50000001 yes", "0.51 yes"),
        ("any-case", "YES\n", "yEs", "y es"),
        ("livecodebench", "1.0 2\nx\n", "1 2.0\\nx", "1 2 3\\nx"),
        ("codecontests", "YES 1.00001\n", "yes 1.00001", "no 1.00001"),
    ],
)
def test_text_is_compared_as_the_checker_does(tmp_path, checker, wanted, fine, wrong):
    """The same for standard output."""
    problem = Problem("p", "", Kind.STDIN, checker=checker)
    test = Derived("1\n", wanted, 0.9, WHY)
    check(tmp_path, problem, [test], f"print('{fine}')", f"print('{wrong}')")


def test_a_checker_program_is_carried_along(tmp_path):
    """Where a program decides, it is in the file and decides there too."""
    checker = (
        "import json, sys\nsaid = json.load(sys.stdin)\n"
        "sys.exit(int(said['output']) % 2 != int(said['expected']) % 2)\n"
    )
    problem = Problem("p", "", Kind.STDIN, checker={"program": checker})
    check(tmp_path, problem, [Derived("1\n", "2\n", 0.9, WHY)], "print(4)", "print(5)")


def test_a_module_is_imported(tmp_path, monkeypatch):
    """A target that is no file is a module, as in a package of the user's."""
    (tmp_path / "squares_of_test_emit.py").write_text("def is_square(n):\n    return n == 4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "test_it.py"
    write_tests(SQUARE, [derive(4, output=True)], path, target="squares_of_test_emit")
    assert run_file(path) == 1
    sys.modules.pop("squares_of_test_emit")


def test_nothing_is_overwritten_unless_told(tmp_path):
    """A file that is there stays as it is; without tests none is made."""
    path = tmp_path / "test_it.py"
    assert write_tests(SQUARE, [], path, target="solution.py") == 0
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        write_tests(SQUARE, [derive(4, output=True)], path, target="solution.py")
    assert path.read_text() == "mine"
    write_tests(SQUARE, [derive(4, output=True)], path, target="solution.py", overwrite=True)
    assert "is_square(4)" in path.read_text()


def test_untrusted_text_stays_text():
    """An id, a reason or an output cannot become code, and names are checked."""
    problem = Problem("x\nimport os", "", Kind.STDIN)
    text, _ = render_tests(
        problem, [Derived("1\n", "'''\nimport os", 0.5, "a\nimport os")], target="solution.py"
    )
    tree = ast.parse(text)
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "os" not in names
    with pytest.raises(ValueError, match="neither a module"):
        render_tests(SQUARE, [], target="a; import os")
    with pytest.raises(ValueError, match="no entry point"):
        render_tests(Problem("p", "", Kind.FUNCTION, "f()"), [], target="a")


def test_what_has_no_literal_is_left_out():
    """An object known only by its text, and a huge input, make no test; the surest of two is kept."""
    opaque = Derived("1", '{"$repr": "<thing>", "$type": "thing"}', 0.9, WHY)
    huge = Derived(encode_lines(["x" * 30_000]), "1", 0.9, WHY)
    twice = [Derived("2", "1", 0.6, WHY), Derived("2", "4", 0.8, WHY)]
    text, count = render_tests(SQUARE, [opaque, huge, *twice], target="solution.py")
    assert count == 1
    assert "is_square(2) == 4" in text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers())
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_literals_give_the_value_again(value):
    """Evaluated, a literal is the value it was made of."""
    assert encode(eval(literal(value))) == encode(value)


def test_names_suit_python():
    """Any id gives a part of a name."""
    assert name_of("HumanEval/3") == "humaneval_3"
    assert name_of("***") == "problem"
