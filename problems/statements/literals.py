"""Reads literals and asserts."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

from sstar_code.problems.problem import Test
from sstar_code.problems.python_source import parse_expression, parse_python
from sstar_code.problems.values import encode, encode_lines

_BUDGET_CHARS = 400_000
"""Characters looked at while matching brackets in one statement: keeps hostile text linear."""
_ATOM = re.compile(r"[-+]?(?:\d[\w.]*(?:[eE][-+]\d+)?|\.\d+|True\b|False\b|None\b|true\b|false\b|null\b)")
_WORDS = {"true": True, "false": False, "null": None}
_BARE_MARK = re.compile(r"(?<=[\[,])\s{0,4}#\s{0,4}(?=[,\]])")
"""The end of a level, as LeetCode writes trees whose levels are linked."""
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def read_value(text: str) -> Any:
    """The value that `text` spells in JSON or Python.

    Raises:
        ValueError: it spells none.
    """
    text = text.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        tree = parse_expression(_BARE_MARK.sub('"#"', text) if "#" in text and '"' not in text else text)
    if tree is None:
        raise ValueError("not a literal")
    return read_literal(tree)


def read_literal(node: ast.expr) -> Any:
    """The value of a literal's tree; the names `true`, `false` and `null` are JSON's constants.

    Raises:
        ValueError: it is no literal.
    """
    try:
        return ast.literal_eval(_JsonWords().visit(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, OverflowError) as error:
        raise ValueError("not a literal") from error


def encode_test(arguments: Sequence[Any], value: Any) -> Test:
    """The test that calls with `arguments` and expects `value`.

    Raises:
        ValueError: they cannot be encoded.
    """
    try:
        test = Test(encode_lines(arguments), encode(value))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    # An ellipsis is a literal to Python, and an omission in a statement.
    if '"$repr"' in f"{test.input}{test.output}":
        raise ValueError("an omission")
    return test


def read_call_arguments(call: ast.Call, parameters: Sequence[str] = ()) -> list[Any]:
    """The literal arguments of `call`, those by name in the order of `parameters`.

    Raises:
        ValueError: one is no literal.
    """
    named = {keyword.arg: read_literal(keyword.value) for keyword in call.keywords if keyword.arg}
    values = [read_literal(node) for node in call.args]
    rest = [name for name in parameters[len(values) :] if name in named] or list(named)
    return values + [named[name] for name in rest]


class _JsonWords(ast.NodeTransformer):
    """Puts Python's constants in the place of JSON's words."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Constant(_WORDS[node.id]), node) if node.id in _WORDS else node


class Scanner:
    """Finds where a bracketed or quoted piece of text ends, within a budget for the whole text."""

    def __init__(self, text: str) -> None:
        """Scan `text`."""
        self.text = text
        self.left = _BUDGET_CHARS

    def end(self, start: int) -> int | None:
        """The place behind the bracket or quote that opens at `start`; None where it does not close."""
        stack: list[str] = []
        quote = ""
        place = start
        while place < len(self.text) and self.left > 0:
            self.left -= 1
            char = self.text[place]
            if quote:
                if char == "\\":
                    place += 1
                elif char == quote:
                    quote = ""
                elif char == "\n":
                    return None
            elif char in "\"'":
                quote = char
            elif char in _CLOSING:
                stack.append(_CLOSING[char])
            elif char in ")]}" and (not stack or stack.pop() != char):
                return None
            place += 1
            if not stack and not quote:
                return place
        return None

    def value(self, start: int) -> str | None:
        """The text of the value that starts at `start`, None where none does."""
        if start >= len(self.text):
            return None
        if self.text[start] in "([{\"'":
            end = self.end(start)
            return self.text[start:end] if end is not None else None
        atom = _ATOM.match(self.text, start)
        return atom[0].rstrip(".") if atom else None


def read_assert(source: str, entry_point: str, setup: str = "") -> Test:
    """A test for one assert statement.

    `assert f(literals) == literal` (or `is`, or with the sides swapped) becomes an input-output test, so its
    verdict is decided outside the sandbox; all else, and all that needs `setup`, becomes a program.
    """
    if not setup.strip():
        try:
            arguments, value = _plain_comparison(source, entry_point)
            return Test(encode_lines(arguments), encode(value))
        except ValueError:
            pass
    return Test(program=f"{setup}\n{source}\n".lstrip("\n"))


def _plain_comparison(source: str, entry_point: str) -> tuple[list[object], object]:
    tree = parse_python(source.strip())
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Assert):
        raise ValueError("not one assert")
    compare = tree.body[0].test
    if not (isinstance(compare, ast.Compare) and len(compare.ops) == 1):
        raise ValueError("not one comparison")
    call, value = compare.left, compare.comparators[0]
    if isinstance(value, ast.Call):
        call, value = value, call
    if not isinstance(compare.ops[0], ast.Eq | ast.Is) or not isinstance(call, ast.Call) or call.keywords:
        raise ValueError("not the equality of a call with positional arguments")
    if ast.unparse(call.func) != entry_point:
        raise ValueError("a call of something else")
    return [read_literal(argument) for argument in call.args], read_literal(value)


def called_names(source: str) -> list[str]:
    """Names that `source` calls, outermost first; none where it is not Python."""
    tree = parse_python(source.strip())
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree else []
    return [function.id for function in calls if isinstance(function, ast.Name)]


def isolate(source: str, entry_point: str) -> str:
    """A test program that runs `source` in a name space of its own, where the candidate is `candidate`.

    So neither redefines a name of the other; names the candidate has shadowed are builtins again.
    """
    names = f"{{'__name__': 'test', {entry_point!r}: {entry_point}, 'candidate': {entry_point}}}"
    run = f"lambda b: b.exec(b.compile({source!r}, '<test>', 'exec'), {names})"
    return f"({run})(__import__('builtins'))\n"
