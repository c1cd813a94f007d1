"""Gives JSON back the types it lost (tuples, sets, complex numbers, integer keys), from typed examples."""

from __future__ import annotations

import ast
import re
from typing import Any

from sstar_code.problems.statements.literals import read_literal

_CONSTRUCTORS: dict[str, Any] = {
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
    "list": list,
    "complex": complex,
}
_CONTAINERS = (list, tuple, set, frozenset)
_NUMBERS = (int, float, complex)
_INTEGER = re.compile(r"-?\d+")
_DIGIT = re.compile(r"[0-9]")


def read_arguments(source: str, entry_point: str) -> list[list[Any]]:
    """The arguments of every call of `entry_point` in `source` that are literals or `set([...])`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point:
            try:
                found.append([_read(argument) for argument in node.args])
            except (ValueError, TypeError):
                continue
    return found


def _read(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CONSTRUCTORS:
        return _CONSTRUCTORS[node.func.id](*map(_read, node.args))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind(map(_read, node.elts))
    return read_literal(node)


def restore(value: Any, examples: list[Any]) -> Any:
    """`value`, as JSON gave it, with the types that `examples`, typed values of the same place, agree on.

    Where they disagree or do not reach, a list stays a list; but deeper than they reach a list becomes what
    nests in itself in the examples (a tuple of tuples may be nested to any depth).
    """
    nested = _nested_kinds(examples)
    return _restore(value, examples, nested.pop() if len(nested) == 1 else None)


def _nested_kinds(values: Any) -> set[type]:
    kinds: set[type] = set()
    for outer in values:
        if isinstance(outer, _CONTAINERS):
            kinds |= {type(inner) for inner in outer if type(inner) is type(outer)} | _nested_kinds(outer)
    return kinds


def _restore(value: Any, examples: list[Any], fallback: type | None) -> Any:
    if isinstance(value, list):
        alike = [example for example in examples if isinstance(example, _CONTAINERS)]
        kinds = {type(example) for example in alike}
        kind = fallback if not kinds else kinds.pop() if len(kinds) == 1 else list
        items = _items(value, alike)
        restored = [_restore(item, seen, fallback) for item, seen in zip(value, items, strict=True)]
        return kind(restored) if kind in (tuple, set, frozenset) else restored
    if isinstance(value, dict):
        maps = [example for example in examples if isinstance(example, dict)]
        seen = [item for example in maps for item in example.values()]
        keys = [*value, *(key for example in maps for key in example if not isinstance(key, int))]
        number = bool(maps) and all(_INTEGER.fullmatch(key) for key in keys)
        return {int(key) if number else key: _restore(item, seen, fallback) for key, item in value.items()}
    if isinstance(value, str) and examples and all(isinstance(item, _NUMBERS) for item in examples):
        return _number(value)
    return value


def _number(text: str) -> Any:
    """JSON cannot say a complex number, so its writer spelt it; any other text stays what it is."""
    for kind in (float, complex) if _DIGIT.search(text) else ():
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _items(value: list[Any], examples: list[Any]) -> list[list[Any]]:
    """The examples of every item of `value`: by position where all are tuples of that length."""
    if examples and all(isinstance(item, tuple) and len(item) == len(value) for item in examples):
        return [[example[place] for example in examples] for place in range(len(value))]
    return [[item for example in examples for item in example]] * len(value)
