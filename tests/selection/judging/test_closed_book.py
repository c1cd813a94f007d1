"""A judge is asked about examples that it cannot copy from."""

from __future__ import annotations

import hashlib
import re

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import encode, encode_lines
from sstar_code.selection import Reply
from sstar_code.selection.judging.calibration import make_probe, measure_judge
from sstar_code.selection.judging.closed_book import LEFT_OUT, close_book

VALUES = st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4)


def call(statement, *tests, starter=""):
    return Problem("p", statement, Kind.FUNCTION, "f", starter, tuple(Test(*test) for test in tests))


def program(statement, *tests):
    return Problem("p", statement, Kind.STDIN, public_tests=tuple(Test(*test) for test in tests))


@pytest.mark.parametrize(
    ("problem", "closed"),
    [
        (
            call("Add. n < 9\n>>> f([1, 2], 3)\n6\n>>> f([], 0)\n0", ("[1, 2]\n3", "6"), ("[]\n0", "0")),
            f"Add. n < 9\n>>> f([1, 2], 3)\n{LEFT_OUT}\n>>> f([], 0)\n0",
        ),
        (
            call("a = [1,2], k = 3\nOutput: 6\nWhy: 1+2+3 is 6.\nConstraints: k < 6", ("[1, 2]\n3", "6")),
            f"a = [1,2], k = 3\nOutput: {LEFT_OUT}\nWhy: 1+2+3 is {LEFT_OUT}.\nConstraints: k < 6",
        ),
        (call('f("ab") == "ba", f("") == ""', ('"ab"', '"ba"')), f'f("ab") == {LEFT_OUT}, f("") == ""'),
        (call('f("ab") == "ba", f("") == ""', ('""', '""')), f'f("ab") == "ba", f("") == {LEFT_OUT}'),
        (call("f(true) == [True, None]", ("true", "[true, null]")), f"f(true) == {LEFT_OUT}"),
        (
            program("Sample\n3\n1 2 3\n\nOutput\n6\n\nNote: 6 numbers at most", ("3\n1 2 3\n", "6\n")),
            f"Sample\n3\n1 2 3\n\nOutput\n{LEFT_OUT}\n\nNote: 6 numbers at most",
        ),
        (call("Nothing is shown; 4 of 4.", ("2", "4")), "Nothing is shown; 4 of 4."),
    ],
)  # fmt: skip
def test_the_output_of_an_example_is_left_out(problem, closed):
    """Behind its input, also where it is explained; limits, other examples and what is not shown stay."""
    assert close_book(problem, 0).statement == closed


def test_starter_code_is_closed_too():
    """An example in a docstring gives the answer away as one in the statement does."""
    problem = call("Double n.", ("2", "4"), starter='def f(n):\n    """\n    >>> f(2)\n    4\n    """\n')
    assert "4" not in close_book(problem, 0).starter_code


def test_what_cannot_be_kept_secret_is_not_asked_about():
    """The input is shown and the output stands somewhere it is not recognised: no question."""
    problem = call("f(2) gives four", ("2", "4"))
    assert close_book(problem, 0) is None
    assert make_probe(problem, 0) is None


@settings(max_examples=60)
@given(
    st.text(max_size=80),
    st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4),
)
def test_any_statement_and_any_value(text, value):
    """Never raises, never grows without bound; without the input nothing changes."""
    problem = call(text, (encode_lines([value]), encode(value)))
    closed = close_book(problem, 0)
    assert closed is None or len(closed.statement) <= len(text) * (2 + len(LEFT_OUT))


def test_many_arguments_that_nearly_match_take_no_long_search():
    """A statement full of the first argument: the search for the next goes on from there, never back."""
    problem = call("1, " * 20_000, ("\n".join(["1"] * 40 + ["2"]), "3"))
    assert close_book(problem, 0).statement == problem.statement


def numbered(count):
    """Problems that show their examples as plainly as can be."""
    for number in range(count):
        shown = f"The {number}-th secret number.\nf({number}) == {number * 37 % 91 + 100}"
        test = Test(str(number), str(number * 37 % 91 + 100))
        yield Problem(f"p{number:02}", shown, Kind.FUNCTION, "f", public_tests=(test,))


@pytest.mark.anyio
async def test_a_judge_that_copies_is_found_out():
    """It is always right where the statement shows the answer and else guesses: believed at most 0.6."""
    copied = []

    async def copy(question, problem, ordinal, **values):
        await anyio.lowlevel.checkpoint()
        call_of = re.escape(values["input"])
        shown = re.search(rf"{call_of} == (\S+)$", problem.statement, re.MULTILINE)
        if shown and shown[1] in values["outputs"]:
            copied.append(problem.id)
            return Reply(f"ANSWER: {'ABCD'[values['outputs'].index(shown[1])]}", 1)
        guess = hashlib.sha256(problem.id.encode()).digest()[0] % 2
        chosen = sorted(values["outputs"])[guess]
        return Reply(f"ANSWER: {'ABCD'[values['outputs'].index(chosen)]}", 1)

    record = await measure_judge(list(numbered(40)), copy)
    assert copied == []
    assert record.accuracy <= 0.6
    assert not record.is_worth_asking
