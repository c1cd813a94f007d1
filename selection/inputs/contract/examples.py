"""What the public tests and the starter code say about a problem's inputs."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.values import Opaque, decode_lines, encode_lines

if TYPE_CHECKING:
    from sstar_code.problems import Problem

__all__ = ["annotations_of", "example_calls", "named_calls", "parameter_names", "public_inputs"]

_UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
_MAX_CHARS = 50_000
_MAX_CALL_CHARS = 600
_MAX_CLOSINGS = 12


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
    tree = parse_python(source)
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
    """The arguments of the public inputs of a function; those that cannot be decoded are left out.

    Where no public test has any: those of calls in the statement and the starter code.
    """
    calls = []
    for text in public_inputs(problem):
        try:
            arguments = decode_lines(text)
        except (ValueError, RecursionError):
            continue
        if not any(isinstance(item, Opaque) for item in arguments):
            calls.append(arguments)
    name = (problem.entry_point or "").rpartition(".")[2]
    return calls or (named_calls(f"{problem.statement}\n{problem.starter_code}", name) if name else [])


def named_calls(text: str, name: str) -> list[list[Any]]:
    """The arguments of all calls of `name` in free `text` that are literals, each once."""
    found: dict[str, list[Any]] = {}
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}\(", text[:_MAX_CHARS]):
        source = text[match.start() : match.start() + _MAX_CALL_CHARS]
        for end in [place for place, letter in enumerate(source) if letter == ")"][:_MAX_CLOSINGS]:
            tree = parse_python(source[: end + 1])
            if tree is None or not tree.body or not isinstance(tree.body[0], ast.Expr):
                continue
            call = tree.body[0].value
            if isinstance(call, ast.Call) and call.args and not call.keywords:
                try:
                    arguments = [ast.literal_eval(item) for item in call.args]
                except _UNREADABLE:
                    break
                found.setdefault(repr(arguments), arguments)
            break
    return list(found.values())


def _entry_point(problem: Problem) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool] | None:
    """Its definition in the starter code, and whether it is a method that begins with `self`."""
    tree = parse_python(problem.starter_code) or parse_python(
        f"{problem.starter_code.rstrip()}\n        pass"
    )
    owner, _, name = (problem.entry_point or "").rpartition(".")
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            first = [item.arg for item in (*node.args.posonlyargs, *node.args.args)][:1]
            return node, bool(owner) and first in (["self"], ["cls"])
    return None


def annotations_of(problem: Problem) -> list[ast.expr | None]:
    """The annotation of each positional parameter in the starter code; empty where it is not defined."""
    if (defined := _entry_point(problem)) is None:
        return []
    node, is_method = defined
    return [item.annotation for item in (*node.args.posonlyargs, *node.args.args)][is_method:]


def parameter_names(problem: Problem) -> tuple[list[str], int] | None:
    """The entry point's positional parameters without `self`, and how many must be given.

    Read from the starter code; None where it does not define the entry point or takes `*arguments`.
    """
    if (defined := _entry_point(problem)) is None or defined[0].args.vararg:
        return None
    node, is_method = defined
    names = [item.arg for item in (*node.args.posonlyargs, *node.args.args)]
    return names[is_method:], len(names) - len(node.args.defaults) - is_method
