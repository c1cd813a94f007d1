"""Asserts of a data set as tests: by value where an assert is a plain comparison, else as a program."""

from __future__ import annotations

import ast
import warnings

from sstar_code.problems.problem import Test
from sstar_code.problems.statements.docstrings import read_call, read_literal
from sstar_code.problems.values import encode, encode_lines

__all__ = ["called_names", "isolate", "read_assert"]


def read_assert(source: str, entry_point: str, setup: str = "") -> Test:
    """A test for one assert statement.

    `assert f(literals) == literal` (or `is`, or with the sides swapped) becomes an input-output test, so its
    verdict is decided outside the sandbox; all else, and all that needs `setup`, becomes a program.
    """
    if not setup.strip():
        try:
            arguments, value = _plain_comparison(source, entry_point)
            return Test(encode_lines(arguments), encode(value))
        except (ValueError, SyntaxError):
            pass
    return Test(program=f"{setup}\n{source}\n".lstrip("\n"))


def _plain_comparison(source: str, entry_point: str) -> tuple[list[object], object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = ast.parse(source.strip()).body
    if len(body) != 1 or not isinstance(body[0], ast.Assert) or not isinstance(body[0].test, ast.Compare):
        raise ValueError("not one comparison")
    compare = body[0].test
    if len(compare.ops) != 1 or not isinstance(compare.ops[0], ast.Eq | ast.Is):
        raise ValueError("not one equality")
    sides = ast.unparse(compare.left), ast.unparse(compare.comparators[0])
    if isinstance(compare.comparators[0], ast.Call):
        sides = sides[1], sides[0]
    return read_call(sides[0], entry_point), read_literal(sides[1])


def called_names(source: str) -> list[str]:
    """Names that `source` calls, outermost first; none where it is not Python."""
    try:
        tree = ast.parse(source.strip())
    except (SyntaxError, ValueError):
        return []
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [function.id for function in calls if isinstance(function, ast.Name)]


def isolate(source: str, entry_point: str) -> str:
    """A test program that runs `source` in a name space of its own, where the candidate is `candidate`.

    So neither redefines a name of the other; names the candidate has shadowed are builtins again.
    """
    names = f"{{'__name__': 'test', {entry_point!r}: {entry_point}, 'candidate': {entry_point}}}"
    run = f"lambda b: b.exec(b.compile({source!r}, '<test>', 'exec'), {names})"
    return f"({run})(__import__('builtins'))\n"
