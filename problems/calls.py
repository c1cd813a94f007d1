"""How a function problem is called where plain values do not say it: nodes, classes, results in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PLAIN, LIST, LISTS, TREE, TREES, NODE, VOID = "", "list", "lists", "tree", "trees", "node", "void"
NARY, GRAPH, RANDOM, LEVELS, CIRCULAR = "nary", "graph", "random", "levels", "circular"
MULTILEVEL, NESTED, NESTEDS, ITERATOR = "multilevel", "nested", "nesteds", "iterator"
CHAINED = (LIST, TREE, NARY, GRAPH, RANDOM, LEVELS, CIRCULAR, MULTILEVEL)
"""Kinds of which None is the empty list."""
KINDS = (PLAIN, *CHAINED, LISTS, TREES, NODE, VOID, NESTED, NESTEDS, ITERATOR)
"""What a value is inside the program, by its value in a test:

plain: as it is. list: the head of linked nodes, for `[1, 2]`. tree: the root, for its nodes level by level
with null where a child is missing. lists, trees: a list of those. node: of an argument the node with that
value in the first tree, list or graph; of a result the value of the node. void: of a result, that it does not
count.

LeetCode's other nodes, as the site writes them. nary: the root of a tree with `children`, level by level, a
null behind the children of each. graph: the node 1, for the neighbours of each node. random: the head of
`[[value, place that random leads to or null]]`. levels: a tree whose nodes have `next`; of a result the
values as `next` joins them, "#" behind each level. circular: a list whose end leads to its head. multilevel:
a list with `prev` and `child`; a result has no child. nested: a NestedInteger, nesteds: a list of those.
iterator: an object with `next` and `hasNext`.
"""
_KEYS = ("either", "driven", "drained", "steps", "in_place", "kinds")


@dataclass(frozen=True, slots=True)
class CallForm:
    """How the program is called; the plain form hands over the values and takes what is returned.

    Raises:
        ValueError: a kind is none, or `in_place` is no position.
    """

    either: bool = False
    """A function `f` may answer where `Solution.f` is asked for, and the reverse: whichever is defined."""
    driven: bool = False
    """The entry point is a class. An input is two lines, `["Name", "method", ...]` and a list of arguments
    for each; the output lists what each returned, null for the constructor."""
    drained: bool = False
    """The entry point is a class with `hasNext` and `next`. An input is what its constructor takes,
    the output lists all that it has."""
    steps: tuple[str, ...] = ()
    """The entry point is a class. The first method takes the input, each other one what the one before it
    returned; an empty name stands for a new object."""
    in_place: int | None = None
    """The position of the argument that counts after the call, in place of what is returned."""
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Function or method -> the kinds of its arguments and, last, of its result; all others are plain."""

    def __post_init__(self) -> None:
        place = self.in_place
        if place is not None and (isinstance(place, bool) or not isinstance(place, int) or place < 0):
            raise ValueError(f"in_place must be a position from 0, got {place!r}")
        if sum(map(bool, (self.driven, self.drained, self.steps))) > 1:
            raise ValueError("only one of driven, drained and steps can be")
        if self.steps and not (self.steps[0] and self.steps[-1]):
            raise ValueError("steps begin and end with a method")
        for name, kinds in self.kinds:
            for kind in kinds:
                if kind not in KINDS:
                    raise ValueError(f"{name}: {kind!r} is no kind; there are {', '.join(KINDS[1:])}")

    def result_kind(self, name: str) -> str:
        """The kind of what counts after a call of the function or method `name`."""
        kinds = dict(self.kinds).get(self.steps[-1] if self.steps else name, ())
        place = len(kinds) - 1 if self.in_place is None else self.in_place
        return kinds[place] if 0 <= place < len(kinds) else PLAIN


PLAIN_CALL = CallForm()
"""Arguments in, the returned value out."""


def to_json(form: CallForm) -> dict[str, Any]:
    """The object that `from_json` reads back: what is not plain."""
    found = {
        key: value for key, value in asdict(form).items() if value not in (None, ()) and value is not False
    }
    if form.steps:
        found["steps"] = list(form.steps)
    if form.kinds:
        found["kinds"] = {name: list(kinds) for name, kinds in form.kinds}
    return found


def from_json(data: Mapping[str, Any]) -> CallForm:
    """The form that `data` describes.

    Raises:
        ValueError: a key is unknown, or a value of another type than it should be.
    """
    if unknown := sorted(set(data) - set(_KEYS)):
        raise ValueError(f"unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
    kinds = data.get("kinds", {})
    if not isinstance(kinds, dict) or not all(isinstance(row, list) for row in kinds.values()):
        raise ValueError("'kinds' must be an object of lists")
    for key in ("either", "driven", "drained"):
        if not isinstance(data.get(key, False), bool):
            raise ValueError(f"{key!r} must be true or false")  # noqa: TRY004 - a fault of the data
    steps = data.get("steps", [])
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise ValueError("'steps' must be a list of names")
    return CallForm(
        data.get("either", False),
        data.get("driven", False),
        data.get("drained", False),
        tuple(steps),
        data.get("in_place"),
        tuple((name, tuple(row)) for name, row in kinds.items()),
    )
