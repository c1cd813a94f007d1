"""Reads test inputs and calls out of text that was written freely.

A model is asked for one JSON array in a ```json fence: of texts for standard input, of argument arrays for a
function. Given may be anything: no fence, prose around, several arrays, JSON Lines, Python literals,
objects that name the arguments, a reply that was cut. What can be read is taken, the rest is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sstar_code.problems import Kind
from sstar_code.problems.statements.literals import read_value
from sstar_code.problems.values import encode_lines
from sstar_code.selection.inputs.contract.examples import example_calls, parameter_names

if TYPE_CHECKING:
    from sstar_code.problems import Problem

_FENCE = re.compile(r"```[ \t]*([\w+-]*)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_MAX_REPLY_CHARS = 400_000


def parse_inputs(text: str, problem: Problem, *, limit: int = 20, max_chars: int = 20_000) -> list[str]:
    """The inputs in the reply `text`, encoded as `Test.input` is, each once, in order.

    At most `limit`, each of at most `max_chars` characters. Never raises: where nothing can be read the
    list is empty.
    """
    text = text[:_MAX_REPLY_CHARS]
    shape = CallShape.of(problem) if problem.kind is Kind.FUNCTION else None
    has_lines = any("\n" in test.input.strip() for test in problem.public_tests)
    for source in _sources(text):
        found: dict[str, str] = {}
        for element in _elements(source, shape):
            encoded = _as_text(element, has_lines=has_lines) if shape is None else _as_call(element, shape)
            if encoded is not None and len(encoded) <= max_chars:
                found.setdefault(encoded.rstrip(), encoded)
        if found:
            return list(found.values())[:limit]
    return []


def _sources(text: str) -> Iterator[str]:
    """Texts to try, best first: the blocks marked as JSON, all blocks, the whole reply."""
    blocks = _FENCE.findall(text)
    yield "\n".join(body for language, body in blocks if language.lower() in ("json", "jsonl"))
    yield "\n".join(body for _, body in blocks)
    yield text


def _elements(source: str, shape: CallShape | None) -> Iterator[Any]:
    """One value for each input.

    Several arrays are several lists of inputs, unless they read better as the arguments of one call each
    (JSON Lines).
    """
    values = [_unwrap(value) for value in find_literals(source)]
    arrays = [value for value in values if isinstance(value, list)]
    if shape is not None and len(arrays) > 1:
        are_calls = all(shape.read(array) is not None for array in arrays)
        are_lists = all(shape.read(item) is not None for array in arrays for item in array)
        if are_calls and not are_lists:
            yield from values
            return
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _unwrap(value: Any) -> Any:
    """The array inside {"inputs": [...]}."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, inner),) = value.items()
        if key in _WRAPPERS and isinstance(inner, list):
            return inner
    return value


def _as_call(element: Any, shape: CallShape) -> str | None:
    call = shape.read(element)
    try:
        return None if call is None else encode_lines(call)
    except (ValueError, TypeError, RecursionError):  # nested too deeply, or an int of too many digits
        return None


def _as_text(element: object, *, has_lines: bool) -> str | None:
    """The text for standard input that `element` gives: a text, its lines, or rows of tokens."""
    if isinstance(element, dict):
        element = element.get("input", element.get("stdin"))
    try:
        if isinstance(element, list | tuple):
            rows = [" ".join(map(str, row)) if isinstance(row, list | tuple) else str(row) for row in element]
            element = "\n".join(rows)
        if isinstance(element, int | float) and not isinstance(element, bool):
            element = str(element)
        if not isinstance(element, str) or not element.strip():
            return None
        element.encode()  # a lone surrogate cannot be written to a pipe
    except (ValueError, RecursionError):  # also an int of too many digits
        return None
    if has_lines and "\n" not in element and "\\n" in element:
        element = element.replace("\\n", "\n")  # escaped once too often
    return element if element.endswith("\n") else element + "\n"


_MAX_RESTARTS = 20
"""Openings that led nowhere before the rest of the text is given up; keeps hostile text linear."""
_OPENING = re.compile(r'[\[{]|^[ \t]*"', re.MULTILINE)
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"' + r"|(?<![\w\"'])'[^'\\]*(?:\\.[^'\\]*)*'"
_MARK = re.compile(_STRING + r'|[\[\](){},"]', re.DOTALL)
_TRAILING_COMMA = re.compile(_STRING + r"|(,)(?=\s*[\]}])", re.DOTALL)


def read_literal(source: str) -> Any:
    """The value that `source` writes, as JSON or as Python.

    Line breaks inside JSON texts and trailing commas are forgiven.

    Raises:
        ValueError: it writes none.
    """
    without_commas = _TRAILING_COMMA.sub(lambda match: "" if match[1] else match[0], source)
    try:
        return json.loads(without_commas, strict=False)
    except (ValueError, RecursionError):
        return read_value(source)


def find_literals(text: str) -> Iterator[Any]:
    """The values in `text` outside of one another: arrays, objects, and strings that start a line.

    An array's elements are read one by one: one that cannot be read, or that the end of the text cuts,
    is left out and the others remain.
    """
    place, restarts = 0, 0
    while restarts < _MAX_RESTARTS and (opening := _OPENING.search(text, place)):
        start = opening.end() - 1
        elements, end = _split(text, start)
        if text[start] == "[":
            values = _read_all(elements)
            found = bool(values) or end is not None
            if found:
                yield values
        else:
            values = _read_all([] if end is None else [text[start:end]])
            found = bool(values)
            yield from values
        restarts += not found
        place = end if found and end is not None else (len(text) if found else start + 1)


def _read_all(sources: list[str]) -> list[Any]:
    """The values of those that can be read."""
    values = []
    for source in sources:
        with suppress(ValueError):
            values.append(read_literal(source))
    return values


def _split(text: str, start: int) -> tuple[list[str], int | None]:
    """The complete elements of what opens at `start`, and the place behind its end (None: it has none)."""
    elements: list[str] = []
    depth, element = 0, start + 1
    for mark in _MARK.finditer(text, start):
        sign = mark[0]
        if sign == '"':
            break  # a string without an end
        if sign in "[({":
            depth += 1
        elif sign in "])}":
            depth -= 1
        elif depth == 0:
            return elements, mark.end()  # a string by itself
        if depth == 0:
            elements.append(text[element : mark.start()])
            return [item for item in elements if item.strip()], mark.end()
        if sign == "," and depth == 1:
            elements.append(text[element : mark.start()])
            element = mark.end()
    return elements, None


_WRAPPERS = ("inputs", "input", "stdin", "args", "arguments", "test_inputs", "tests")
"""Names of an object's only field that models put around what was asked for."""

_CONTAINERS = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class CallShape:
    """The shape of calls of a problem's entry point, as far as starter code and public tests show it."""

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
            key = next((key for key in _WRAPPERS if key in element), None)
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
