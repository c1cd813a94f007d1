"""Statements without the answer to one of their own examples, so that it can be asked about.

A judge that is asked about an example which it can read has only to copy. What it shows then is no skill.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.values import decode, decode_lines

if TYPE_CHECKING:
    from sstar_code.problems import Problem

LEFT_OUT = "[left out]"
_MOST_TOKENS = 400
"""Tokens of an input or output that are looked for."""
_WINDOW_CHARS = 600
"""Characters after an example's input in which its output is looked for: explanations repeat it."""
_GAP_CHARS = 60
"""Most characters between two arguments of an example: a name, a comma, the end of a line."""
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|[\w.]+|[^\w\s]")
_HEADING = re.compile(
    r"^[^\w\n]*(?:constraints?|limits?|notes?|follow[- ]up)\b", re.IGNORECASE | re.MULTILINE
)
_NOTHING = re.compile(r"(?!)")


def close_book(problem: Problem, number: int) -> Problem | None:
    """`problem` with the output of its `number`th public test left out wherever its example shows it.

    Statement and starter code are searched for the test's input; what follows it, up to the next example or
    heading, is searched for the output. A test that is not shown leaves the problem as it is. None where
    the input is shown and no output could be found behind it: then it cannot be told what a reader sees.
    """
    texts = []
    for text in (problem.statement, problem.starter_code):
        closed = _close(problem, number, text)
        if closed is None:
            return None
        texts.append(closed)
    return replace(problem, statement=texts[0], starter_code=texts[1])


def _close(problem: Problem, number: int, text: str) -> str | None:
    shown = [list(_find(_input_patterns(problem, place), text)) for place in range(len(problem.public_tests))]
    if not shown[number]:
        return text
    others = [start for place, found in enumerate(shown) if place != number for start, _ in found]
    ends = sorted([*others, *(match.start() for match in _HEADING.finditer(text))])
    output, found = _output_pattern(problem, number), 0
    for _, start in reversed(shown[number]):
        end = min([*(place for place in ends if place >= start), start + _WINDOW_CHARS])
        window, count = output.subn(LEFT_OUT, text[start:end])
        found += count
        text = text[:start] + window + text[end:]
    return text if found else None


def _find(parts: Sequence[re.Pattern[str]], text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every place where `parts` follow each other, each soon after the one before it."""
    place = 0
    while parts and (match := parts[0].search(text, place)):
        start, end = match.start(), match.end()
        place = end
        for part in parts[1:]:
            following = part.search(text, end, end + _GAP_CHARS + _MOST_TOKENS)
            if following is None or following.start() > end + _GAP_CHARS:
                break
            end = following.end()
        else:
            yield start, end
            place = max(end, place)
        place = max(place, start + 1)


def _input_patterns(problem: Problem, number: int) -> list[re.Pattern[str]]:
    """Patterns of the parts of a public test's input as statements write it; empty: nothing to look for."""
    test = problem.public_tests[number]
    if problem.kind is Kind.STDIN:
        words = test.input.split()[:_MOST_TOKENS]
        return [re.compile(rf"(?<!\S){_join(words)}(?!\S)")] if words else []
    try:
        return [re.compile(_value(value)) for value in decode_lines(test.input) if test.program is None]
    except (ValueError, RecursionError):
        return []


def _output_pattern(problem: Problem, number: int) -> re.Pattern[str]:
    text = problem.public_tests[number].output or ""
    if not text.strip():
        return _NOTHING
    if problem.kind is Kind.STDIN:
        return re.compile(rf"(?<![^\s(:=]){_join(text.split()[:_MOST_TOKENS])}(?![^\s.,;:)])")
    try:
        return re.compile(_value(decode(text)))
    except (ValueError, RecursionError):
        return re.compile(re.escape(text))


def _value(value: Any) -> str:
    """Pattern of a value as Python or JSON writes it, with any blanks inside."""
    ways = [_tokens(repr(value))]
    with suppress(TypeError, ValueError):
        ways.append(_tokens(json.dumps(value)))
    return f"(?:{'|'.join(dict.fromkeys(ways))})"


def _tokens(text: str) -> str:
    found = []
    for token in _TOKEN.findall(text)[:_MOST_TOKENS]:
        quoted = len(token) > 1 and token[0] in "\"'"
        mark = "[\"']" if token[1:-1].strip() == "" else "[\"']?"  # an empty text is seen by its quotes alone
        found.append(f"{mark}{re.escape(token[1:-1])}{mark}" if quoted else re.escape(token))
    return rf"(?<![\w.-]){_BLANKS.join(found)}(?!\w|\.\d)"


_BLANKS = r"\s*"


def _join(words: Sequence[str]) -> str:
    return r"\s+".join(map(re.escape, words))
