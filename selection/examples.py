"""What the public tests and the starter code say about a problem's inputs."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Any

from problems import Kind
from problems.values import Opaque, decode_lines, encode_lines

if TYPE_CHECKING:
    from problems import Problem

__all__ = ["example_calls", "parameter_names", "public_inputs"]

_UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)


def _parse(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in somebody's starter code
            return ast.parse(code)
    except _UNREADABLE:
        return None


def public_inputs(problem: Problem) -> list[str]:
    """The inputs of the public tests, each once, in order.

    Tests written as assertions have none of their own: there, every call of the entry point with literal
    arguments is one.
    """
    texts = [test.input for test in problem.public_tests if test.program is None]
    for test in problem.public_tests:
        if test.program is not None and problem.kind is Kind.FUNCTION and problem.entry_point:
            texts += _asserted_calls(test.program, problem.entry_point.rpartition(".")[2])
    return list(dict.fromkeys(texts))


def _asserted_calls(source: str, name: str) -> list[str]:
    tree = _parse(source)
    found = []
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.Call) or node.keywords or not node.args:
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)
        if called not in (name, "candidate"):  # HumanEval's `check` names it `candidate`
            continue
        try:
            found.append(encode_lines([ast.literal_eval(item) for item in node.args]))
        except _UNREADABLE:
            continue
    return found


def example_calls(problem: Problem) -> list[list[Any]]:
    """The arguments of the public inputs of a function; those that cannot be decoded are left out."""
    calls = []
    for text in public_inputs(problem):
        try:
            arguments = decode_lines(text)
        except (ValueError, RecursionError):
            continue
        if not any(isinstance(item, Opaque) for item in arguments):
            calls.append(arguments)
    return calls


def parameter_names(problem: Problem) -> tuple[list[str], int] | None:
    """The entry point's positional parameters without `self`, and how many must be given.

    Read from the starter code; None where it does not define the entry point or takes `*arguments`.
    """
    tree = _parse(problem.starter_code) or _parse(f"{problem.starter_code.rstrip()}\n        pass")
    owner, _, name = (problem.entry_point or "").rpartition(".")
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            if node.args.vararg:
                return None
            names = [item.arg for item in (*node.args.posonlyargs, *node.args.args)]
            required = len(names) - len(node.args.defaults)
            is_method = bool(owner) and names[:1] in (["self"], ["cls"])
            return (names[1:], required - 1) if is_method else (names, required)
    return None
