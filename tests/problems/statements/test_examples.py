"""Examples in docstrings and asserts become tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Test
from sstar_code.problems.statements.examples import find_examples
from sstar_code.problems.statements.literals import isolate, read_assert
from sstar_code.problems.values import encode, encode_lines


@pytest.mark.parametrize(
    ("docstring", "arguments", "value"),
    [
        (">>> f([1], 'a')\n    False\n", [[1], "a"], False),
        (">>> f(1)  # why\n    'x'", [1], "x"),
        (">>> f([])\n\n>>> f", [[]], None),
        (">>> f(1) == 'xix'", [1], "xix"),
        ("f(3, 7) => 4", [3, 7], 4),
        ("f(3) ==> (1, 2)", [3], (1, 2)),
        ("f(3) -> [1]", [3], [1]),
        ("f('()') ➞ true", ["()"], True),
        ('f("a") = "b"', ["a"], "b"),
        ("* f(1) returns 2.", [1], 2),
        ("f(1) should return {'a': 1};", [1], {"a": 1}),
        ("f(15)   # returns 'db'", [15], "db"),
        ("f('(', 1) == 1 + 9 + 0 = 10", ["(", 1], 10),
        ("Input: n = 5\n  Output: 1\n", [5], 1),
        ("Input: a = [1, 2], k = 3\nOutput: [2]", [[1, 2], 3], [2]),
        ("Input: [4,2]\nOutput: (1,)", [[4, 2]], (1,)),
        ("For lst = [1,2] the output should be 14", [[1, 2]], 14),
    ],
)
def test_the_usual_forms_of_an_example_are_read(docstring, arguments, value):
    """Each of these spellings of an example gives one test."""
    assert find_examples(docstring, "f") == [Test(encode_lines(arguments), encode(value))]


@pytest.mark.parametrize(
    "docstring",
    [
        "round(f(1), 2) is near",
        "f(x) == 3",
        "f(1) == g(2)",
        'f(["a"]) == ""a"',
        "f(1) and then",
        "prefix_f(1) == 2",
        ">>> f(__import__('os').getpid())\n3",
        "f(" * 500,
    ],
)
def test_what_is_not_literal_is_no_test(docstring):
    """Only literals make a test: nothing in a docstring is evaluated."""
    assert find_examples(docstring, "f") == []


@given(st.text(alphabet="f()[]'\"=>-# \n1,:Inputo", max_size=80))
def test_any_docstring_is_survived(docstring):
    """Whatever a docstring says, the result is a list."""
    assert isinstance(find_examples(docstring, "f"), list)


@pytest.mark.parametrize(
    ("source", "arguments", "value"),
    [
        ("assert f([1, 2], 3)==(2,) ", [[1, 2], 3], (2,)),
        ("assert f(1) is None", [1], None),
        ("assert {1, 2} == f(2)", [2], {1, 2}),
        ("assert (f(1+2j)) == -1", [1 + 2j], -1),
    ],
)
def test_a_plain_assert_becomes_input_and_output(source, arguments, value):
    """An assert of an equality between a call and a literal is judged by value."""
    assert read_assert(source, "f") == Test(encode_lines(arguments), encode(value))


@pytest.mark.parametrize(
    "source",
    ["assert f(x) == 1", "assert set(f(1)) == {1}", "assert f(1)", "assert f(1) == g(1)", "assert ("],
)
def test_any_other_assert_stays_a_program(source):
    """What is not a plain equality runs as it is."""
    assert read_assert(source, "f") == Test(program=f"{source}\n")
    assert read_assert("assert f(1) == 1", "f", "import math").program == "import math\nassert f(1) == 1\n"


def test_an_isolated_program_keeps_names_apart():
    """The test program and the candidate do not see each other's names, only the candidate itself."""
    space: dict[str, object] = {"compile": None}
    exec("def helper(): return 1\ndef f(): return helper()\nlen = 3", space)
    exec(isolate("def helper(): return 2\nassert candidate() == f() == 1 and len('a') == 1", "f"), space)
    with pytest.raises(AssertionError):
        exec(isolate("assert candidate() == 2", "f"), space)
