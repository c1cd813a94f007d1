"""LeetCode's own classes: `Node` in all its meanings, NestedInteger, iterators, pairs like encode and decode.

Each row is a statement as the site shows it, a right program and a plausible wrong one.
"""

from __future__ import annotations

import pytest

from sstar_code.problems.statements.parse import read_statement
from sstar_code.sandbox.grade import run_tests

DEFINITION = '''"""
# Definition for a Node.
class Node:
    def __init__(self, {}):
        pass
"""
'''
NESTED = '''# """
# This is the interface that allows for creating nested lists.
# """
#class NestedInteger:
#    def isInteger(self) -> bool:
'''
CODEC = "# Your Codec object will be instantiated and called as such:\n"

FORMS = {
    "nary tree": (
        "Input: root = [1,null,3,2,4,null,5,6]\nOutput: 3",
        DEFINITION.format("val: Optional[int] = None, children: Optional[List['Node']] = None"),
        "def depth(self, root: 'Node') -> int:",
        "return 1 + max(map(self.depth, root.children), default=0) if root else 0",
        "return 1 + len(root.children)",
    ),
    "nary tree back": (
        "Input: root = [1,null,2,3,4,5,null,null,6,7,null,8]\nOutput: [1,null,5,4,3,2,null,null,8,null,7,6]",
        DEFINITION.format("val=None, children=None"),
        "def turn(self, root: 'Node') -> 'Node':",
        "root.children = [self.turn(child) for child in reversed(root.children)]\n        return root",
        "return root",
    ),
    "graph": (
        "Input: adjList = [[2,4],[1,3],[2,4],[1,3]]\nOutput: [[2,4],[1,3],[2,4],[1,3]]",
        DEFINITION.format("val = 0, neighbors = None"),
        "def cloneGraph(self, node: Optional['Node']) -> Optional['Node']:",
        "import copy\n        return copy.deepcopy(node)",
        "return Node(1)",
    ),
    "no graph": (
        "Input: adjList = []\nOutput: []",
        DEFINITION.format("val = 0, neighbors = None"),
        "def cloneGraph(self, node: Optional['Node']) -> Optional['Node']:",
        "return node",
        "return Node(1)",
    ),
    "random": (
        "Input: head = [[7,null],[13,0],[11,1]]\nOutput: [[7,null],[13,0],[11,1]]",
        DEFINITION.format("x: int, next: 'Node' = None, random: 'Node' = None").replace("x: int", "val: int"),
        "def copyRandomList(self, head: 'Optional[Node]') -> 'Optional[Node]':",
        "import copy\n        return copy.deepcopy(head)",
        "head.next.random = None\n        return head",
    ),
    "levels": (
        "Input: root = [1,2,3,4,5,null,7]\nOutput: [1,#,2,3,#,4,5,7,#]",
        DEFINITION.format("val: int = 0, left: 'Node' = None, right: 'Node' = None, next: 'Node' = None"),
        "def connect(self, root: 'Node') -> 'Node':",
        (
            "row = [root]\n        while row:\n            for a, b in zip(row, row[1:]): a.next = b\n"
            "            row = [c for n in row for c in (n.left, n.right) if c]\n        return root"
        ),
        "return root",
    ),
    "circular": (
        "The list is circular.\n\nInput: head = [3,4,1], insertVal = 2\nOutput: [3,4,1,2]",
        DEFINITION.format("val=None, next=None"),
        "def insert(self, head: 'Optional[Node]', insertVal: int) -> 'Node':",
        "head.next.next.next = Node(insertVal, head)\n        return head",
        "head.next.next.next = Node(insertVal)\n        return head",
    ),
    "multilevel": (
        "Input: head = [1,2,3,null,null,7,8,null,11]\nOutput: [1,2,7,11,8,3]",
        DEFINITION.format("val, prev, next, child"),
        "def flatten(self, head: 'Optional[Node]') -> 'Optional[Node]':",
        (
            "out, stack = [], [head]\n        while stack:\n            n = stack.pop()\n"
            "            out.append(n)\n"
            "            stack += [c for c in (n.next, n.child) if c]\n            n.child = None\n"
            "        for a, b in zip(out, out[1:]): a.next, b.prev = b, a\n        out[-1].next = None\n"
            "        return head"
        ),
        "return head",
    ),
    "nested in": (
        "Input: nestedList = [[1,1],2,[1,[6]]]\nOutput: 26",
        NESTED,
        "def depthSum(self, nestedList: List[NestedInteger], d=1) -> int:",
        (
            "return sum(d * x.getInteger() if x.isInteger() else self.depthSum(x.getList(), d + 1)"
            " for x in nestedList)"
        ),
        "return sum(x.getInteger() or 0 for x in nestedList)",
    ),
    "nested out": (
        'Input: s = "[123,[456,[789]]]"\nOutput: [123,[456,[789]]]',
        NESTED,
        "def deserialize(self, s: str) -> NestedInteger:",
        (
            "def make(v):\n            n = NestedInteger()\n            if type(v) is int: n.setInteger(v)\n"
            "            else: [n.add(make(w)) for w in v]\n            return n\n"
            "        return make(eval(s))"
        ),
        "return NestedInteger(123)",
    ),
    "types in the docstring": (
        "Input: root = [3,9,20,null,null,15,7]\nOutput: 3",
        (
            "# Definition for a binary tree node.\n# class TreeNode(object):\n"
            "#     def __init__(self, val=0, left=None, right=None):\n"
        ),
        (
            'def depth(self, root):\n        """\n        :type root: Optional[TreeNode]\n'
            "        :rtype: int\n"
            '        """'
        ),
        "return 1 + max(self.depth(root.left), self.depth(root.right)) if root else 0",
        "return 2",
    ),
    "no result, by the docstring": (
        "Input: nums = [0,1,0]\nOutput: [1,0,0]",
        "",
        (
            'def zeros(self, nums):\n        """\n        :type nums: List[int]\n'
            '        :rtype: None Do not return anything, modify nums in-place instead.\n        """'
        ),
        "nums.sort(key=lambda v: v == 0)",
        "return [1, 0, 0]",
    ),
    "nodes that are defined": (
        "Input: head = [1,2]\nOutput: [2,1]",
        "class ListNode:\n    def __init__(self, x):\n        self.val = x\n        self.next = None\n\n",
        "def swap(self, head: ListNode) -> ListNode:",
        "new = ListNode(head.next.val)\n        new.next = ListNode(head.val)\n        return new",
        "return head",
    ),
}
CLASSES = {
    "tree codec": (
        "Input: root = [1,2,3,null,null,4,5]\nOutput: [1,2,3,null,null,4,5]",
        (
            'class Codec:\n    def serialize(self, root):\n        """\n        :type root: TreeNode\n'
            '        :rtype: str\n        """\n\n    def deserialize(self, data):\n        """\n'
            '        :type data: str\n        :rtype: TreeNode\n        """\n\n'
            f"{CODEC}# ser = Codec()\n# deser = Codec()\n# ans = deser.deserialize(ser.serialize(root))\n"
        ),
        (
            "class Codec:\n"
            "    def serialize(self, r): return str(self.s(r))\n"
            "    def s(self, r): return r and (r.val, self.s(r.left), self.s(r.right))\n"
            "    def deserialize(self, data): return self.d(eval(data))\n"
            "    def d(self, t): return t and TreeNode(t[0], self.d(t[1]), self.d(t[2]))\n"
        ),
        (
            "class Codec:\n    def serialize(self, r):\n        self.kept = r\n        return ''\n"
            "    def deserialize(self, data): return self.kept\n"
        ),
    ),
    "text codec": (
        'Input: strs = ["Hello","World"]\nOutput: ["Hello","World"]',
        (
            "class Codec:\n    def encode(self, strs: List[str]) -> str:\n        \n\n"
            f"    def decode(self, s: str) -> List[str]:\n        \n\n{CODEC}# codec = Codec()\n"
        ),
        (
            "class Codec:\n    def encode(self, strs): return json.dumps(strs)\n"
            "    def decode(self, s): return json.loads(s)\n"
        ),
        "class Codec:\n    def encode(self, s): return ''.join(s)\n    def decode(self, s): return [s]\n",
    ),
    "nested iterator": (
        "Input: nestedList = [[1,1],2,[1,1]]\nOutput: [1,1,2,1,1]",
        (
            f"{NESTED}\nclass NestedIterator:\n"
            "    def __init__(self, nestedList: [NestedInteger]):\n        \n\n"
            "    def next(self) -> int:\n        \n\n    def hasNext(self) -> bool:\n         \n"
        ),
        (
            "class NestedIterator:\n    def __init__(self, given):\n        self.q = deque()\n"
            "        self.walk(given)\n"
            "    def walk(self, given):\n        for x in given:\n"
            "            self.q.append(x.getInteger()) if x.isInteger() else self.walk(x.getList())\n"
            "    def next(self): return self.q.popleft()\n    def hasNext(self): return bool(self.q)\n"
        ),
        (
            "class NestedIterator:\n    def __init__(self, given): self.n = 2\n    def next(self):\n"
            "        self.n -= 1\n        return 1\n    def hasNext(self): return self.n > 0\n"
        ),
    ),
    "peeking iterator": (
        (
            'Input\n["PeekingIterator", "next", "peek", "next", "next", "hasNext"]\n'
            "[[[1, 2, 3]], [], [], [], [], []]\nOutput\n[null, 1, 2, 2, 3, false]"
        ),
        (
            'class PeekingIterator:\n    def __init__(self, iterator):\n        """\n'
            '        :type iterator: Iterator\n        """\n\n    def peek(self):\n        """\n'
            '        :rtype: int\n        """\n\n    def next(self):\n        """\n        :rtype: int\n'
            '        """\n\n    def hasNext(self):\n        """\n        :rtype: bool\n        """\n'
        ),
        (
            "class PeekingIterator:\n    def __init__(self, iterator):\n        self.i = iterator\n"
            "        self.take()\n"
            "    def take(self): self.v = self.i.next() if self.i.hasNext() else None\n"
            "    def peek(self): return self.v\n    def next(self):\n        v = self.v\n"
            "        self.take()\n"
            "        return v\n    def hasNext(self): return self.v is not None\n"
        ),
        (
            "class PeekingIterator:\n    def __init__(self, iterator): self.i = iterator\n"
            "    def peek(self): return self.i.next()\n    def next(self): return self.i.next()\n"
            "    def hasNext(self): return self.i.hasNext()\n"
        ),
    ),
}


def judge(held, problem, code):
    return held.call(run_tests, held.sandbox, problem, code, problem.public_tests).verdict


@pytest.mark.parametrize("name", FORMS)
def test_what_the_stub_tells_of_nodes_is_what_the_program_meets(sandbox_held, name):
    """The right program passes the statement's example, the wrong one does not."""
    example, above, head, right, wrong = FORMS[name]
    text = f"Do it.\n\nExample 1:\n\n{example}\n\n{above}\nclass Solution:\n    {head}\n        "
    reading = read_statement(text, id="p")
    problem = reading.problem
    assert len(problem.public_tests) == 1, reading.notes
    for body, passes in ((right, True), (wrong, False)):
        program = f"class Solution:\n    {head.partition(chr(10))[0]}\n        {body}\n"
        assert (judge(sandbox_held, problem, program) == "AC") is passes, body


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_called_as_the_site_calls_it(sandbox_held, name):
    """Pairs of methods one after the other, iterators until they have no more."""
    example, stub, right, wrong = CLASSES[name]
    reading = read_statement(f"Do it.\n\nExample 1:\n\n{example}\n\n{stub}", id="p")
    problem = reading.problem
    assert len(problem.public_tests) == 1, reading.notes
    assert judge(sandbox_held, problem, right) == "AC"
    assert judge(sandbox_held, problem, wrong) != "AC"


@pytest.mark.parametrize("spelled", ["'Node'", "List['Node']", "Interval", "List['Employee']"])
def test_other_classes_of_the_site_are_said_not_to_be_read(spelled):
    """A `Node` that nothing defines, and classes whose values are written in other ways."""
    text = f"Input: a = [1,2]\nOutput: 3\n\nclass Solution:\n    def f(self, a: {spelled}) -> int:\n        "
    reading = read_statement(text, id="p")
    assert not reading.problem.public_tests
    assert any(spelled in note for note in reading.notes), reading.notes
