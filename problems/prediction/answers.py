"""Makes a program of a predicted value or call, so that it is run and judged like any other.

The program defines `answer`, which returns the prediction. A value is evaluated without the function that
was asked about; a call is evaluated with it, since what it gives is what counts. So a call's arguments are
data alone: an expression that reaches an object's insides could make the function give whatever is wanted.
"""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING

from sstar_code.problems.problem import Asked
from sstar_code.problems.python_source import parse_expression, parse_python, walk_tree

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


_DATA = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Starred, ast.JoinedStr, ast.FormattedValue),
    *(ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript, ast.Slice),
    *(ast.Call, ast.keyword, ast.Lambda, ast.arguments, ast.arg, ast.comprehension),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
_MAKERS = frozenset((
    *("abs", "all", "any", "ascii", "bin", "bool", "bytearray", "bytes", "chr", "complex", "dict", "divmod"),
    *("enumerate", "filter", "float", "format", "frozenset", "hex", "int", "len", "list", "map", "max"),
    *("min", "oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted"),
    *("str", "sum", "tuple", "zip"),
))  # fmt: skip
"""Python's functions that make data of data."""
_OTHERS = frozenset(dir(builtins)) - _MAKERS
_METHODS = frozenset(
    name for kind in (str, bytes, int, float, complex, list, tuple, dict, set, range) for name in dir(kind)
)
"""Those of data; with an underscore they are refused. A generator's, like `gi_frame`, are none of them."""


def write_program(answer: str, problem: Problem) -> str | None:
    """The program that returns what `answer` says: an expression, or an assert that compares with one.

    A program that this has written is an answer as well. None where it is neither, or where a call was asked
    for and it is no call, with data, of a function that the problem's preamble defines.
    """
    source = _unfence(answer[-_MOST_CHARS:])
    node = _read(source, problem.asks)
    if node is None or (problem.asks is Asked.CALL and not _is_call(node, problem.preamble)):
        return None
    text = ast.get_source_segment(source, node)
    return f"def {ENTRY_POINT}():\n    return (\n{text}\n)\n"


def _unfence(text: str) -> str:
    fenced = _FENCED.findall(text)
    return (str(fenced[-1]) if fenced else text).strip().strip("`").strip()


def _read(source: str, asks: Asked) -> ast.expr | None:
    """The expression that counts: of a comparison the side that was left open."""
    tree = parse_python(source) if source.startswith(("assert", f"def {ENTRY_POINT}()")) else None
    first = tree.body[0] if tree and tree.body else None
    if tree and isinstance(first, ast.FunctionDef):
        only = first.body[0]
        is_whole = len(tree.body) == len(first.body) == 1 and not first.decorator_list
        return only.value if is_whole and isinstance(only, ast.Return) else None
    node = first.test if isinstance(first, ast.Assert) else parse_expression(source)
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq):
        return None if isinstance(first, ast.Assert) else node
    if len(node.ops) > 1:
        return None
    return node.comparators[0] if asks is Asked.VALUE else node.left


def _is_call(node: ast.expr, preamble: str) -> bool:
    """Whether `node` calls a function of `preamble` with data, or with what is computed of data alone."""
    functions, values = _defined(preamble)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in functions:
        return False
    parts = [part for item in (*node.args, *node.keywords) for part in walk_tree(item)]
    made = {name for part in parts if (name := _made_name(part))}
    known = {*_MAKERS, *functions, *values, *made} - _OTHERS
    return all(_is_data(part, known) for part in parts)


def _made_name(node: ast.AST) -> str | None:
    """The name that a part of an expression makes: a comprehension's variable, a parameter."""
    if isinstance(node, ast.Name):
        return node.id if isinstance(node.ctx, ast.Store) else None
    return node.arg if isinstance(node, ast.arg) else None


def _is_data(node: ast.AST, known: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in known
    if isinstance(node, ast.Attribute):
        return node.attr in _METHODS and not node.attr.startswith("_")
    return isinstance(node, _DATA)


def _defined(source: str) -> tuple[set[str], set[str]]:
    """Functions that a module defines, and names of values in it."""
    tree = parse_python(source)
    body = tree.body if tree else []
    targets = [target for item in body if isinstance(item, ast.Assign) for target in item.targets]
    values = {target.id for target in targets if isinstance(target, ast.Name)}
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}, values
