"""Examples in docstrings: what doctest would run, and which of it are plain calls with plain results."""

from __future__ import annotations

import ast
import doctest
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Test
from sstar_code.problems.python_source import parse_expression
from sstar_code.problems.statements.literals import read_value
from sstar_code.problems.values import encode, encode_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Example", "Wanted", "find_examples", "judge_example", "literal_tests"]

_PARSER = doctest.DocTestParser()
_CHECKER = doctest.OutputChecker()


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt of a docstring and what has to come of it."""

    source: str
    want: str
    raises: str
    """`ValueError: message` where the example has to raise, else empty."""
    flags: int
    line: int
    """0-based, within the docstring."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an example gave: text printed, or the last line of a traceback."""

    got: str
    raised: str


def find_examples(docstring: str) -> list[Example]:
    """The examples of `docstring` in order; those marked to be skipped are left out.

    Raises:
        ValueError: its prompts are malformed; the message says where.
    """
    found = []
    for item in _PARSER.get_examples(docstring):
        if item.options.get(doctest.SKIP):
            continue
        flags = sum(flag for flag, wanted in item.options.items() if wanted)
        raises = (item.exc_msg or "").strip()
        found.append(Example(item.source, item.want, raises, flags, item.lineno))
    return found


def judge_example(example: Example, wanted: Wanted) -> str:
    """Why what came of `example` is not right, in doctest's words; empty where it is."""
    if wanted.raised:
        if not example.raises:
            return f"raised {wanted.raised}"
        if example.flags & doctest.IGNORE_EXCEPTION_DETAIL:
            same = (
                wanted.raised.partition(":")[0].rpartition(".")[2]
                == example.raises.partition(":")[0].rpartition(".")[2]
            )
        else:
            same = _CHECKER.check_output(example.raises + "\n", wanted.raised.strip() + "\n", example.flags)
        return "" if same else f"raised {wanted.raised}, expected {example.raises}"
    if example.raises:
        return f"expected {example.raises}, nothing was raised"
    if _CHECKER.check_output(example.want, wanted.got, example.flags):
        return ""
    return f"expected {example.want.strip()!s}, got {wanted.got.strip() or 'nothing'}"


def literal_tests(examples: Sequence[Example], name: str) -> list[Test | None]:
    """For each example the test it is where it is one call of `name` with literal arguments and result."""
    return [_read(example, name) for example in examples]


def _read(example: Example, name: str) -> Test | None:
    if example.raises or example.flags or not example.want.strip():
        return None
    try:
        arguments = _arguments(example.source, name)
        value = read_value(example.want)
        if repr(value) != example.want.strip():
            return None  # doctest compares text: another spelling of the value would fail there
        return Test(encode_lines(arguments), encode(value))
    except (ValueError, RecursionError, TypeError):
        return None


def _arguments(source: str, name: str) -> list[Any]:
    call = parse_expression(source.strip())
    if (
        not isinstance(call, ast.Call)
        or call.keywords
        or not isinstance(call.func, ast.Name)
        or call.func.id != name
    ):
        raise ValueError("not a plain call")
    return [ast.literal_eval(item) for item in call.args]
