"""Reads test inputs out of a model's reply.

Asked for is one JSON array in a ```json fence: of texts for standard input, of argument arrays for a
function. Given may be anything: no fence, prose around, several arrays, JSON Lines, Python literals,
objects that name the arguments, a reply that was cut. What can be read is taken, the rest is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.values import encode_lines
from sstar_code.selection.inputs.replies.arguments import WRAPPERS, CallShape
from sstar_code.selection.inputs.replies.literals import find_literals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sstar_code.problems import Problem

__all__ = ["parse_inputs"]

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
        if key in WRAPPERS and isinstance(inner, list):
            return inner
    return value


def _as_call(element: Any, shape: CallShape) -> str | None:
    call = shape.read(element)
    try:
        return None if call is None else encode_lines(call)
    except (ValueError, TypeError, RecursionError):  # nested too deeply, or an int of too many digits
        return None


def _as_text(element: object, *, has_lines: bool) -> str | None:
    """What goes to standard input: a text, its lines, or rows of tokens."""
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
