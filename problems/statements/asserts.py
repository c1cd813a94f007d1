"""Asserts of a data set as tests: by value where an assert is a plain comparison, else as a program."""

from __future__ import annotations

import ast

from sstar_code.problems.problem import Test
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.literals import read_literal
from sstar_code.problems.values import encode, encode_lines


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
