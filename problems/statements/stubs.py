"""Starter code as LeetCode writes it: what its functions take and give, and the nodes that it tells of."""

from __future__ import annotations

import ast
import re

from sstar_code.problems import calls
from sstar_code.problems.python_source import parse_python

NODES = {
    "ListNode": "class ListNode:\n"
    "    def __init__(self, val=0, next=None):\n        self.val, self.next = val, next\n",
    "TreeNode": "class TreeNode:\n    def __init__(self, val=0, left=None, right=None):\n"
    "        self.val, self.left, self.right = val, left, right\n",
    "NestedInteger": """class NestedInteger:
    def __init__(self, value=None):
        self._value = [] if value is None else value
    def isInteger(self):
        return isinstance(self._value, int)
    def add(self, elem):
        self._value = [NestedInteger(self._value)] if self.isInteger() else self._value
        self._value.append(elem)
    def setInteger(self, value):
        self._value = value
    def getInteger(self):
        return self._value if self.isInteger() else None
    def getList(self):
        return None if self.isInteger() else self._value
""",
}
"""Classes that LeetCode's judge defines for the program."""
_STRANGE = ("Interval", "Employee", "ImmutableListNode", "PolyNode")
"""Classes of the site whose values are not read here."""
_MANY = ("children", "neighbors")
_NODE = re.compile(
    r"\bclass Node\b[^\n]{0,40}:[#\s]{0,80}def __init__\(\s{0,20}self\s{0,20},([^()\n]{0,400})\)"
)
_FIELD = re.compile(r"(\w+)\s*(?::[^,=]*)?(?:=[^,]*)?(?:,|$)")
_PAIRS = {"serialize": "deserialize", "encode": "decode", "compress": "decompress"}
_HEADER = re.compile(r"([ \t]*)(?:async[ ]+)?def[ \t]")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse_stub(code: str) -> ast.Module | None:
    """The tree of starter code, in which bodies may be missing; None where it is not Python."""
    lines = code.split("\n")
    filled: list[str] = []
    header: str | None = None
    depth = 0
    for place, line in enumerate(lines):
        filled.append(line)
        found = _HEADER.match(line)
        if header is None and found:
            header, depth = found[1], 0
        if header is None:
            continue
        depth += line.count("(") + line.count("[") - line.count(")") - line.count("]")
        if depth <= 0 and line.split("#")[0].rstrip().endswith(":"):
            following = next((text for text in lines[place + 1 :] if text.split("#")[0].strip()), "")
            if len(following) - len(following.lstrip()) <= len(header):
                filled.append(f"{header}    pass")
            header = None
    return parse_python("\n".join(filled))


def find_entry(tree: ast.Module, entry_point: str) -> tuple[ast.ClassDef | None, Function | None]:
    """The class and the function that `entry_point` names in the stub."""
    owner, _, name = entry_point.rpartition(".")
    body: list[ast.stmt] = tree.body
    found = None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == (owner or name):
            found, body = node, node.body
    functions = [node for node in body if isinstance(node, Function) and node.name == name]
    return found, functions[0] if functions else None


def list_parameters(function: Function) -> list[ast.arg]:
    """The parameters that a call gives, without `self`."""
    found = [*function.args.posonlyargs, *function.args.args]
    return found[1:] if found and found[0].arg in ("self", "cls") else found


def _read_type(annotation: ast.expr | None, function: Function, key: str) -> str:
    """The type that an annotation spells, else the docstring behind `key`, as LeetCode's older stubs do."""
    if annotation is not None:
        return ast.unparse(annotation)
    told = re.search(rf":{key}:[ \t]{{0,20}}([^\n]{{0,200}})", ast.get_docstring(function) or "")
    return told[1].strip() if told else ""


def read_types(function: Function) -> list[str]:
    """The types of the parameters and, last, of the result; empty where the stub does not say."""
    types = [_read_type(item.annotation, function, f"type {item.arg}") for item in list_parameters(function)]
    return [*types, _read_type(function.returns, function, "rtype")]


def read_node_kind(text: str) -> str | None:
    """The kind of the class `Node` that the text, often in a comment, defines; None where it is not known."""
    found = _NODE.search(text)
    fields = set(_FIELD.findall(found[1])) if found else set()
    for names, kind in (
        ({"children"}, calls.NARY),
        ({"neighbors"}, calls.GRAPH),
        ({"next", "random"}, calls.RANDOM),
        ({"prev", "next", "child"}, calls.MULTILEVEL),
        ({"left", "right", "next"}, calls.LEVELS),
        ({"left", "right"}, calls.TREE),
        ({"next"}, calls.CIRCULAR if re.search(r"(?i)\bcircular", text) else calls.LIST),
    ):
        if names <= fields <= names | {"val"}:
            return kind
    return None


def write_node(text: str) -> str:
    """The class `Node` that the text defines."""
    found = _NODE.search(text)
    fields = list(dict.fromkeys(_FIELD.findall(found[1]))) if found else ["val"]
    lines = [
        f"        self.{name} = {f'[] if {name} is None else {name}' if name in _MANY else name}\n"
        for name in fields
    ]
    parameters = ", ".join(f"{name}=None" for name in fields)
    return f"class Node:\n    def __init__(self, {parameters}):\n{''.join(lines)}"


def read_kind(spelled: str, text: str) -> str | None:
    """The kind of the values of a type, in a problem with this `text`; None for a class not read here."""
    words = re.findall(r"\w+", spelled)
    many = "List" in words or "list" in words or spelled.startswith("[")
    if any(name in words for name in _STRANGE):
        return None
    if "ListNode" in words:
        return calls.LISTS if many else calls.LIST
    if "TreeNode" in words:
        return calls.TREES if many else calls.TREE
    if "NestedInteger" in words:
        return calls.NESTEDS if many else calls.NESTED
    if "Node" in words:
        return None if many else read_node_kind(text)
    return calls.PLAIN


def read_kinds(function: Function, text: str) -> tuple[str | None, ...]:
    """The kinds of the parameters and, last, of the result, in a problem with this `text`."""
    *given, result = read_types(function)
    kinds = [
        calls.ITERATOR if spelled.strip("'\"") == "Iterator" else read_kind(spelled, text)
        for spelled in given
    ]
    void = function.returns is None and result.split(" ")[0] in ("None", "void")
    void = void or (isinstance(function.returns, ast.Constant) and function.returns.value is None)
    return (*kinds, calls.VOID if void else read_kind(result, text))


def find_steps(owner: ast.ClassDef, text: str) -> tuple[str, ...]:
    """The two methods of a class that undo each other, as `CallForm.steps` has them; empty for others."""
    methods = [node.name for node in owner.body if isinstance(node, Function) and node.name[0] != "_"]
    if len(methods) != 2 or _PAIRS.get(methods[0]) != methods[1]:
        return ()
    fresh = len(re.findall(rf"\w = {re.escape(owner.name)}\(\)", text)) > 1
    return (methods[0], "", methods[1]) if fresh else (methods[0], methods[1])


def is_iterator(owner: ast.ClassDef) -> bool:
    """Whether a class is an iterator of LeetCode's kind."""
    return {"hasNext", "next"} <= {node.name for node in owner.body if isinstance(node, Function)}
