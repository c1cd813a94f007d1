"""LeetCode's statements: what their stub says about the call, and which examples are left out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.calls import CallForm, from_json, to_json
from sstar_code.problems.statements.leetcode import PREAMBLE, read_form, supply_names
from sstar_code.problems.statements.parse import parse_statement
from sstar_code.problems.statements.stubs import parse_stub


def read(stub, *examples):
    """The problem of a statement with these (input, output) and the stub as the site copies it."""
    shown = "".join(f"\nExample {i}:\n\nInput: {a}\nOutput: {b}\n" for i, (a, b) in enumerate(examples, 1))
    return parse_statement(f"Do what is asked.\n{shown}\n{stub}", id="p")


def method(stub):
    return f"class Solution:\n    def f(self, {stub}:\n        "


@pytest.mark.parametrize(
    ("stub", "example", "kinds"),
    [
        ("root: Optional[TreeNode]) -> int", ("root = [1,null,2]", "2"), ("tree", "")),
        ("n: int, head: ListNode) -> ListNode", ("n = 2, head = [1,2]", "[1]"), ("", "list", "list")),
        (
            "lists: List[Optional[ListNode]]) -> Optional[ListNode]",
            ("lists = [[1],[]]", "[1]"),
            ("lists", "list"),
        ),
        ("n: int) -> List[Optional[TreeNode]]", ("n = 1", "[[1]]"), ("", "trees")),
        (
            "root: 'TreeNode', p: 'TreeNode') -> 'TreeNode'",
            ("root = [1,2], p = 2", "2"),
            ("tree", "node", "node"),
        ),
    ],
)
def test_annotations_say_which_values_are_nodes(stub, example, kinds):
    """The example stays as written; where it gives a number for a node, the node with that value is meant."""
    problem = read(method(stub), example)
    assert (problem.entry_point, problem.call) == ("Solution.f", CallForm(kinds=(("f", kinds),)))
    assert len(problem.public_tests) == 1
    assert problem.preamble.startswith(PREAMBLE)
    assert ("class TreeNode" in problem.preamble) is ("TreeNode" in stub)


@pytest.mark.parametrize(
    ("stub", "given", "place"),
    [
        ("nums: List[int], k: int) -> None", "nums = [1,2], k = 3", 0),
        (
            'a: List[int], b: List[int]) -> None:\n        """Do not return, modify b in-place."""  #',
            "a = [1], b = [2]",
            1,
        ),
        ("nums: List[int]) -> List[int]", "nums = [1]", None),
    ],
)
def test_without_a_result_the_argument_counts(stub, given, place):
    """`-> None` says that the first argument is changed, the docstring may name another."""
    assert read(method(stub), (given, "[3]")).call.in_place == place


@pytest.mark.parametrize(
    ("stub", "example"),
    [
        ("head: Optional[ListNode]) -> bool", ("head = [3,2,0], pos = 1", "true")),
        ("head: 'Node') -> 'Node'", ("head = [[7,null],[13,0]]", "[[7,null],[13,0]]")),
        ("node: ListNode) -> None", ("head = [4,5], node = 5", "[4]")),
        ("nums: List[int]) -> int", ("nums = [1,1,2]", "2, nums = [1,2,_]")),
    ],
)
def test_an_example_that_the_stub_does_not_explain_is_left_out(stub, example):
    """The site's judge makes something of its own of these: as they stand no right program passes them."""
    assert read(method(stub), example).public_tests == ()


STUB = (
    "class LRU:\n\n    def __init__(self, size: int):\n        \n\n"
    "    def put(self, k: int) -> None:\n        \n\n"
)
CALLS = '["LRU","put","put"]\n[[2],[1],[1]]'
RESULT = "[null,null,null]"
TEST = Test('["LRU", "put", "put"]\n[[2], [1], [1]]', "[null, null, null]")


@pytest.mark.parametrize(
    "text",
    [
        f"Example 1:\n\nInput\n{CALLS}\nOutput\n{RESULT}\n\nExplanation\nAll.\n\n{STUB}",
        f"**Input**\n{CALLS}\n**Output**\n{RESULT}\n\n```python\n{STUB}```\n",
        f"<p><strong>Input</strong></p><pre>{CALLS}</pre><strong>Output</strong>\n{RESULT}\n\n{STUB}",
        f"Input:\n```\n{CALLS}\n```\nOutput:\n```\n{RESULT}\n```\n{STUB}",
        f"Input: ops = {CALLS.replace(chr(10), ', args = ')}\nOutput: {RESULT}\n{STUB}",
        f"{STUB}\n# Your object is called so:\n# obj = LRU(size)\n\nInput\n{CALLS}\nOutput\n{RESULT}\n",
    ],
)
def test_a_class_with_lists_of_calls_is_driven(text):
    """However the lists are set."""
    problem = parse_statement(f"Design a store.\n\n{text}", id="p")
    assert (problem.kind, problem.entry_point, problem.public_tests) == (Kind.FUNCTION, "LRU", (TEST,))
    assert problem.call == CallForm(driven=True, kinds=(("put", ("", "void")),))
    assert problem.starter_code.startswith("class LRU:\n")


@pytest.mark.parametrize(
    ("text", "entry_point", "tests"),
    [
        (f"Input\n{CALLS}\nOutput\n{RESULT}\n", "LRU", 1),  # no stub
        (f"Implement this class.\n\n{STUB}", "LRU", 0),
        (f"Input\n{CALLS}\nOutput\n[null]\n{STUB}", "LRU", 0),  # the lists do not go together
        (
            f'Input\n["Solution","f"]\n[[1],[2]]\nOutput\n[null,3]\n{STUB.replace("LRU", "Solution")}',
            "Solution",
            1,
        ),
        (
            "Input: root = [1]\nOutput: [1]\n\nclass Codec:\n    def serialize(self, root):\n        \n",
            "Codec",
            0,
        ),
    ],
)
def test_a_class_is_found_by_its_calls_or_its_stub(text, entry_point, tests):
    """An example that is no list of calls is no test of a class."""
    problem = parse_statement(f"Design it.\n\n{text}", id="p")
    assert (problem.entry_point, len(problem.public_tests), problem.call.driven) == (entry_point, tests, True)


@pytest.mark.parametrize(
    ("starter", "brings"),
    [
        ("def f(xs: List[int]):\n", "from typing import *"),
        ("def f(x: 'Deque[int]'):\n", "from typing import *"),
        ("from typing import List\ndef f(xs: List[int]):\n", "from typing import List\n"),
        ("import math\nimport no_such\nfrom . import sibling\ndef f(x):\n", "import math\n"),
        ("def f(root: TreeNode):\n", "class TreeNode:"),
        ("def f(x: int, y: Own) -> str:\n", ""),
        ("class TreeNode:\n    pass\ndef f(root: TreeNode):\n", "class TreeNode:\n    pass"),
    ],
)
def test_names_of_the_starter_code_are_there(starter, brings):
    """What it uses and does not define is brought where its judge would; what it imports is imported."""
    problem = Problem("p", "", Kind.FUNCTION, "f", starter)
    preamble = supply_names(problem).preamble
    assert (
        preamble.startswith(brings) if not brings.startswith("from typing import *") else brings in preamble
    )
    assert bool(preamble) is bool(brings)
    assert "no_such" not in preamble


@pytest.mark.parametrize(
    ("outputs", "place"), [(["null"], None), (["[1]"], 0), ([], None)], ids=["null", "value", "untold"]
)
def test_a_function_without_a_result_may_print(outputs, place):
    """Where nothing is expected of it, nothing is made of its argument."""
    tests = [Test("[1]", output) for output in outputs]
    problem = Problem("p", "", Kind.FUNCTION, "show", "def show(xs: list) -> None:\n", tests)
    assert read_form(problem).in_place == place


@given(st.text(alphabet="cdlasefS:() \n\t#\"'[],->ntN", max_size=200))
def test_any_text_is_read_without_a_fault(text):
    """Stubs are text of others."""
    parse_stub(text)
    parse_statement(f"class A:\n  def f(self):\n{text}", id="p")


NAMES = st.sampled_from(["f", "__init__", "put"])
KINDS = st.lists(st.sampled_from(["", "list", "trees", "node", "void", "nary"]), max_size=3).map(tuple)
WAYS = st.sampled_from([{}, {"driven": True}, {"drained": True}, {"steps": ("put", "", "f")}])
FORMS = st.fixed_dictionaries(
    {
        "either": st.booleans(),
        "in_place": st.none() | st.integers(0, 5),
        "kinds": st.dictionaries(NAMES, KINDS, max_size=2).map(lambda found: tuple(found.items())),
    }
)


@given(WAYS, FORMS)
def test_a_call_form_written_is_read_back(way, parts):
    """As JSON, plain parts left out."""
    form = CallForm(**way, **parts)
    assert from_json(json.loads(json.dumps(to_json(form)))) == form


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"inplace": 0}, "unknown key 'inplace'"),
        ({"in_place": -1}, "in_place must be"),
        ({"in_place": True}, "in_place must be"),
        ({"either": 1}, "'either' must be true or false"),
        ({"drained": 1}, "'drained' must be true or false"),
        ({"steps": "put"}, "'steps' must be a list of names"),
        ({"steps": ["put", ""]}, "steps begin and end with a method"),
        ({"driven": True, "drained": True}, "only one of driven, drained and steps"),
        ({"kinds": {"f": ["tre"]}}, "f: 'tre' is no kind; there are list"),
        ({"kinds": ["tree"]}, "'kinds' must be an object of lists"),
    ],
)
def test_a_call_form_that_is_none_is_refused(data, message):
    """By what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        from_json(data)
