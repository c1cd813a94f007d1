"""The calls and parameters that the public tests, the statement and the starter code of a problem show."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.doctests import sources_of
from sstar_code.problems.statements.literals import read_literal
from sstar_code.problems.values import Opaque, decode_lines, encode_lines

if TYPE_CHECKING:
    from sstar_code.problems import Problem

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
    trees = filter(None, map(parse_python, [source, *sources_of(source)]))
    found = []
    for node in (node for tree in trees for node in ast.walk(tree)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)
        if called not in (name, "candidate"):  # HumanEval's `check` names it `candidate`
            continue
        try:
            found.append(encode_lines(_read_arguments(node)))
        except (ValueError, TypeError, RecursionError):
            continue
    return found


def _read_arguments(call: ast.Call) -> list[Any]:
    """The positional arguments; ValueError where there is none, or one is named or no literal."""
    if call.keywords or not call.args:
        raise ValueError("not a call with positional arguments")
    return [read_literal(item) for item in call.args]


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
            if not isinstance(tree, ast.Module) or not tree.body or not isinstance(tree.body[0], ast.Expr):
                continue
            try:
                if isinstance(tree.body[0].value, ast.Call):
                    arguments = _read_arguments(tree.body[0].value)
                    found.setdefault(repr(arguments), arguments)
            except ValueError:
                pass
            break
    return list(found.values())


def _parameters(problem: Problem) -> tuple[ast.arguments, list[ast.arg]] | None:
    """The parameters that the starter code gives the entry point, and the positional ones without `self`."""
    code = problem.starter_code
    tree = parse_python(code) or parse_python(f"{code.rstrip()}\n        pass")
    owner, _, name = (problem.entry_point or "").rpartition(".")
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            positional = [*node.args.posonlyargs, *node.args.args]
            is_method = bool(owner and positional) and positional[0].arg in ("self", "cls")
            return node.args, positional[is_method:]
    return None


def annotations_of(problem: Problem) -> list[ast.expr | None]:
    """The annotation of each positional parameter in the starter code; empty where it is not defined."""
    defined = _parameters(problem)
    return [item.annotation for item in defined[1]] if defined else []


def parameter_names(problem: Problem) -> tuple[list[str], int] | None:
    """The entry point's positional parameters without `self`, and how many must be given.

    Read from the starter code; None where it does not define the entry point or takes `*arguments`.
    """
    defined = _parameters(problem)
    if defined is None or defined[0].vararg:
        return None
    arguments, positional = defined
    return [item.arg for item in positional], len(positional) - len(arguments.defaults)
