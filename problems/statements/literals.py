"""Values in prose: literals of Python and JSON, and where a bracketed piece ends. Nothing is ever run."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from sstar_code.problems.python_source import parse_expression

_BUDGET_CHARS = 400_000
"""Characters looked at while matching brackets in one statement: keeps hostile text linear."""
_ATOM = re.compile(r"[-+]?(?:\d[\w.]*(?:[eE][-+]\d+)?|\.\d+|True\b|False\b|None\b|true\b|false\b|null\b)")
_WORDS = {"true": True, "false": False, "null": None}
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
        tree = parse_expression(text)
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
