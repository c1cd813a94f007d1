"""Which requests are tasks, and how they ask for a technique."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.serving.task import find_text, read_task
from sstar_code.agent.serving.technique import Wish, read_wish, split_tag
from sstar_code.agent.solving.settings import Settings
from sstar_code.problems import Kind, Test

DEFAULT = Settings(n=4)
WISH = Wish(DEFAULT)


def refusal(field):
    with pytest.raises(RefusedError) as caught:
        read_wish(field, None, None, DEFAULT)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_field_counts_before_the_address_and_that_before_the_tag():
    """Each is taken whole; without any the server's settings hold."""
    field = {"strategy": "beam:width=2"}
    assert read_wish(field, "tree", "coat", DEFAULT).settings.strategy == "beam:width=2"
    assert read_wish({"n": 8}, "tree", "coat", DEFAULT).settings.strategy == ""
    assert read_wish(None, "tree", "coat", DEFAULT).settings.strategy == "tree"
    assert read_wish(None, None, "coat", DEFAULT).settings.strategy == "coat"
    assert read_wish(None, None, None, DEFAULT).settings == DEFAULT
    assert read_wish("beam", None, None, DEFAULT).settings.strategy == "beam"


def test_a_strategy_replaces_a_range_of_samples():
    """What only `waves` takes does not stand against another strategy."""
    ranged = Settings(n=8, least=2)
    assert read_wish({"strategy": "beam"}, None, None, ranged).settings.least is None
    assert read_wish(True, None, None, ranged).settings.least == 2


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (7, "`sstar` must be an object"),
        ({"startegy": "beam"}, "did you mean 'strategy'"),
        ({"strategy": "bem"}, "did you mean 'beam'"),
        ({"strategy": "beam:wdth=2"}, "width"),
        ({"n": 65}, "from 1 to 64"),
        ({"n": True}, "must be a whole number"),
        ({"rounds": 99}, "from 0 to 8"),
        ({"max_seconds": 0}, "from 1"),
        ({"max_seconds": float("nan")}, "from 1"),
        ({"select": "guess"}, "guess"),
        ({"progress": "loud"}, "reasoning, comments, none"),
        ({"entry_point": "f()"}, "must be a name"),
        ({"tests": []}, "from 1 to 100"),
        ({"tests": [{"input": "1"}]}, "sstar.tests[0]"),
        ({"tests": [{"input": 1, "output": "2"}]}, "must be texts"),
    ],
)
def test_a_wrong_field_is_refused_in_a_line(field, told):
    """The line says what is wrong and what can be."""
    assert told in refusal(field)


def test_tests_have_three_forms():
    """Texts for a program, arguments for a function, assertions."""
    rows = [{"input": "1\n", "output": "2"}, {"input": [1, [2]], "output": None}, "assert f(1) == 2"]
    assert read_wish({"tests": rows}, None, None, DEFAULT).tests == (
        Test("1\n", "2"),
        Test("1\n[2]", "null"),
        Test(program="assert f(1) == 2"),
    )


def test_a_tag_counts_at_the_beginning_alone():
    """A tag that is quoted in a task chooses nothing."""
    assert split_tag("<sstar>beam</sstar>\nSort.") == ("beam", "Sort.")
    assert split_tag("Sort. <sstar>beam</sstar>") == (None, "Sort. <sstar>beam</sstar>")


@pytest.mark.parametrize(
    ("text", "is_task"),
    [
        ("Write a Python function that reverses a string.", True),
        ("Please implement an algorithm for the longest path.", True),
        ("```python\ndef f(x):\n    '''Twice x.'''\n```", True),
        ("```python\ndef f(x: int) -> int:\n    pass\n```", True),
        ("Twice a number.\n\n## Example\n\nInput:\n```\n5\n```\nOutput:\n```\n10\n```\n", True),
        ("The first line of standard input has n. Print twice it.", True),
        ("Write a Rust function that adds.", False),
        ("Write a function in C++ that adds.", False),
        ("Complete this function.\n```java\nint f() {}\n```", False),
        ("How do I write a function?", False),
        ("Go write a function that adds.", True),
        ("def add(a, b):\n    '''Sum.\n\n    >>> add(1, 2)\n    3\n    '''\n", True),
        ("hello, who are you?", False),
        ("What does this do?\n```python\ndef f(x):\n    return x + 1\n```", False),
        ("Explain the difference between a list and a tuple.", False),
        ("", False),
    ],
)
def test_what_is_a_task(text, is_task):
    """What asks for a program, has examples or holds a stub; a question about code is none."""
    assert (read_task(text, WISH, id="p", explicit=False) is not None) == is_task


def test_instructions_without_end_are_an_agents():
    """They are not looked through, which would keep others waiting; who asks by name is served."""
    text, long = "Write a program that reads an integer and prints twice its value.", "be brief " * 20_000
    assert read_task(text, WISH, id="p", explicit=False, instructions="be brief") is not None
    assert read_task(text, WISH, id="p", explicit=False, instructions=long) is None
    assert read_task(text, WISH, id="p", explicit=True, instructions=long) is not None


def test_who_says_that_it_is_a_task_is_believed():
    """Also where no word shows it; its tests take the place of the message's."""
    task = read_task("Twice n.", Wish(DEFAULT, tests=(Test("1", "2"),)), id="p", explicit=True)
    assert (task.tests_from, task.problem.kind, len(task.problem.public_tests)) == (
        "sstar.tests",
        Kind.STDIN,
        1,
    )
    assert read_task("Twice n.", WISH, id="p", explicit=True).tests_from == "none"
    named = read_task("Twice n.", Wish(DEFAULT, entry_point="twice"), id="p", explicit=True)
    assert (named.problem.kind, named.problem.entry_point) == (Kind.FUNCTION, "twice")


def test_assertions_need_a_function():
    """Without one they are refused, not left out."""
    wish = Wish(DEFAULT, tests=(Test(program="assert f() == 1"),))
    with pytest.raises(RefusedError, match="entry_point"):
        read_task("Twice n.", wish, id="p", explicit=True)


def test_a_message_cannot_raise_the_limits_of_its_programs():
    """What it states holds up to ten seconds and a gigabyte."""
    text = "Time limit: 5000 seconds. Memory limit: 900000 MB. Read n from standard input. Write a program."
    problem = read_task(text, WISH, id="p", explicit=True).problem
    assert (problem.time_limit_s, problem.memory_limit_mb) <= (10.0, 1024)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "user", "tests", "n"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.sampled_from(["chat", "completions", "responses"]), ANY, ANY)
def test_no_body_is_a_surprise(form, messages, field):
    """Whatever a client sends is a text, nothing, or a refusal in one line."""
    body = {"messages": messages, "input": messages, "prompt": messages, "tools": field}
    assert isinstance(find_text(form, body), str | None)
    with suppress(RefusedError):
        read_wish(field, None, None, DEFAULT)
