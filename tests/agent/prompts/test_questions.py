"""The questions of selection say what a reader has to know to answer them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.agent.prompts.shown import show_arguments
from sstar_code.agent.prompts.statement import describe_checker
from sstar_code.agent.prompts.templates import NAMES, Prompts
from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection.judging.question import Refusal, effort, is_empty, read_choice

TOOLS = {"kit": {"generate": True}, "reference": {}}
GONE = (
    "Every seed gives another one",
    "the largest inputs that the problem allows",
    "An example: `data` and the output",
    "try everything",
    "order of the outputs means nothing",
    "order of the two outputs means nothing",
    "order of the programs means nothing",
)
"""What readers could not follow, or followed wrongly."""


def call(checker="exact", kind=Kind.FUNCTION):
    tests = (Test('[1, 2]\n"a"', "[1.5]"),)
    name = "f" if kind is Kind.FUNCTION else None
    return Problem("p", "S", kind, name, public_tests=tests, checker=checker)


def ask(name, problem=None, **values):
    return Prompts().render(name, problem or call(), **values)[1].content


@pytest.mark.parametrize("name", NAMES)
def test_no_sentence_is_left_that_readers_stumbled_over(name):
    """Each of them was asked about, or answered as nobody meant it."""
    source = Prompts()._sources[name]
    assert [words for words in GONE if words in source] == []


def test_a_generator_is_told_sizes_and_time():
    """How many items each size has, what to do where no limit stands, and how long a call may take."""
    text = ask("kit", generate=True)
    for words in ("at most 3 items", "at most 1,000", "also where no limit is stated", "0.5 s of CPU time"):
        assert words in text
    assert "[[1, 2], 'a']" in text
    assert "generate" not in ask("kit", generate=False)
    assert "does not say what is right for it" in ask("kit", generate=False)


def test_a_brute_force_is_told_what_data_is():
    """The arguments as a list, not as a call; the size of inputs; what several right outputs mean."""
    text = ask("reference")
    assert "data = [[1, 2], 'a']\noutput = [1.5]" in text
    assert "about 10 items" in text
    assert "`solve` raises an exception" in text


@pytest.mark.parametrize(
    ("checker", "kind", "words"),
    [
        ("exact", Kind.FUNCTION, ""),
        ("lines", Kind.STDIN, ""),
        ("floats:1e-4", Kind.STDIN, "at most 1e-4"),
        ("python:1e-3", Kind.FUNCTION, "at most 1e-3"),
        ("python", Kind.FUNCTION, ""),
        ("apps", Kind.FUNCTION, "at most 1e-06"),
        ("unordered", Kind.STDIN, "Lines may stand in any order"),
        ("unordered", Kind.FUNCTION, "Items may stand in any order"),
        ("any-case", Kind.STDIN, "Letter case"),
        ({"program": "print(1)"}, Kind.STDIN, "others than the expected one"),
    ],
)
def test_a_judge_is_told_which_differences_do_not_count(checker, kind, words):
    """Tolerance, order and case as the checker has them, in the question itself."""
    problem = call(checker, kind)
    said = describe_checker(problem)
    assert (words in said) if words else said == ""
    assert said in ask("choose", problem, input="1", outputs=["1.5", "2.5"])
    assert said in ask("expect", problem, input="1")
    if "at most" in words:
        assert words not in ask(
            "choose", problem, input="1", outputs=["1", "True"]
        )  # there are none to differ


def test_an_output_is_asked_for_in_the_form_that_is_read():
    """A literal of a call's value, or the whole text, and what to do where nothing is right."""
    value, text = ask("expect", input="f(1)"), ask("expect", call(kind=Kind.STDIN), input="1")
    assert "```python block that holds nothing but the value" in value
    assert "```text block that holds nothing but the whole output" in text
    assert all("ANSWER: invalid" in shown and "read in two ways" in shown for shown in (value, text))


def test_a_tool_is_told_how_arguments_stand_on_standard_input():
    """Where the statement does not show it, since its example is written as a call."""
    problem = replace(
        call(kind=Kind.STDIN),
        statement="f([3,4]) = 5. Reads the arguments of `f` from standard input, one a line.",
        public_tests=(Test("[3, 4]\n", "5\n"),),
    )
    assert all("```\n[3, 4]\n```" in ask(name, problem, **more) for name, more in TOOLS.items())


def test_a_failed_program_is_explained_only_where_one_is_shown():
    """What "no output" means stands where it is an option, and that a list is no tuple where one is shown."""
    plain = ask("choose", input="1", outputs=["1", "2"])
    assert "No output" not in plain
    assert "tuple" not in plain
    assert "No output" in ask("choose", input="1", outputs=["1", "no output: the program failed"])
    assert "tuple" in ask("choose", input="1", outputs=["(1, 2)", "[1, 2]"])


def test_two_programs_are_judged_by_the_same_rules_as_outputs():
    """Tolerance, "no output" and tuples are explained where a case shows such an output, and else not."""

    def judged(first, second, problem=None):
        return ask("judge", problem, cases=[{"input": "f(1)", "first": first, "second": second}])

    plain = judged("1", "2", call("floats:1e-4"))
    assert not any(words in plain for words in ("at most 1e-4", '"No output"', "tuple"))
    assert "at most 1e-4" in judged("1.5", "2", call("floats:1e-4"))
    assert '"No output" says' in judged("1", "no output: the program failed")
    assert "A list and a tuple are different" in judged("(1, 2)", "[1, 2]")


def test_a_tolerance_is_named_only_where_numbers_may_have_a_fraction():
    """Who works outputs out has to know whether rounding matters, if a public test shows a fraction."""
    whole = replace(call("floats:1e-4"), public_tests=(Test("1", "2"), Test("2", None)))
    for name, values in (("expect", {"input": "f(1)"}), ("compare", {"first": "1", "second": "2"})):
        assert "at most 1e-4" in ask(name, call("floats:1e-4"), **values)
        assert "at most 1e-4" not in ask(name, whole, **values)


@pytest.mark.parametrize("name", ["inputs", "distinguish"])
def test_inputs_are_asked_for_in_what_json_can_write(name):
    """Tuples and sets are no JSON, so it is said how to write them, if a public test has any."""
    values = {"first": "1", "second": "2"} if name == "distinguish" else {}
    tuples = replace(call(), public_tests=(Test('{"$tuple": [1, 2]}', "3"),))
    assert "tuples and sets as arrays" in ask(name, tuples, count=5, **values)
    assert "tuples" not in ask(name, count=5, **values)


def test_time_is_a_difference_too():
    """Programs that only differ in how long they take are told apart by an input that takes too long."""
    assert "stopped after 0.5 s of CPU time" in ask("distinguish", first="1", second="2", count=5)


def test_more_than_one_may_be_right():
    """The answer is offered and read, and is none of the outputs."""
    assert "ANSWER: several" in ask("choose", input="1", outputs=["1", "2"])
    assert read_choice("ANSWER: several", 2) is Refusal.SEVERAL
    assert read_choice("ANSWER: both A and B", 2) is None


def test_small_inputs_are_easier_and_empty_ones_doubtful():
    """Digits beyond the third cost five characters each; an empty argument or line is seen."""
    assert effort("999") == 3
    assert effort("10000000000000023") == 17 + 5 * 14
    assert is_empty(call(), '[]\n"a"')
    assert is_empty(call(), '[1]\n""')
    assert not is_empty(call(), '[1]\n"a"')
    assert is_empty(call(kind=Kind.STDIN), "1\n\n2\n")
    assert not is_empty(call(kind=Kind.STDIN), "1\n2\n")


def test_arguments_are_shown_as_a_list():
    """The arguments of a test, or encoded ones, are one list."""
    assert show_arguments(call().public_tests[0]) == show_arguments('[1, 2]\n"a"') == "[[1, 2], 'a']"
