from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines, encode_lines
from sstar_code.selection.inputs.contract.examples import example_calls, parameter_names, public_inputs
from sstar_code.selection.inputs.strategies.draw import LARGE, mutate_value
from sstar_code.selection.inputs.strategies.streams import Mutations, large_inputs

FUNCTION = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test('[1, 2, 3]\n3\n"ab"', "1"),))
STDIN = Problem("p", "", Kind.STDIN, public_tests=(Test("3 7\n4 5 6\nab 2.5\n", "1"),))

plain = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def mutate_inputs(problem, count, seed):
    """At most `count` inputs, of all strategies in turn."""
    mutations = Mutations(problem, seed)
    found = []
    while mutations.strategies and len(found) < count:
        made = [mutations.take(strategy) for strategy in mutations.strategies]
        found += [text for text in made if text is not None]
    return found[:count]


@given(plain, st.integers(0, 50))
def test_neighbours_keep_their_type(value, seed):
    """A mutated value has the type of the original, which stays as it was."""
    before = repr(value)
    assert type(mutate_value(value, random.Random(seed))) is type(value)
    assert repr(value) == before


@pytest.mark.parametrize("value", [(1, 2), {1, 2}, frozenset("ab"), None, b"x", {}, []])
def test_other_types_are_kept(value):
    """Tuples, sets and what cannot be mutated keep their type too."""
    for seed in range(30):
        assert type(mutate_value(value, random.Random(seed))) is type(value)


def test_same_seed_same_inputs():
    """The seed decides the inputs; none of them is public or there twice."""
    for problem in (FUNCTION, STDIN):
        first = mutate_inputs(problem, 30, "0:p")
        assert first == mutate_inputs(problem, 30, "0:p")
        assert first != mutate_inputs(problem, 30, "1:p")
        assert len(first) == len(set(first)) == 30
        assert problem.public_tests[0].input not in first


def test_announced_length_is_kept():
    """An int that is the length of a list beside it follows the list."""
    for text in mutate_inputs(FUNCTION, 50, "s"):
        items, count, _ = decode_lines(text)
        assert count == len(items)


def test_stdin_counts_stay_right():
    """The number of lines stays, and a count still announces as many tokens."""
    for text in mutate_inputs(STDIN, 50, "s"):
        rows = [line.split() for line in text.splitlines()]
        assert len(rows) == 3
        assert int(rows[0][0]) == len(rows[1])


def test_matrices_stay_rectangular():
    """Rows of a matrix keep one length."""
    problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test("[[1, 2], [3, 4], [5, 6]]", "1"),))
    for text in mutate_inputs(problem, 50, "s"):
        (rows,) = decode_lines(text)
        assert len({len(row) for row in rows}) <= 1


def test_negative_numbers_are_rare_unless_seen():
    """Negative numbers appear where examples have them, and seldom elsewhere."""

    def negatives(example):
        problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test(example, "1"),))
        return sum("-" in text for text in mutate_inputs(problem, 100, "s"))

    assert negatives("[3, 1, 9]") < 20 < negatives("[3, -1, 9]")


def test_large_inputs_hold_a_large_number():
    """An int that went through a float shows on one of the large inputs."""
    problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test("16", "true"),))
    assert large_inputs(problem, 4) == [str(LARGE)]
    assert any(str(LARGE) in text for text in large_inputs(STDIN, 6))
    assert len(large_inputs(FUNCTION, 2)) == 2
    assert max(map(len, large_inputs(FUNCTION, 9))) > 2_000


@pytest.mark.parametrize(
    "test", [None, Test('{"$repr": "x", "$type": "T"}', "1"), Test("{", "1"), Test("", "1")]
)
def test_nothing_to_mutate(test):
    """Without a readable public input there are no mutations."""
    problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(test,) if test else ())
    assert mutate_inputs(problem, 5, "s") == []
    assert large_inputs(problem, 5) == []


@given(st.text(max_size=30), st.integers(0, 20))
def test_text_mutation_never_raises(text, seed):
    """Any text on standard input can be mutated or has no neighbours."""
    problem = Problem("p", "", Kind.STDIN, public_tests=(Test(text, "1"),))
    mutate_inputs(problem, 3, str(seed))
    large_inputs(problem, 3)


def test_calls_are_read_from_assertions():
    """Assertion tests give the literal arguments of their calls."""
    source = (
        "def check(candidate):\n    assert candidate([1], 2) == 3\n    assert f(x) == 1\nassert f((1,), 2)"
    )
    problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test(program=source),))
    assert sorted(public_inputs(problem)) == sorted([encode_lines([[1], 2]), encode_lines([(1,), 2])])
    assert example_calls(problem)


@pytest.mark.parametrize(
    ("starter", "entry_point", "names"),
    [
        ("def f(a, b=1):\n", "f", (["a", "b"], 1)),
        ("class S:\n    def f(self, a: int) -> int:\n        ", "S.f", (["a"], 1)),
        ("def f(*a):\n    pass", "f", None),
        ("", "f", None),
        ("def (", "f", None),
    ],
)
def test_parameter_names(starter, entry_point, names):
    """Parameters come from the starter code, body or not."""
    assert parameter_names(Problem("p", "", Kind.FUNCTION, entry_point, starter)) == names
