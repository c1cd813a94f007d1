"""Calls whose values are no plain JSON: nodes, results in place, classes that are driven, either form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.calls import CallForm
from sstar_code.problems.statements.leetcode import complete
from sstar_code.sandbox.grade import run_tests


def judge(held, problem, code, *tests):
    """The verdict of `code`, which stands for its reason where there is one."""
    made = [Test("\n".join(map(json.dumps, given)), json.dumps(wanted)) for given, wanted in tests]
    problem = complete(replace(problem, public_tests=tuple(made)))
    return held.call(run_tests, held.sandbox, problem, code, problem.public_tests).verdict


def solution(stub, name="f", **more):
    starter = f"class Solution:\n    {stub}\n        "
    return Problem("p", "", Kind.FUNCTION, f"Solution.{name}", starter, **more)


NODES = [
    (
        "def f(self, root: Optional[TreeNode]) -> Optional[TreeNode]:",
        """
        def f(self, root):
            if root:
                root.left, root.right = self.f(root.right), self.f(root.left)
            return root
        """,
        [([[1, 2, 3, 4]], [1, 3, 2, None, None, None, 4]), ([[]], []), ([[5]], [5, None])],
    ),
    (
        "def f(self, head: 'ListNode | None') -> 'ListNode':",
        """
        def f(self, head):
            last = None
            while head:
                head.next, last, head = last, head, head.next
            return last
        """,
        [([[1, 2, 3]], [3, 2, 1]), ([[]], []), ([None], None)],
    ),
    (
        "def f(self, lists: List[Optional[ListNode]]) -> Optional[ListNode]:",
        """
        def f(self, lists):
            top = end = ListNode()
            heap = [(node.val, place, node) for place, node in enumerate(lists) if node]
            heapify(heap)
            while heap:
                _, place, node = heappop(heap)
                end.next = end = node
                if node.next:
                    heappush(heap, (node.next.val, place, node.next))
            return top.next
        """,
        [([[[1, 4], [], [2, 3]]], [1, 2, 3, 4]), ([[]], [])],
    ),
    (
        "def f(self, n: int) -> List[Optional[TreeNode]]:",
        """
        def f(self, n):
            return [TreeNode(n, None, TreeNode(0)), None]
        """,
        [([2], [[2, None, 0], []])],
    ),
    (
        "def f(self, root: 'TreeNode', p: 'TreeNode', q: 'TreeNode') -> 'TreeNode':",
        """
        def f(self, root, p, q):
            return p if q in (p.left, p.right) else root
        """,
        [([[3, 5, 1, 6], 5, 6], 5), ([[3, 5, 1], 5, 1], 3)],
    ),
    (
        "def f(self, root: TreeNode) -> None:\n        'Do not return, modify root in-place.'",
        """
        def f(self, root):
            root.left, root.right = None, root.left
            return 7
        """,
        [([[1, 2]], [1, None, 2])],
    ),
    (
        "def f(self, a: List[int], b: List[int]) -> None:\n        'Do not return; modify b in-place.'",
        """
        def f(self, a, b):
            b[:] = a
        """,
        [([[1], [0, 0]], [1])],
    ),
]


@pytest.mark.parametrize(("stub", "code", "tests"), NODES, ids=[str(place) for place in range(len(NODES))])
def test_the_stub_says_what_goes_in_and_what_counts(sandbox_held, stub, code, tests):
    """Nodes are built from the plain value and read back as one; names of the stub are there."""
    program = f"class Solution:{code}"
    assert judge(sandbox_held, solution(stub), program, *tests) == "AC"
    wrong = [(given, [99]) for given, _ in tests]
    assert judge(sandbox_held, solution(stub), program, *wrong) != "AC"


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("return head", "AC"),
        ("return [1, 2]", "RE"),  # a list is no node
        ("head.next = head; return head", "RE"),
        ("head.next.val = 3; return head", "WA"),
        ("return None", "WA"),
    ],
)
def test_a_returned_list_is_walked(sandbox_local, body, verdict):
    """A plain list where a node is due, and a circle, are the candidate's errors."""
    problem = solution("def f(self, head: ListNode) -> ListNode:")
    own = "class ListNode:\n    def __init__(self, x): self.val = x; self.next = None\n"
    code = f"{own}class Solution:\n    def f(self, head):\n        {body}"
    assert judge(sandbox_local, problem, code, ([[1, 2]], [1, 2])) == verdict


STACK = Problem(
    "p",
    "",
    Kind.FUNCTION,
    "Walk",
    "class Walk:\n\n    def __init__(self, root: Optional[TreeNode]):\n        \n\n"
    "    def next(self) -> int:\n        \n\n    def skip(self, n: int) -> None:\n        ",
)
CALLS = (["Walk", "next", "skip", "next"], [[[2, 1, 3]], [], [1], []])


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("{0}: self.v = [r.val, r.left.val, 3]\n{1}: return self.v.pop(0)\n{2}: self.v = self.v[n:]", "AC"),
        ("{0}: self.v = [2, 1, 3]\n{1}: return self.v.pop(0)\n{2}: self.v = self.v[n:]; return self", "AC"),
        ("{0}: self.v = 2\n{1}: return self.v\n{2}: pass", "WA"),
        ("{0}: pass\n{1}: return 2", "RE"),
    ],
)
def test_a_class_is_driven_call_by_call(sandbox_held, code, verdict):
    """A fresh object, its methods in order; what a method without a result returns does not count."""
    heads = ("__init__(self, r)", "next(self)", "skip(self, n)")
    text = "class Walk:\n " + code.format(*(f"def {head}" for head in heads)).replace("\n", "\n ")
    assert judge(sandbox_held, STACK, text, (CALLS, [None, 2, None, 3])) == verdict


def test_a_class_that_is_not_there_is_missing(sandbox_local):
    """A program without it lacks its entry point."""
    assert judge(sandbox_local, STACK, "class Other: pass", (CALLS, [None])) == "CE"


@pytest.mark.parametrize("either", [True, False])
@pytest.mark.parametrize(
    ("entry_point", "code", "right"),
    [
        ("Solution.f", "def f(a): return a", "either"),
        ("f", "class Solution:\n    def f(self, a): return a", "either"),
        ("f", "class Solution: pass\ndef f(a): return a", "both"),
        ("Solution.f", "class Solution:\n    def f(self, a): return a\ndef f(a): return 0", "both"),
        ("Solution.f", "class Solution: pass", "none"),
        ("f", "if 1:\n    def f(a): return a", "both"),
    ],
)
def test_class_or_function_whichever_is_defined(sandbox_local, either, entry_point, code, right):
    """Where the set's judge takes either form; elsewhere the entry point's own form has to be there."""
    problem = Problem(
        "p", "", Kind.FUNCTION, entry_point, call=CallForm(either), preamble="from math import *\n"
    )
    expected = right == "both" or (right == "either" and either)
    assert (judge(sandbox_local, problem, code, ([4], 4)) == "AC") is expected


def test_a_name_of_the_preamble_is_no_answer(sandbox_local):
    """A program that defines nothing does not pass by what its judge brings."""
    problem = Problem("p", "", Kind.FUNCTION, "gcd", preamble="from math import *\n")
    assert judge(sandbox_local, problem, "x = 1", ([4, 6], 2)) == "CE"
    assert judge(sandbox_local, problem, "from math import gcd", ([4, 6], 2)) == "AC"


RESULTS = [
    ("from fractions import Fraction\ndef f(a): return Fraction(a, 2)", 1.5, "AC"),
    ("from decimal import Decimal\ndef f(a): return [Decimal('1.50')]", [1.5], "AC"),
    (
        "from enum import Enum\nclass E(str, Enum):\n    A = 'x'\ndef f(a): return {E.A: E.A}",
        {"x": "x"},
        "AC",
    ),
    ("class S(str):\n    def __str__(self): return 'x'\ndef f(a): return S('y')", "y", "AC"),
    ("class I(int):\n    def __int__(self): return 3\ndef f(a): return I(4)", 3, "WA"),
    ("class L(list):\n    def __iter__(self): return iter([1])\ndef f(a): return L([2])", [2], "AC"),
    ("from collections import UserList\ndef f(a): return UserList([2])", [2], "AC"),
    ("class A:\n    def __eq__(self, other): return True\ndef f(a): return A()", 3, "WA"),
    ("class A(int):\n    def __eq__(self, other): return True\ndef f(a): return A(2)", 3, "WA"),
    ("from decimal import Decimal\ndef f(a): return Decimal('sNaN')", 3, "WA"),
    ("from decimal import Decimal\ndef f(a): return Decimal('1E+999999')", 3, "WA"),
]


@pytest.mark.parametrize(("code", "wanted", "verdict"), RESULTS)
@pytest.mark.parametrize("checker", ["exact", "livecodebench", "apps", "python:1e-6"])
def test_results_are_equal_as_the_plain_types_are(sandbox_local, checker, code, wanted, verdict):
    """Numbers and texts of other types equal plain ones; the candidate's own methods are not asked."""
    problem = Problem("p", "", Kind.FUNCTION, "f", checker=checker)
    assert judge(sandbox_local, problem, code, ([3], wanted)) == verdict
