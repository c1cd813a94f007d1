"""Examples in prose as tests: calls with what they return, and values given by argument name.

Calls are doctest's, asserts, and `f(1) -> 2` in its many spellings. By name are `Input: a = 1` / `Output: 2`
and "For a = 1 the output should be 2". Values are literals: nothing of the text is ever run.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sstar_code.problems.problem import Test
from sstar_code.problems.python_source import parse_expression, parse_python
from sstar_code.problems.statements.literals import Scanner, read_literal, read_value
from sstar_code.problems.values import encode, encode_lines

_ARROW = re.compile(
    r"[ \t`*]{0,8}(?:==>|=>|==|->|-->|➞|→|➡|=|returns?|is"
    r"|(?:should|would|will|must)\s+(?:return|be)|#\s*(?:=>|->|returns|==)?|\|\s*)[ \t`*:]{0,8}",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"[ \t]{0,8}(?:[-+*/%=]|<|>(?!>))")
_END_OF_LINE = re.compile(r"[ \t]{0,80}(?:#[^\n]*)?(?:\n|\Z)")
_MORE = re.compile(r"[\w\"'(\[{]")
_ASSERT_NAME = re.compile(r"(?m)^\s{0,12}(?:>>>[ \t]{0,4})?assert\s{1,4}(?:not\s{1,4})?([A-Za-z_]\w*)\s?\(")
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


@dataclass(frozen=True, slots=True)
class Call:
    """The function that examples call."""

    name: str
    parameters: tuple[str, ...] = ()
    """Names in order, without `self`; empty where unknown."""
    returns: str = ""
    """The annotation of the returned value, empty where unknown."""


def find_examples(text: str, name: str) -> list[Test]:
    """Tests of values for the function `name` from `text`: of calls of it, else of arguments by name."""
    call = Call(name)
    calls = [test for test in find_calls(text, call) if test.program is None]
    return calls or find_named_examples(text, call)[0]


def _encode_test(arguments: Sequence[Any], value: Any) -> Test | None:
    """The test that calls with `arguments` and expects `value`; None where they cannot be encoded."""
    try:
        test = Test(encode_lines(arguments), encode(value))
    except (RecursionError, ValueError):
        return None
    # An ellipsis is a literal to Python, and an omission in a statement.
    return None if '"$repr"' in f"{test.input}{test.output}" else test


def _arguments(source: str, call: Call) -> list[Any]:
    tree = parse_expression(source)
    if not isinstance(tree, ast.Call):
        raise ValueError("not a call")  # noqa: TRY004 - the spelling is at fault
    named = {keyword.arg: read_literal(keyword.value) for keyword in tree.keywords if keyword.arg}
    values = [read_literal(node) for node in tree.args]
    rest = [name for name in call.parameters[len(values) :] if name in named] or list(named)
    return values + [named[name] for name in rest]


def find_calls(text: str, call: Call) -> list[Test]:
    """Tests from every `name(arguments)` in `text` that is followed by what it returns, in order, each once.

    Followed: by an arrow, an equality, "returns" and the like on the same line or, after `>>>`, by the next
    line. Asserts beyond an equality are kept as programs where they use the function and builtins only.
    """
    scanner = Scanner(text)
    tests: dict[tuple[str, str | None], Test] = {}
    for start, end in _call_places(scanner, call.name):
        line_start = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", end)
        line = text[line_start : line_end if line_end >= 0 else len(text)].strip()
        test = _read_assert(scanner, line, start, end, call) or _read_wrapped(text, line, line_end, call)
        if test is None:
            test = _read_call(scanner, line.startswith(">>>"), start, end, call)
        if test is not None:
            tests.setdefault((test.input, test.program), test)
    return list(tests.values())


def _call_places(scanner: Scanner, name: str) -> Iterator[tuple[int, int]]:
    pattern = re.compile(rf"(?<![\w])(?<!def ){re.escape(name)}(?=\()")
    done = -1
    for match in pattern.finditer(scanner.text):
        if match.start() < done:
            continue
        end = scanner.end(match.end())
        if end is not None:
            done = end
            yield match.start(), end


def _read_call(scanner: Scanner, prompt: bool, start: int, end: int, call: Call) -> Test | None:
    text = scanner.text
    try:
        arguments = _arguments(text[start:end], call)
    except ValueError:
        return None
    arrow = _ARROW.match(text, end)
    source = _read_result(scanner, arrow.end()) if arrow else None
    if source is None and prompt and (line_end := _END_OF_LINE.match(text, end)):
        source = _doctest_output(text, line_end.end())
    try:
        return _encode_test(arguments, read_value(source or ""))
    except ValueError:
        return None


def _read_result(scanner: Scanner, start: int) -> str | None:
    """The value at `start`; of `1 + 2 = 3` the 3; None where the line goes on in another way."""
    source = scanner.value(start)
    if source is None:
        return None
    end = start + len(source)
    if _MORE.match(scanner.text, end):
        return None
    if not _OPERATOR.match(scanner.text, end):
        return source
    rest = scanner.text[end : end + 500].partition("\n")[0]
    return rest.rpartition("=")[2].strip(" \t`.,;") if "=" in rest else None


def _doctest_output(text: str, start: int) -> str:
    lines: list[str] = []
    for line in text[start : start + 20_000].split("\n"):
        plain = line.strip()
        if not plain or plain.startswith((">>>", '"""', "'''", "```")):
            break
        lines.append(plain)
    if not lines:
        return "None"  # doctest prints nothing for None
    for count in range(len(lines), 0, -1) if len(lines) <= 5 else (len(lines), 1):
        joined = "\n".join(lines[:count])
        try:
            read_value(joined)
        except ValueError:
            continue
        return joined
    return ""


def _read_assert(scanner: Scanner, line: str, start: int, end: int, call: Call) -> Test | None:
    """An assert that says more than `f(...) == value`: truth, negation, or one wrapped in builtins."""
    source = line.removeprefix(">>>").strip()
    if not source.startswith("assert ") or len(source) > 5_000:
        return None
    tree = parse_python(source)
    if tree is None or not isinstance(tree.body[0], ast.Assert):
        return None
    condition = tree.body[0].test
    negated = isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not)
    inner = condition.operand if isinstance(condition, ast.UnaryOp) and negated else condition
    if _calls(inner, call):
        try:
            return _encode_test(_arguments(scanner.text[start:end], call), not negated)
        except ValueError:
            return None
    if (
        isinstance(inner, ast.Compare)
        and _calls(inner.left, call)
        and isinstance(inner.ops[0], ast.Eq | ast.Is)
    ):
        return None  # the plain form, read by the caller
    return Test(program=source) if _uses_only(tree, call) else None


def _calls(node: ast.expr, call: Call) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == call.name


def _uses_only(tree: ast.AST, call: Call) -> bool:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return call.name in names and all(name == call.name or hasattr(builtins, name) for name in names)


def _read_wrapped(text: str, line: str, line_end: int, call: Call) -> Test | None:
    """`>>> round(f(2), 3)` and the like: kept as an assert, because the value passes through other code."""
    source = line.removeprefix(">>>").strip()
    if (
        not line.startswith(">>>")
        or line_end < 0
        or len(source) > 5_000
        or source.startswith(call.name + "(")
    ):
        return None
    tree = parse_expression(source)
    if tree is None or not _uses_only(tree, call):
        return None
    output = _doctest_output(text, line_end + 1)
    return Test(program=f"assert {ast.unparse(tree)} == {output}") if output else None


def find_asserted_names(text: str) -> list[str]:
    """Names that asserts in `text` call first, in order."""
    return [name for name in _ASSERT_NAME.findall(text) if not hasattr(builtins, name)]


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
        test = _encode_test(arguments, output)
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
                yield given, read_value(_read_result(scanner, then[-1].end()) or "")
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
