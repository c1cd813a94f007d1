"""Examples in a function's docstring as tests. Values are literals: nothing of the text is ever run."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from sstar_code.problems.problem import Test
from sstar_code.problems.values import encode, encode_lines

__all__ = ["find_examples", "read_call", "read_literal"]

_ARROW = re.compile(
    r"\s*#?\s*(?:➞|→|[-=]+>|={1,2}|(?:should|will|would|must)\s+(?:return|be)|returns?|output:?)\s*",
    re.IGNORECASE,
)
_SUM = re.compile(r"[\d\s.+*/()-]+=\s*([^=]+)")
_INPUT = re.compile(r"^\s*input:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_OUTPUT = re.compile(r"\s*output:\s*(.+)", re.IGNORECASE)
_FOR = re.compile(r"\bfor\s+(\w+\s*=.+?)\s*,?\s+the\s+(?:output|result)\s+should\s+be\s+(.+)", re.IGNORECASE)
_JSON_WORDS = {"true": True, "false": False, "null": None}
_MOST_BRACKETS = 200


class _NotLiteralError(ValueError):
    """The text is not one literal."""


def read_literal(text: str) -> Any:
    """The value of a Python literal; `true`, `false` and `null` count too.

    Raises:
        ValueError: the text is anything else.
    """
    text = text.strip()
    if text in _JSON_WORDS:
        return _JSON_WORDS[text]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a dubious escape in the text means is not our affair
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise _NotLiteralError(f"not a literal: {text[:60]!r}") from error


def read_call(text: str, name: str) -> list[Any]:
    """The arguments of `text`, which must be one call of `name` with literal positional arguments.

    Raises:
        ValueError: it is not.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _NotLiteralError("not a call") from error
    if not isinstance(node, ast.Call) or node.keywords or ast.unparse(node.func) != name:
        raise _NotLiteralError("not a call with positional arguments")
    return [read_literal(ast.unparse(argument)) for argument in node.args]


def find_examples(docstring: str, name: str) -> list[Test]:
    """Tests for the function `name` from the examples in its docstring, each input once, in order.

    Read are `>>> f(1)` with the value on the next line (none there: None); `f(1) == 2` and the like with an
    arrow, `=` or "returns"; `Input: x = 1` followed by `Output: 2`; "for x = 1 the output should be 2". An
    example that is not made of literals is left out.
    """
    pairs: list[tuple[list[Any], Any]] = []
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}\s?\(", docstring):
        pairs += _call_example(docstring, match.start(), name)
    if not pairs:
        pairs = _labelled_examples(docstring)
    tests: dict[str, Test] = {}
    for arguments, value in pairs:
        test = Test(encode_lines(arguments), encode(value))
        tests.setdefault(test.input, test)
    return list(tests.values())


def _call_example(text: str, start: int, name: str) -> list[tuple[list[Any], Any]]:
    """One pair, or none, for the call that starts at `start`."""
    found = _end_of_call(text, start, name)
    if found is None:
        return []
    arguments, end = found
    line, _, below = text[end:].partition("\n")
    before = text[text.rfind("\n", 0, start) + 1 : start].strip()
    arrow = _ARROW.match(line)
    try:
        if arrow:
            return [(arguments, _read_value(line[arrow.end() :]))]
        if before == ">>>" and not line.partition("#")[0].strip():
            return [(arguments, _read_below(below))]
    except _NotLiteralError:
        pass
    return []


def _end_of_call(text: str, start: int, name: str) -> tuple[list[Any], int] | None:
    end = start
    for _ in range(_MOST_BRACKETS):
        end = text.find(")", end) + 1
        if not end:
            break
        try:
            return read_call(text[start:end], name), end
        except _NotLiteralError:
            continue
    return None


def _read_value(line: str) -> Any:
    """The value at the end of a line: all of it, or before a comment or full stop, or behind a sum."""
    plain = line.strip()
    tries = [plain.rstrip(".;,"), plain.partition("#")[0]]
    total = _SUM.fullmatch(plain)
    if total:
        tries.append(total[1])
    for text in tries:
        try:
            return read_literal(text)
        except _NotLiteralError:
            continue
    raise _NotLiteralError(plain)


def _read_below(below: str) -> Any:
    """What doctest would expect: the lines up to a blank one or the next prompt; nothing there means None."""
    lines = []
    for line in below.split("\n"):
        if not line.strip() or line.strip().startswith((">>>", '"""', "'''")):
            break
        lines.append(line.strip())
    if not lines:
        return None
    try:
        return read_literal(" ".join(lines))
    except _NotLiteralError:
        return read_literal(lines[0])


def _labelled_examples(text: str) -> list[tuple[list[Any], Any]]:
    pairs = []
    for match in _INPUT.finditer(text):
        output = _OUTPUT.match(text, match.end())
        if output:
            pairs.append((match[1], output[1]))
    pairs += _FOR.findall(text)
    examples = []
    for given, wanted in pairs:
        try:
            examples.append((_named_values(given), _read_value(wanted)))
        except _NotLiteralError:
            continue
    return examples


def _named_values(text: str) -> list[Any]:
    """The values of `x = 1, y = [2]`, or of bare `1, [2]`, in order."""
    marks = [(match.start(), match.end()) for match in re.finditer(r"(?:^|(?<=,))\s*\w+\s*=(?!=)\s*", text)]
    if not marks:
        return [read_literal(text)]
    ends = [start for start, _ in marks[1:]] + [len(text)]
    return [
        read_literal(text[start:end].strip().rstrip(",")) for (_, start), end in zip(marks, ends, strict=True)
    ]
