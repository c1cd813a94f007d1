"""Examples by argument name: `Input: a = 1` / `Output: 2`, and "For a = 1 the output should be 2"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems.statements.calls import Call, encode_test, read_result
from sstar_code.problems.statements.literals import Scanner, read_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sstar_code.problems.problem import Test

__all__ = ["find_named_examples"]

_NAMED = re.compile(r"\s*`?([A-Za-z_]\w*)`?\s{0,4}[=:]\s{0,4}(?!=)")
_GIVEN = re.compile(
    r"(?im)^[ \t*>-]{0,12}(?:for|given|if|when|with)[ \t]+(?=`?[A-Za-z_]\w*`?[ \t]{0,4}=[^=])"
)
_THEN = re.compile(
    r"(?i)(?:output|result|answer|function|it)?[ \t]+"
    r"(?:(?:should|must)[ \t]+(?:be|return)|returns?|is)[ \t:`]*"
)
_LABELS = re.compile(
    r"(?im)^[\s*_>#-]{0,8}(input|output|explanation|note|constraints?|example\s{0,2}\d{0,3}|follow[ -]up)"
    r"[*_ \t]{0,4}:[*_]{0,2}"
)


def find_named_examples(text: str, call: Call | None) -> tuple[list[Test], tuple[str, ...]]:
    """Tests from `Input: a = 1, b = [2]` / `Output: 3` and "For a = 1 the output should be 3".

    Arguments follow the order of the parameters where the names agree, else the order in the example.
    The second value: the argument names of the first example, empty where it has none.
    """
    tests: list[Test] = []
    names: tuple[str, ...] = ()
    for given, output in _named_pairs(Scanner(text), call.returns if call else ""):
        labels = tuple(label for label, _ in given)
        by_name = dict(given)
        if call and len(labels) == len(call.parameters) and set(labels) == set(call.parameters):
            arguments = [by_name[name] for name in call.parameters]
        else:
            arguments = [item for _, item in given]
        test = encode_test(arguments, output)
        if test is not None:
            names = names or labels
            tests.append(test)
    return tests, names


def _named_pairs(scanner: Scanner, returns: str) -> Iterator[tuple[list[tuple[str, Any]], Any]]:
    text = scanner.text
    marks = list(_LABELS.finditer(text))
    ends = [mark.start() for mark in marks[2:]] + [len(text)]
    found = False
    for first, second, end in zip(marks, marks[1:], ends, strict=False):
        if first[1].lower() == "input" and second[1].lower() == "output":
            given = _named_values(scanner, first.end(), second.start())
            try:
                if given:
                    yield given, _output_value(text[second.end() : end], returns)
                    found = True
            except ValueError:
                continue
    for start in () if found else _GIVEN.finditer(text):
        line_end = text.find("\n", start.end())
        line_end = len(text) if line_end < 0 else line_end
        then = list(_THEN.finditer(text, start.end(), min(line_end, start.end() + 20_000)))
        given = _named_values(scanner, start.end(), line_end, partial=True) if then else None
        try:
            if given:
                yield given, read_value(read_result(scanner, then[-1].end()) or "")
        except ValueError:
            continue


def _named_values(
    scanner: Scanner, start: int, stop: int, *, partial: bool = False
) -> list[tuple[str, Any]] | None:
    """`a = 1, b = [2]` or `1, [2]` (then the names are empty) between two places; None where it is neither.

    `partial`: names are needed, and what follows the last named value is left alone.
    """
    text = scanner.text
    result: list[tuple[str, Any]] = []
    place = start
    while place < stop:
        while place < stop and text[place] in " \t\n,;`*":
            place += 1
        if place >= stop:
            break
        if partial and result and text.startswith("and ", place):
            place += 4
        label = _NAMED.match(text, place)
        if partial and label is None:
            break
        source = scanner.value(label.end() if label else place)
        if not source:
            return None
        place = (label.end() if label else place) + len(source)
        try:
            result.append((label[1] if label else "", read_value(source)))
        except ValueError:
            return None
        if place < stop and not partial and text[place] not in " \t\n,;`*.":
            return None
    return result or None


def _output_value(text: str, returns: str) -> Any:
    text = text.strip().strip("`*").strip()
    first = text.partition("\n")[0].strip().strip("`*").strip()
    for piece in (text, text.partition("\n\n")[0], first):
        try:
            return read_value(piece)
        except ValueError:
            continue
    if returns == "str" and first:
        return first
    raise ValueError("not a literal")
