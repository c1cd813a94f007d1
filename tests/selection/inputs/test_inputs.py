from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.values import decode_lines
from sstar_code.selection.inputs.replies import find_literals, parse_inputs, read_literal

PAIR = Problem("p", "", Kind.FUNCTION, "f", "def f(nums: list, k: int):\n", (Test("[1, 2]\n3", "1"),))
ONE_LIST = Problem(
    "p",
    "",
    Kind.FUNCTION,
    "Solution.f",
    "class Solution:\n    def f(self, nums: List[int]) -> int:\n",
    (Test("[1, 2]", "1"),),
)
BARE = Problem("p", "", Kind.FUNCTION, "f")
STDIN = Problem("p", "", Kind.STDIN, public_tests=(Test("2\n1 2\n", "3"),))


@pytest.mark.parametrize(
    ("reply", "inputs"),
    [
        ("Sure:\n```json\n[[[1, 2], 3], [[], 0]]\n```\nDone [x].", ["[1, 2]\n3", "[]\n0"]),
        ("[[[1, 2], 3], [[], 0],]", ["[1, 2]\n3", "[]\n0"]),
        ("```json\n[[[1, 2], 3], [[], 0], [[4", ["[1, 2]\n3", "[]\n0"]),
        ("```json\n[[[1, 2], 3]]\n```\nand\n```json\n[[[], 0]]\n```", ["[1, 2]\n3", "[]\n0"]),
        ("[[1, 2], 3]\n[[], 0]\n", ["[1, 2]\n3", "[]\n0"]),
        ('{"nums": [1], "k": 2}\n{"k": 0, "nums": []}', ["[1]\n2", "[]\n0"]),
        ('```json\n[{"args": [[1], 2]}]\n```', ["[1]\n2"]),
        ('{"inputs": [[[1], 2]]}', ["[1]\n2"]),
        ('{"inputs": [[[1], 2], [[3], 4', ["[1]\n2"]),
        ("```python\n[([1], 2), ([None], 3)]\n```", ["[1]\n2", "[null]\n3"]),
        ('```json\n["[1]\\n2"]\n```', ["[1]\n2"]),
        ("[[[1], 2], [[1], 2], [[1]], [1, 2, 3]]", ["[1]\n2"]),
        ('[[[1], 2], [["a" * 9], 2], [[3], 4]]', ["[1]\n2", "[3]\n4"]),
        ("no input at all, it's [odd", []),
        ("", []),
        ("[[[[[[", []),
    ],
)
def test_function_inputs(reply, inputs):
    """Whatever the form of the reply, the readable calls are found, each once."""
    assert parse_inputs(reply, PAIR) == inputs


@pytest.mark.parametrize(
    ("reply", "inputs"),
    [
        ("[[[1, 2]], [[]]]", ["[1, 2]", "[]"]),
        ("[[1, 2, 3], [], [5]]", ["[1, 2, 3]", "[]", "[5]"]),
        ("[1, 2]\n[5]\n", ["[1, 2]", "[5]"]),
        ('[{"nums": [7]}]', ["[7]"]),
    ],
)
def test_single_argument_may_be_bare(reply, inputs):
    """A single parameter's value is read with or without its array, as the public tests suggest."""
    assert parse_inputs(reply, ONE_LIST) == inputs


@pytest.mark.parametrize(
    ("reply", "inputs"),
    [
        ('```json\n["2\\n1 2\\n", "1\\n5"]\n```', ["2\n1 2\n", "1\n5\n"]),
        ('["2\n1 2\n", "1\n5"]', ["2\n1 2\n", "1\n5\n"]),
        ('[["2", "3 4"], [[1], [5]], {"input": "7"}, 8]', ["2\n3 4\n", "1\n5\n", "7\n", "8\n"]),
        ('"1\\n2"\n"3\\n4"\n', ["1\n2\n", "3\n4\n"]),
        ("['2\\n1 2', '1\\n5']", ["2\n1 2\n", "1\n5\n"]),
        (r'["1\\n2"]', ["1\n2\n"]),
        ('["1\\n2", "3', ["1\n2\n"]),
        ('["\\ud800", "1\\n2", "", true, null]', ["1\n2\n"]),
    ],
)
def test_stdin_inputs(reply, inputs):
    """Texts, lines and rows become what goes to standard input, with a line break at the end."""
    assert parse_inputs(reply, STDIN) == inputs


def test_containers_follow_the_public_tests():
    """What JSON cannot write takes its type from the public tests."""
    problem = Problem(
        "p", "", Kind.FUNCTION, "f", public_tests=(Test('[{"$tuple": [1, 2]}]\n{"$set": [1]}\n1.5', "1"),)
    )
    (text,) = parse_inputs("[[[[3, 4]], [5], 2]]", problem)
    assert decode_lines(text) == [[(3, 4)], {5}, 2.0]
    assert isinstance(decode_lines(text)[2], float)


def test_unhashable_item_is_left_out():
    """A value that cannot take the shape of the public tests is no input."""
    problem = Problem("p", "", Kind.FUNCTION, "f", public_tests=(Test('{"$set": [1]}', "1"),))
    assert parse_inputs("[[[[1]]], [[2]]]", problem) == ['{"$set": [2]}']


def test_number_and_size_are_capped():
    """At most `limit` inputs of at most `max_chars` characters."""
    reply = json.dumps([f"{n}\n" for n in range(50)] + ["x" * 500])
    assert len(parse_inputs(reply, STDIN, limit=7)) == 7
    assert parse_inputs(json.dumps(["x" * 500, "1"]), STDIN, max_chars=100) == ["1\n"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.lists(values, min_size=2, max_size=2), min_size=1, max_size=5), st.booleans())
def test_calls_round_trip(calls, fenced):
    """Every list of calls that is written as asked is read back."""
    text = json.dumps(calls)
    reply = f"Here:\n```json\n{text}\n```\n" if fenced else text
    read = [decode_lines(line) for line in parse_inputs(reply, BARE, limit=99)]
    if not fenced or "```" not in text:
        assert {json.dumps(call) for call in read} == {json.dumps(call) for call in calls}


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_texts_round_trip(texts):
    """Every list of texts that is written as asked is read back."""
    read = parse_inputs(json.dumps(texts), Problem("p", "", Kind.STDIN), limit=99)
    assert {text.rstrip() for text in read} == {text.rstrip() for text in texts}


pieces = st.sampled_from(
    ['"', "'", "[", "]", "{", "}", "(", ")", ",", ":", "\\", "\n", "```", "json", "1", "a", " "]
)


@given(st.lists(pieces, max_size=40).map("".join) | st.text())
@settings(max_examples=300)
def test_never_raises(reply):
    """No reply breaks the reader."""
    for problem in (PAIR, ONE_LIST, BARE, STDIN):
        parse_inputs(reply, problem)


@pytest.mark.parametrize(
    "reply", ["[" * 100_000, '["' * 50_000, "{" * 100_000, "[1," * 100_000, "'" * 100_000]
)
def test_hostile_text_is_quick(reply):
    """Deep or unclosed brackets end in no input, not in an endless search."""
    assert parse_inputs(reply, PAIR) == []


def test_deep_nesting_is_left_out():
    """An element nested too deeply is left out and the others stay."""
    deep = "[" * 5_000 + "]" * 5_000
    assert parse_inputs(f"[[[1], 2], [{deep}, 2]]", PAIR) == ["[1]\n2"]


def test_read_literal_forgives_and_refuses():
    """JSON with a trailing comma and Python are read, anything else is a ValueError."""
    assert read_literal('[1, {"a": true,},]') == [1, {"a": True}]
    assert read_literal("{1, 2}") == {1, 2}
    assert list(find_literals("x [1] y {2: 3} z")) == [[1], {2: 3}]
    with pytest.raises(ValueError, match="not a literal"):
        read_literal("print(1)")
