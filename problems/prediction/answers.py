"""Makes a program of a predicted value or call, so that it is run and judged like any other.

The program defines `answer`, which returns the prediction. A value is evaluated without the function that
was asked about; a call is evaluated with it, since what it gives is what counts.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from sstar_code.problems.problem import Asked
from sstar_code.problems.python_source import parse_expression, parse_python

if TYPE_CHECKING:
    from sstar_code.problems.problem import Problem

ENTRY_POINT = "answer"
_MOST_CHARS = 1 << 16
"""Characters of an answer that are read, the last ones: no value of the sets has as many."""
_TAGGED = re.compile(r"\[ANSWER\](.*?)(?:\[/ANSWER\]|\Z)", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"^[ \t]*```\w*[ \t]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)


def find_answer(response: str) -> str:
    """The predicted part of a model's response.

    What the last `[ANSWER]` tag holds, else the last line that begins with `assert`, else the last fenced
    block, else the last line.
    """
    text = response[-_MOST_CHARS:].replace("\r\n", "\n")
    if tagged := _TAGGED.findall(text):
        return str(tagged[-1])
    lines = [line.strip().strip("`") for line in text.split("\n")]
    if asserts := [line for line in lines if line.startswith("assert ")]:
        return asserts[-1]
    if blocks := _FENCED.findall(text):
        return str(blocks[-1])
    return next((line for line in reversed(lines) if line), "")


def write_program(answer: str, problem: Problem) -> str | None:
    """The program that returns what `answer` says: an expression, or an assert that compares with one.

    None where it is neither, or where a call was asked for and it is no call of a function that the
    problem's preamble defines.
    """
    source = _unfence(answer[-_MOST_CHARS:])
    node = _read(source, problem.asks)
    if node is None or (problem.asks is Asked.CALL and _called(node) not in _defined(problem.preamble)):
        return None
    text = ast.get_source_segment(source, node)
    return f"def {ENTRY_POINT}():\n    return (\n{text}\n)\n"


def defines_answer(code: str) -> bool:
    """Whether `code` is a program as `write_program` makes them, and no answer."""
    tree = parse_python(code) if f"def {ENTRY_POINT}(" in code else None
    return tree is not None and any(getattr(node, "name", "") == ENTRY_POINT for node in tree.body)


def _unfence(text: str) -> str:
    fenced = _FENCED.findall(text)
    return (str(fenced[-1]) if fenced else text).strip().strip("`").strip()


def _read(source: str, asks: Asked) -> ast.expr | None:
    """The expression that counts: of a comparison the side that was left open."""
    tree = parse_python(source) if source.startswith("assert") else None
    first = tree.body[0] if tree and tree.body else None
    node = first.test if isinstance(first, ast.Assert) else parse_expression(source)
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq):
        return None if isinstance(first, ast.Assert) else node
    if len(node.ops) > 1:
        return None
    return node.comparators[0] if asks is Asked.VALUE else node.left


def _called(node: ast.expr) -> str | None:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return node.func.id if is_call else None  # type: ignore[attr-defined]


def _defined(source: str) -> set[str]:
    tree = parse_python(source)
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} if tree else set()
