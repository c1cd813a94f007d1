"""Turns what somebody wrote for one call into the arguments of the call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.selection.inputs.contract.examples import example_calls, parameter_names
from sstar_code.selection.inputs.replies.literals import read_literal

if TYPE_CHECKING:
    from typing import Self

    from sstar_code.problems import Problem

__all__ = ["WRAPPERS", "CallShape"]

WRAPPERS = ("inputs", "input", "stdin", "args", "arguments", "test_inputs", "tests")
"""Names of an object's only field that models put around what was asked for."""

_CONTAINERS = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class CallShape:
    """What a call of a problem's entry point looks like, as far as starter code and public tests say."""

    names: tuple[str, ...] = ()
    """Parameters in order; empty where unknown."""
    fewest: int = 0
    most: int = 255
    examples: tuple[tuple[Any, ...], ...] = ()
    """Arguments of public tests."""

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The shape that `problem` shows."""
        examples = tuple(tuple(call) for call in example_calls(problem))
        if named := parameter_names(problem):
            names, required = named
            return cls(tuple(names), required, len(names), examples)
        sizes = [len(example) for example in examples]
        return cls((), min(sizes), max(sizes), examples) if sizes else cls()

    def read(self, element: Any) -> list[Any] | None:
        """The arguments `element` stands for, with containers as in the public tests; None: not a call.

        An array is the arguments; for one parameter it may be the bare value; an object may name them.
        """
        arguments = self._arguments(element)
        if arguments is None:
            return None
        model = next((call for call in self.examples if len(call) == len(arguments)), arguments)
        try:
            return [_shape(value, example) for value, example in zip(arguments, model, strict=True)]
        except (TypeError, OverflowError, RecursionError):  # an unhashable item, an int beyond float
            return None

    def _arguments(self, element: Any) -> list[Any] | None:
        if isinstance(element, dict) and element:
            leading = self.names[: len(element)]
            if len(element) >= self.fewest and set(element) == set(leading):
                return [element[name] for name in leading]
            key = next((key for key in WRAPPERS if key in element), None)
            if key is not None:
                return self._arguments(element[key])
        if self.most == 1:
            return self._only_argument(element)
        if isinstance(element, list | tuple):
            return list(element) if self.fewest <= len(element) <= self.most else None
        if isinstance(element, str) and self.fewest > 1:
            return self._encoded_lines(element)
        return [element] if self.fewest <= 1 else None

    def _only_argument(self, element: Any) -> list[Any] | None:
        """A single parameter's value may come as it is or in an array of one.

        `[5]` is the argument 5, but a list of one int where the public tests show lists of ints; a bare 5
        is no argument there.
        """
        example = self.examples[0][0] if self.examples and self.examples[0] else None
        wants_list = isinstance(example, _CONTAINERS)
        if isinstance(element, list) and len(element) == 1:
            return list(element) if not wants_list or isinstance(element[0], _CONTAINERS) else [element]
        return None if wants_list and isinstance(element, int | float) else [element]

    def _encoded_lines(self, text: str) -> list[Any] | None:
        """The arguments written one a line, which is how the public tests show them."""
        try:
            values = [read_literal(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            return None
        return values if self.fewest <= len(values) <= self.most else None


def _shape(value: Any, example: Any) -> Any:
    """`value` with the types that JSON cannot write taken from `example`."""
    if isinstance(value, list):
        items = [_shape(item, next(iter(example))) for item in value] if _is_uniform(example) else value
        return type(example)(items) if isinstance(example, tuple | set | frozenset) else items
    if isinstance(value, dict) and isinstance(example, dict) and example:
        integers = all(type(key) is int for key in example) and all(_is_integer(key) for key in value)
        return {int(key): item for key, item in value.items()} if integers else value
    return float(value) if type(value) is int and type(example) is float else value


def _is_uniform(example: Any) -> bool:
    """Whether any item of `example` shows what the others look like."""
    return isinstance(example, _CONTAINERS) and len({type(item) for item in example}) == 1


def _is_integer(key: Any) -> bool:
    return isinstance(key, str) and re.fullmatch(r"-?\d{1,18}", key) is not None
