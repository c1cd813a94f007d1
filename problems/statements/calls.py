"""Examples written as calls: doctest, asserts, and `f(1) -> 2` in its many spellings."""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sstar_code.problems.problem import Test
from sstar_code.problems.statements.literals import (
    Scanner,
    parse_python,
    read_literal,
    read_value,
    spell_constants,
)
from sstar_code.problems.values import encode, encode_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Call", "encode_test", "find_asserted_names", "find_calls", "read_result"]

_ARROW = re.compile(
    r"[ \t`*]{0,8}(?:==>|=>|==|->|-->|➞|→|➡|=|returns?|is"
    r"|(?:should|would|will|must)\s+(?:return|be)|#\s*(?:=>|->|returns|==)?|\|\s*)[ \t`*:]{0,8}",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"[ \t]{0,8}(?:[-+*/%=]|<|>(?!>))")
_MORE = re.compile(r"[\w\"'(\[{]")
_ASSERT_NAME = re.compile(r"(?m)^\s{0,12}(?:>>>[ \t]{0,4})?assert\s{1,4}(?:not\s{1,4})?([A-Za-z_]\w*)\s?\(")


@dataclass(frozen=True, slots=True)
class Call:
    """The function that examples call."""

    name: str
    parameters: tuple[str, ...] = ()
    """Names in order, without `self`; empty where unknown."""
    returns: str = ""
    """The annotation of the returned value, empty where unknown."""


def encode_test(arguments: Sequence[Any], value: Any) -> Test | None:
    """The test that calls with `arguments` and expects `value`; None where they cannot be encoded."""
    try:
        test = Test(encode_lines(arguments), encode(value))
    except (RecursionError, ValueError):
        return None
    # An ellipsis is a literal to Python, and an omission in a statement.
    return None if '"$repr"' in f"{test.input}{test.output}" else test


def _arguments(source: str, call: Call) -> list[Any]:
    tree = parse_python(source, "eval")
    if not isinstance(tree, ast.Expression) or not isinstance(tree.body, ast.Call):
        raise ValueError("not a call")  # noqa: TRY004 - the spelling is at fault
    spell_constants(tree)
    named = {keyword.arg: read_literal(keyword.value) for keyword in tree.body.keywords if keyword.arg}
    values = [read_literal(node) for node in tree.body.args]
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
    if arrow:
        source = read_result(scanner, arrow.end())
    elif prompt and text[end : end + 1] in ("\n", ""):
        source = _doctest_output(text, end + 1)
    else:
        return None
    try:
        return encode_test(arguments, read_value(source or ""))
    except ValueError:
        return None


def read_result(scanner: Scanner, start: int) -> str | None:
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
    if not isinstance(tree, ast.Module) or not isinstance(tree.body[0], ast.Assert):
        return None
    condition = tree.body[0].test
    negated = isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not)
    inner = condition.operand if isinstance(condition, ast.UnaryOp) and negated else condition
    if _calls(inner, call):
        try:
            return encode_test(_arguments(scanner.text[start:end], call), not negated)
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
    tree = parse_python(source, "eval")
    if not isinstance(tree, ast.Expression) or not _uses_only(tree, call):
        return None
    output = _doctest_output(text, line_end + 1)
    return Test(program=f"assert {ast.unparse(tree)} == {output}") if output else None


def find_asserted_names(text: str) -> list[str]:
    """Names that asserts in `text` call first, in order."""
    return [name for name in _ASSERT_NAME.findall(text) if not hasattr(builtins, name)]
