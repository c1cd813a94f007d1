"""Nodes of lists, trees and graphs: made of the plain values of a test, and made plain again.

Written as LeetCode writes them; what each kind is stands in `problems.calls`. Nothing here is called again
for what is deeper, so a list may be as long as it likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    _Find = Callable[..., Any]
    """The first class of some names that there is; None where there is none."""

_LINKS = {"list": ("next",), "circular": ("next",), "tree": ("left", "right"), "levels": ("left", "right")}
_END_OF_LEVEL = "#"


class _Node:
    """A node for a program that brings no class of its own."""

    val: Any
    next: Any
    left: Any
    right: Any


class _Iterator:
    """The iterator that LeetCode hands to a program."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self._place = 0

    def hasNext(self) -> bool:  # noqa: N802 - the site's name
        """Whether there is one more item."""
        return self._place < len(self._items)

    def next(self) -> Any:
        """The next item."""
        self._place += 1
        return self._items[self._place - 1]


def build(find: _Find, kinds: Sequence[str], arguments: list[Any]) -> list[Any]:
    """The arguments with nodes where `kinds` (of the arguments and, last, of the result) says so."""
    given: list[Any] = []
    for place, value in enumerate(arguments):
        kind = kinds[place] if place < len(kinds) - 1 else ""
        if kind in ("lists", "trees"):
            given.append([_link(find, kind[:-1], item) for item in value])
        elif kind == "node":
            given.append(next((node for root in given for node in _walk(root) if node.val == value), None))
        else:
            given.append(_BUILD.get(kind, _link)(find, kind, value) if kind else value)
    return given


def _make(made: Any, value: Any, links: Sequence[str], *, many: bool = False) -> Any:
    """A node with the value and `links` that lead nowhere, or with `many` to an empty list each."""
    made = made or _Node
    try:
        node = made(value)
    except TypeError:  # a class of the program's own, with other parameters
        node = made.__new__(made)
    node.val = value
    for link in links:
        setattr(node, link, [] if many else None)
    return node


def _link(find: _Find, kind: str, items: Any) -> Any:
    """The head or root of the nodes with the values `items`."""
    links = _LINKS[kind]
    made = find("ListNode" if links == ("next",) else "TreeNode", "Node")
    bare = (*links, "next") if kind == "levels" else links
    nodes = [None if item is None else _make(made, item, bare) for item in items or ()]
    if not nodes or nodes[0] is None:
        return None
    below = iter(nodes[1:])
    for node in nodes:  # each takes as many of those that follow as it has links
        for link in links if node is not None else ():
            setattr(node, link, next(below, None))
    if kind == "circular":
        setattr(nodes[-1], links[0], nodes[0])
    return nodes[0]


def _build_nary(find: _Find, _: str, items: Any) -> Any:
    made = find("Node")
    nodes = [None if item is None else _make(made, item, ["children"], many=True) for item in items or ()]
    if not nodes:
        return None
    parents = iter([node for node in nodes if node is not None])
    parent = next(parents)
    for node in nodes[2:]:
        if node is None:
            parent = next(parents, parent)
        else:
            parent.children.append(node)
    return nodes[0]


def _build_graph(find: _Find, _: str, rows: Any) -> Any:
    made = find("Node")
    nodes = [_make(made, number, ["neighbors"], many=True) for number in range(1, len(rows or ()) + 1)]
    for node, row in zip(nodes, rows or ()):  # noqa: B905 - 3.9
        node.neighbors.extend(nodes[number - 1] for number in row)
    return nodes[0] if nodes else None


def _build_random(find: _Find, _: str, rows: Any) -> Any:
    made = find("Node")
    nodes = [_make(made, value, ["next", "random"]) for (value, _) in rows or ()]
    for place, (_, other) in enumerate(rows or ()):
        nodes[place].next = nodes[place + 1] if place + 1 < len(nodes) else None
        nodes[place].random = None if other is None else nodes[other]
    return nodes[0] if nodes else None


def _build_multilevel(find: _Find, _: str, items: Any) -> Any:
    made = find("Node")
    level: list[Any] = []
    (row, skipped, first) = (level, 0, None)
    for item in items or ():
        if item is None:
            skipped += 1
            continue
        node = _make(made, item, ["prev", "next", "child"])
        first = first or node
        if skipped:  # one null ends the row, the others pass by nodes of the row above
            level[skipped - 1].child = node
            level = row = [node]
            skipped = 0
        else:
            if row:
                (row[-1].next, node.prev) = (node, row[-1])
            row.append(node)
    return first


def _build_nested(find: _Find, _: str, value: Any) -> Any:
    made = find("NestedInteger")
    top = made()
    waiting = [(top, value)]
    while waiting:
        (holder, item) = waiting.pop()
        if isinstance(item, list):
            for inner in item:
                part = made()
                waiting.append((part, inner))
                holder.add(part)
        else:
            holder.setInteger(item)
    return top


_BUILD: dict[str, Any] = {
    "nary": _build_nary,
    "graph": _build_graph,
    "random": _build_random,
    "multilevel": _build_multilevel,
    "nested": _build_nested,
    "nesteds": lambda find, kind, items: [_build_nested(find, kind, item) for item in items],
    "iterator": lambda _, __, items: _Iterator(items),
}


def _walk(root: Any) -> list[Any]:
    """The nodes of a list in order or of a tree level by level; of all else none."""
    found = [root] if hasattr(root, "val") else []
    seen = {id(root)}
    for node in found:
        links = [getattr(node, link, None) for link in ("next", "left", "right")]
        for child in links + list(getattr(node, "children", None) or ()):
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                found.append(child)
    return found


def flatten(kind: str, value: Any) -> Any:
    """The plain value for what the program made of `kind`.

    Raises:
        TypeError: it is no node.
        ValueError: the nodes do not hang together as those of the kind do.
    """
    if kind in ("", "void"):
        return value if not kind else None
    if kind in ("lists", "trees", "nesteds"):
        return [flatten(kind[:-1], item) for item in value]
    if kind == "nested":
        return _flatten_nested(value)
    if value is None:
        return None if kind == "node" else []
    if not hasattr(value, "val"):
        raise TypeError(f"a node or None is expected, got {type(value).__name__}")
    return value.val if kind == "node" else _FLATTEN.get(kind, _flatten_links)(kind, value)


class _Seen:
    """Nodes come to once."""

    def __init__(self) -> None:
        self._ids: set[int] = set()

    def visit(self, node: Any) -> Any:
        """The node.

        Raises:
            ValueError: it was visited before.
        """
        if id(node) in self._ids:
            raise ValueError("a node is reached twice")
        self._ids.add(id(node))
        return node


def _flatten_links(kind: str, root: Any) -> list[Any]:
    links = _LINKS[kind]
    found: list[Any] = []
    (seen, row) = (_Seen(), [root])
    for node in row:
        if node is None:
            found.append(None)
            continue
        found.append(seen.visit(node).val)
        row.extend(getattr(node, link) for link in links)
    return _trim(found)


def _flatten_circular(_: str, root: Any) -> list[Any]:
    found: list[Any] = []
    (seen, node) = (_Seen(), root)
    while node is not root or not found:
        found.append(seen.visit(node).val)
        node = node.next
        if node is None:
            raise ValueError("the list does not lead back to its head")
    return found


def _trim(found: list[Any]) -> list[Any]:
    while found and found[-1] is None:
        found.pop()
    return found


def _flatten_nary(_: str, root: Any) -> list[Any]:
    found: list[Any] = [root.val, None]
    (seen, row) = (_Seen(), [root])
    for node in row:
        children = list(seen.visit(node).children or ())
        row.extend(children)
        found += [*(child.val for child in children), None]
    return _trim(found)


def _flatten_graph(_: str, root: Any) -> list[Any]:
    seen = {id(root): root}
    row = [root]
    for node in row:
        for other in node.neighbors or ():
            if id(other) not in seen:
                seen[id(other)] = other
                row.append(other)
    row.sort(key=lambda node: node.val)
    return [[other.val for other in node.neighbors or ()] for node in row]


def _flatten_random(_: str, head: Any) -> list[Any]:
    seen = _Seen()
    (row, node) = ([], head)
    while node is not None:
        row.append(seen.visit(node))
        node = node.next
    places = {id(node): place for place, node in enumerate(row)}
    return [[node.val, None if node.random is None else places[id(node.random)]] for node in row]


def _flatten_levels(_: str, root: Any) -> list[Any]:
    """The values level by level, each level as its `next` links join it and ended by `#`."""
    found: list[Any] = []
    seen = _Seen()
    first = root
    while first is not None:
        (node, first) = (first, None)
        while node is not None:
            found.append(seen.visit(node).val)
            first = first or node.left or node.right
            node = node.next
        found.append(_END_OF_LEVEL)
    return found


def _flatten_multilevel(_: str, head: Any) -> list[Any]:
    found: list[Any] = []
    seen = _Seen()
    (before, node) = (None, head)
    while node is not None:
        if node.prev is not before or node.child is not None:
            raise ValueError("a node has a child still, or `prev` leads elsewhere")
        found.append(seen.visit(node).val)
        (before, node) = (node, node.next)
    return found


def _flatten_nested(value: Any) -> Any:
    if not hasattr(value, "isInteger"):
        raise TypeError(f"a NestedInteger is expected, got {type(value).__name__}")
    return value.getInteger() if value.isInteger() else [_flatten_nested(item) for item in value.getList()]


_FLATTEN: dict[str, Any] = {
    "nary": _flatten_nary,
    "graph": _flatten_graph,
    "random": _flatten_random,
    "levels": _flatten_levels,
    "circular": _flatten_circular,
    "multilevel": _flatten_multilevel,
}
