"""New hidden tests: what they find, whom they trust, and whom they leave alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection.hardening.harden import harden

LARGEST = Problem(
    "largest",
    "Return the largest item of a list of integers.",
    Kind.FUNCTION,
    "largest",
    "from typing import List\n\ndef largest(items: List[int]) -> int:\n",
    public_tests=(Test("[1, 3, 2]", "3"),),
    hidden_tests=(Test("[5]", "5"),),
)
MAX = "def largest(items):\n    return max(items)\n"
SORTED = "def largest(items):\n    return sorted(items)[-1]\n"
LOOP = "def largest(items):\n    *_, last = sorted(items)\n    return last\n"
FROM_ZERO = "def largest(items):\n    return max([0, *items])\n"
CRASHES_LATE = "def largest(items):\n    assert len(items) < 5\n    return max(items)\n"


@pytest.fixture
def harden_with(sandbox_local):
    def run(problem, passing, references=(), **options):
        async def go():
            sandbox = sandbox_local.sandbox
            return await harden(problem, passing, references, sandbox, search_s=0.6, **options)

        return sandbox_local.call(go)

    return run


def test_a_program_that_the_tests_let_pass_is_found(harden_with):
    """With an input, its right output, and never a right program; the same in every run."""
    made = harden_with(LARGEST, [SORTED, FROM_ZERO, MAX], [MAX], most_tests=4)
    assert list(made.failing) == [1]
    test, verdict = made.failing[1]
    assert verdict == "WA"
    assert int(test.output) < 0
    assert len(made.added) == 4
    assert made.problem.hidden_tests == (*LARGEST.hidden_tests, *made.added)
    assert made.added[0] == test, "tests that tell programs apart come first"
    assert harden_with(LARGEST, [SORTED, FROM_ZERO, MAX], [MAX], most_tests=4) == made


def test_without_a_reference_programs_have_to_agree(harden_with):
    """Three different ones at least; one that is outvoted is named."""
    few = harden_with(LARGEST, [SORTED, FROM_ZERO], most_tests=4)
    assert (few.added, few.problem) == ((), LARGEST)
    assert "fewer than 3" in few.why
    made = harden_with(LARGEST, [SORTED, FROM_ZERO, MAX, LOOP], most_tests=4)
    assert list(made.failing) == [1]


def test_references_are_believed_where_all_others_err(harden_with):
    """On inputs like those shown: several programs with one fault are no majority against what is right."""
    first_five = "def largest(items):\n    return max(items[:5])\n"
    sorted_five = "def largest(items):\n    return sorted(items[:5])[-1]\n"
    made = harden_with(LARGEST, [first_five, sorted_five], [MAX], most_tests=4)
    assert list(made.failing) == [0, 1]
    test, verdict = made.failing[0]
    assert verdict == "WA"
    assert len(json.loads(test.input)) > 5
    outvoted = harden_with(LARGEST, [first_five, sorted_five, SORTED], most_tests=4)
    assert list(outvoted.failing) != [0, 1], "without one nobody is believed alone"


def test_who_differs_where_answers_fall_apart_is_left_alone(harden_with):
    """Three answers of programs that pass: the statement may leave open which is right. Two do not say so."""
    problem = Problem(
        "number", "Return a number.", Kind.FUNCTION, "number", "def number(n: int) -> int:\n",
        public_tests=(Test("2", "2"),), hidden_tests=(Test("3", "3"),),
    )  # fmt: skip
    same = "def number(n):\n    return n\n"
    one, two = (f"def number(n):\n    return n if n < 4 else n + {step}\n" for step in (1, 2))
    assert harden_with(problem, [one, two], [same], most_tests=4).failing == {}
    assert list(harden_with(problem, [one, same], [same], most_tests=4).failing) == [0]


def test_inputs_that_examples_rule_out_name_nobody(harden_with):
    """Letters between blanks: who reads letters and who reads words are both right."""
    problem = Problem(
        "count", "Count the letters.", Kind.FUNCTION, "count", "def count(text: str) -> int:\n",
        public_tests=(Test('"a b c"', "3"), Test('"a b b a"', "4"), Test('"c"', "1")),
    )  # fmt: skip
    words = "def count(text):\n    return len(text.split())\n"
    pieces = "def count(text):\n    return sum(1 for _ in text.split())\n"
    letters = "def count(text):\n    return len([letter for letter in text if not letter.isspace()])\n"
    made = harden_with(problem, [pieces, letters], [words], most_tests=4)
    assert made.failing == {}
    assert made.added


def test_a_crash_alone_names_nobody(harden_with):
    """Programs crash on what a statement does not allow, so such an input is left out."""
    made = harden_with(LARGEST, [CRASHES_LATE, SORTED, LOOP], [MAX], most_tests=4)
    assert made.failing == {}
    assert made.added


def test_inputs_of_the_problems_own_generator_are_used(harden_with):
    """Those that its validator accepts: here the only one on which the program is wrong."""
    right, wrong = ("n = int(input())\nprint(n * 2" + end for end in (")", " - (n * 7 % 99991 == 37819))"))
    problem = Problem(
        "twice", "Print twice the number.", Kind.STDIN, public_tests=(Test("1\n", "2\n"),),
        generator={"program": "import sys\nprint(sys.argv[1])", "commands": "748193\n-5"},
        validator={"program": "assert int(input()) > 0"},
    )  # fmt: skip
    made = harden_with(problem, [wrong], [right], most_tests=4)
    assert made.failing == {0: (Test("748193\n", "1496386\n"), "WA")}
    assert Test("-5\n", "-10\n") not in made.added
    assert harden_with(replace(problem, generator=None), [wrong], [right], most_tests=4).failing == {}
    talks = replace(problem, interactor={"program": ""})
    assert "interactor" in harden_with(talks, [wrong], [right]).why


def test_what_cannot_be_hardened_says_why(harden_with):
    """Several right answers, and no program that passes."""
    assert "other outputs" in harden_with(replace(LARGEST, several_answers=True), [MAX], [MAX]).why
    assert harden_with(LARGEST, []).why
