"""Values that a statement or a program names: where behaviour is likely to change.

A program that treats 7, 100 or "and" in its own way does so only on inputs that hold them (the dictionaries
of coverage-guided fuzzers rest on this).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sstar_code.problems.python_source import parse_python

_MAX_EACH = 30
_MAX_TEXT = 24
_MAX_NUMBER = 10**7
_QUOTED = re.compile(r"[`'\"\u2018\u201c]([^`'\"\u2019\u201d\n]{1,24})[`'\"\u2019\u201d]")
_NUMBERS = re.compile(r"(?<![\w.^])-?\d{1,7}(?!\w|[.^]\d)")


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Numbers and texts, the most telling ones first."""

    numbers: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()


def read_dictionary(statement: str, codes: Iterable[str]) -> Dictionary:
    """The numbers and texts that the literals of the programs and the statement name.

    Values that few programs know come first, since they may set them apart; those that all of them know, and
    those of the statement, come last. 0 and 1 are left out, as are docstrings.
    """
    counts: Counter[int | str] = Counter()
    for code in codes:
        counts.update(dict.fromkeys(_literals(code), 1))
    counts.update({int(number) for number in _NUMBERS.findall(statement)[:200]})
    counts.update(dict.fromkeys(_QUOTED.findall(statement)[:200], 1))
    ordered = sorted(counts, key=lambda value: (counts[value], str(value)))
    numbers = [value for value in ordered if isinstance(value, int) and abs(value) > 1]
    texts = [value for value in ordered if isinstance(value, str)]
    return Dictionary(tuple(numbers[:_MAX_EACH]), tuple(texts[:_MAX_EACH]))


def _literals(code: str) -> Iterable[int | str]:
    if (tree := parse_python(code)) is None:
        return
    lone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in lone:
            continue
        value = node.value
        if isinstance(value, str):
            fits = 0 < len(value) <= _MAX_TEXT
        else:
            fits = type(value) is int and abs(value) <= _MAX_NUMBER
        if fits and isinstance(value, int | str):
            yield value


def quoted_signs(statement: str) -> str:
    """Single signs, no letters or digits, that the statement puts in quotes, each once."""
    found = [text for text in _QUOTED.findall(statement) if len(text) == 1 and not text.isalnum()]
    return "".join(dict.fromkeys(found))
