"""Calls the entry point as a `problems.calls.CallForm` says, given as a dictionary.

It runs in the candidate's process, so nothing here is trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.sandbox.inside.calling import nodes

if TYPE_CHECKING:
    from collections.abc import Iterable


class MissingEntryPointError(Exception):
    """The program does not define what is asked for."""


class Names:
    """The names that a program defined: those that only its preamble defines do not count."""

    def __init__(
        self, space: dict[str, Any], supplied: dict[str, Any], used: Iterable[str], entry_point: str
    ) -> None:
        """Take the name space, what was in it before the program, and the names that the program uses."""
        self._space = space
        self._supplied = supplied
        self._own = frozenset(used)
        (self.owner, _, self.method) = entry_point.rpartition(".")

    def get(self, name: str) -> Any:
        """The value of `name`; None where the program does not define it."""
        value = self._space.get(name)
        return None if value is self._supplied.get(name) and name not in self._own else value

    def node_class(self, *names: str) -> Any:
        """The first class of these names that there is, whoever defines it; None where there is none."""
        return next((found for name in names if (found := self._space.get(name)) is not None), None)

    def find(self, *, either: bool) -> Any:
        """What the entry point names; with `either` a function for a method of `Solution`, or the reverse.

        Raises:
            MissingEntryPointError: the program does not define it.
        """
        (owner, method) = (self.owner or ("Solution" if either else ""), self.method)
        found = self.get(owner) if owner else None
        if found is not None and hasattr(found, method):
            return getattr(found(), method)
        function = self.get(method) if either or not self.owner else None
        if function is not None:
            return function
        if found is not None and self.owner:
            raise MissingEntryPointError(f"{owner} has no method {method}")
        raise MissingEntryPointError(f"it does not define {self.owner or method}")

    def find_class(self) -> Any:
        """The class that is the entry point.

        Raises:
            MissingEntryPointError: the program does not define it.
        """
        made = self.get(self.method)
        if made is None:
            raise MissingEntryPointError(f"it does not define {self.method}")
        return made


def call(names: Names, form: dict[str, Any], arguments: list[Any]) -> Any:
    """The value that counts after the call that `form` describes.

    Raises:
        MissingEntryPointError: the program does not define what is called.
    """
    kinds = dict(form["kinds"])
    if form["driven"]:
        return _drive(names, kinds, *arguments)
    if form["drained"]:
        return _drain(names, kinds, arguments)
    if form["steps"]:
        return _step(names, kinds, form["steps"], arguments)
    target = names.find(either=form["either"])
    mine = kinds.get(names.method, ())
    given = nodes.build(names.node_class, mine, arguments)
    result = target(*given)
    place = form["in_place"]
    if place is not None and place < len(given):
        return nodes.flatten(mine[place] if place < len(mine) else "", given[place])
    return nodes.flatten(mine[-1] if mine else "", result)


def _drive(
    names: Names, kinds: dict[str, list[str]], methods: list[str], calls: list[list[Any]]
) -> list[Any]:
    """Make an object and call its methods one by one; what each returned."""
    made = names.find_class()(*nodes.build(names.node_class, kinds.get("__init__", ()), calls[0]))
    results: list[Any] = [None]
    for method, arguments in zip(methods[1:], calls[1:]):  # noqa: B905 - 3.9
        mine = kinds.get(method, ())
        result = getattr(made, method)(*nodes.build(names.node_class, mine, arguments))
        results.append(nodes.flatten(mine[-1] if mine else "", result))
    return results


def _drain(names: Names, kinds: dict[str, list[str]], arguments: list[Any]) -> list[Any]:
    """Make an iterator of LeetCode's kind and take all that it has."""
    made = names.find_class()(*nodes.build(names.node_class, kinds.get("__init__", ()), arguments))
    mine = kinds.get("next", ("",))
    found: list[Any] = []
    while made.hasNext():
        found.append(nodes.flatten(mine[-1], made.next()))
    return found


def _step(names: Names, kinds: dict[str, list[str]], steps: list[str], arguments: list[Any]) -> Any:
    """Hand what one method returns to the next; an empty name stands for a new object."""
    made = names.find_class()
    target = made()
    mine = kinds.get(steps[0], ())
    given = nodes.build(names.node_class, mine, arguments)
    for step in steps:
        if step:
            mine = kinds.get(step, ())
            given = [getattr(target, step)(*given)]
        else:
            target = made()
    return nodes.flatten(mine[-1] if mine else "", given[0])
