"""What LeetCode's judge takes for granted: names, nodes, results in place, classes driven by calls.

All of it is read from the stub that a problem shows, so any set whose rows have such a stub is judged alike.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from sstar_code.problems import calls
from sstar_code.problems.calls import CallForm
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.literals import Scanner, read_value
from sstar_code.problems.statements.stubs import (
    NODES,
    Function,
    find_entry,
    find_steps,
    is_iterator,
    list_parameters,
    parse_stub,
    read_kinds,
    read_types,
    write_node,
)
from sstar_code.problems.values import decode, decode_lines, encode, encode_lines

_MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random"),
    *("statistics", "itertools", "functools", "operator", "io", "sys", "json"),
)
PREAMBLE = "".join(
    [f"from {name} import *\n" for name in (*_MODULES, "builtins", "typing")]
    + [f"import {name}\n" for name in _MODULES]
    + ["sys.setrecursionlimit(50000)\n"]
)
"""The names LiveCodeBench's grader offers every program, as LeetCode does; later modules win, so the order is
part of it."""

_SORTED = """try:
    from sortedcontainers import SortedDict, SortedList, SortedSet
except ImportError:
    pass
"""
"""LeetCode has them too; whether the sandbox has the library is its own business."""

_CLASS = re.compile(r"(?m)^([ \t]*)class[ \t]+(\w+)[ \t]*(?:\([^()\n]{0,80}\))?:")
_IN_PLACE = re.compile(r"(?i)\bmodify\s+[`'*\"]*(\w+)[`'*\"]*\s+in[- ]place")
_BETWEEN = re.compile(r"[\s,`*_:>-]{0,40}(?:\w{1,20}[ \t]{0,4}=[ \t]{0,4})?(?=\[)")
_OUTPUT = re.compile(r"(?i)[\s`*_:>.-]{0,40}output[\s`*_:>-]{0,40}(?=\[)")
_MAX_CALLS = 200


def read_form(problem: Problem) -> CallForm:
    """How the problem's starter code shows that it is called; `either` is left as it is."""
    either = problem.call.either
    tree = parse_stub(problem.starter_code) if problem.entry_point else None
    if tree is None or problem.entry_point is None:
        return CallForm(either)
    owner, function = find_entry(tree, problem.entry_point)
    text = _read_text(problem)
    if owner is not None and "." not in problem.entry_point:
        return _read_class(owner, problem, text)
    if function is None:
        return CallForm(either)
    kinds = [kind or calls.PLAIN for kind in read_kinds(function, text)]
    place = _place_of_result(function, problem) if kinds[-1] == calls.VOID else None
    kinds[-1] = calls.PLAIN if kinds[-1] == calls.VOID else kinds[-1]
    test = _first_test(problem) if any(kinds) else None
    if test is not None:
        inputs = decode_lines(test.input)[: len(kinds) - 1]
        for index, value in [*enumerate(inputs), (len(kinds) - 1, decode(test.output or "null"))]:
            if kinds[index] in calls.CHAINED and type(value) is int:
                kinds[index] = calls.NODE
    name = problem.entry_point.rpartition(".")[2]
    return CallForm(either, in_place=place, kinds=((name, tuple(kinds)),) if any(kinds) else ())


def _read_text(problem: Problem) -> str:
    """Where the classes of a problem are defined or told of."""
    return f"{problem.preamble}\n{problem.starter_code}\n{problem.statement}"


def _read_class(owner: ast.ClassDef, problem: Problem, text: str) -> CallForm:
    """How a class is called: what its tests give decides where its methods allow for two ways."""
    named = [(node.name, read_kinds(node, text)) for node in owner.body if isinstance(node, Function)]
    kinds = tuple((name, tuple(kind or calls.PLAIN for kind in row)) for name, row in named if any(row))
    test = _first_test(problem)
    if test is not None and not _lists_calls(owner.name, test.input):
        if steps := find_steps(owner, text):
            return CallForm(problem.call.either, steps=steps, kinds=kinds)
        if is_iterator(owner):
            return CallForm(problem.call.either, drained=True, kinds=kinds)
    return CallForm(problem.call.either, driven=True, kinds=kinds)


def _first_test(problem: Problem) -> Test | None:
    """The first test that says what is expected of which arguments."""
    for tests in (problem.public_tests, problem.hidden_tests):
        for test in tests:
            if test.program is None and test.output is not None:
                return test
    return None


def _place_of_result(function: Function, problem: Problem) -> int | None:
    """The argument that a function without a result changes; None where nothing is expected of it."""
    names = [item.arg for item in list_parameters(function)]
    named = _IN_PLACE.search(ast.get_docstring(function) or "")
    test = _first_test(problem)
    if test is not None:
        expected = decode(test.output or "null") is not None
    else:
        expected = named is not None or (problem.entry_point or "").startswith("Solution.")
    if not (names and expected):
        return None
    return names.index(named[1]) if named and named[1] in names else 0


@cache
def _supplied() -> frozenset[str]:
    """The names that the preamble brings."""
    return frozenset({*_MODULES, *NODES}).union(*map(_public_names, (*_MODULES, "typing")))


@cache
def _public_names(module: str) -> frozenset[str]:
    """The names that `from module import *` binds."""
    found = importlib.import_module(module)
    return frozenset(getattr(found, "__all__", None) or [name for name in vars(found) if name[0] != "_"])


def supply_names(problem: Problem, *, always: bool = False) -> Problem:
    """The problem with a preamble that has the names which its starter code uses, as its judge has them.

    Those are what the starter code imports from the standard library, and all that LeetCode supplies where a
    name of LeetCode's is used and nowhere defined, where the class is `Solution`, or with `always`.
    """
    tree = parse_stub(problem.starter_code) if problem.kind is Kind.FUNCTION else None
    if tree is None:
        return problem
    preamble = problem.preamble
    used = _used_names(tree) - set(dir(builtins))
    known = _bound_names(tree) | _bound_names(parse_python(preamble) or ast.Module([], []))
    wanted = (used - known) & _supplied()
    solution = (problem.entry_point or "").startswith("Solution.") or problem.call.drained
    solution = (solution or bool(problem.call.steps)) and not preamble
    front = [ast.unparse(node) for node in tree.body if _is_standard_import(node)]
    head = "".join(f"{line}\n" for line in front if line not in preamble)
    if PREAMBLE not in preamble and (always or solution or wanted - set(NODES)):
        head = PREAMBLE + _SORTED + head
    nodes = [text for name, text in NODES.items() if name in used and name not in known]
    if "Node" in used - known:
        nodes.append(write_node(_read_text(problem)))
    return replace(problem, preamble=head + "".join(nodes) + preamble + _write_helpers(tree, problem))


def _write_helpers(tree: ast.Module, problem: Problem) -> str:
    """The classes that the starter code defines beside the entry point: a program may count on them."""
    entry = (problem.entry_point or "").partition(".")[0]
    known = _bound_names(parse_python(problem.preamble) or ast.Module([], []))
    helpers = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name not in known | {entry}
    ]
    return "".join(f"{ast.unparse(node)}\n" for node in helpers)


def _is_standard_import(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name.partition(".")[0] in sys.stdlib_module_names for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        name = (node.module or "").partition(".")[0]
        return not node.level and name != "__future__" and name in sys.stdlib_module_names
    return False


def _used_names(tree: ast.Module) -> set[str]:
    """Names in the code, and in types that are told as text."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            used.update(re.findall(r"\w+", " ".join(read_types(node))))
    return used


def _bound_names(tree: ast.Module) -> set[str]:
    bound: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            bound |= _public_names(node.module) if node.module in (*_MODULES, "typing") else set()
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            bound |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return bound


def complete(problem: Problem, *, always: bool = False) -> Problem:
    """The problem with the call form that its starter code shows, and the names that it uses."""
    return supply_names(replace(problem, call=read_form(problem)), always=always)


def find_driven_class(starter: str, inputs: str) -> str | None:
    """The class of the starter code whose calls `inputs`, a test's input of two lines, lists; None: none."""
    tree = parse_stub(starter)
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and _lists_calls(node.name, inputs):
            return node.name
    return None


def _lists_calls(name: str, inputs: str) -> bool:
    """Whether a test's input is a list of the calls of the class `name` and one of their arguments."""
    try:
        methods, arguments = decode_lines(inputs)
    except ValueError:
        return False
    listed = isinstance(methods, list) and isinstance(arguments, list) and len(methods) == len(arguments)
    return listed and methods[:1] == [name]


def _read_calls(text: str) -> Iterator[tuple[str, Test]]:
    """(class, test) of every list of calls in a statement that arguments and results follow."""
    scanner = Scanner(text)
    done = -1
    for match in re.finditer(r'\[\s{0,8}"([A-Z]\w{0,80})"', text):
        if match.start() < done:
            continue
        found: list[Any] = []
        place = match.start()
        for gap in (_BETWEEN, _OUTPUT, None):
            source = scanner.value(place)
            try:
                found.append(read_value(source or ""))
            except ValueError:
                break
            place += len(source or "")
            then = gap.match(text, place) if gap else None
            place = then.end() if then else place
            if gap and not then:
                break
        if len(found) == 3 and _is_protocol(*found):
            done = place
            names, arguments, results = found
            yield match[1], Test(encode_lines([names, arguments]), encode(results))


def _is_protocol(names: Any, arguments: Any, results: Any) -> bool:
    lists = all(isinstance(item, list) for item in (names, arguments, results))
    return (
        lists
        and len(names) == len(arguments) == len(results) <= _MAX_CALLS
        and all(isinstance(name, str) and name.isidentifier() for name in names)
        and all(isinstance(item, list) for item in arguments)
    )


def read_design(text: str, *, id: str) -> Problem | None:  # noqa: A002 - the record's own word
    """The problem of a statement whose examples are lists of calls of a class; None where there is none."""
    found = list(_read_calls(text))
    if not found:
        return None
    name = found[-1][0]
    tests = tuple(dict.fromkeys(test for used, test in found if used == name))
    stubs = [_stub_at(text, match) for match in _CLASS.finditer(text) if match[2] == name]
    starter = stubs[-1] if stubs else ""
    problem = Problem(id, text, Kind.FUNCTION, name, starter, tests, call=CallForm(driven=True))
    return complete(problem, always=True) if starter else replace(problem, preamble=PREAMBLE + _SORTED)


def _stub_at(text: str, match: re.Match[str]) -> str:
    """The class whose header `match` is, up to the first line that stands no deeper."""
    lines = text[match.start() :].split("\n")
    end = 1
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > len(match[1])
    ):
        end += 1
    return "\n".join(line.removeprefix(match[1]) for line in lines[:end]).rstrip() + "\n"


def adapt_statement(problem: Problem) -> tuple[Problem, list[str]]:
    """A function problem read from a statement, called as its code says, and what of it is not understood.

    Left out are examples with more or fewer arguments than the stub of `Solution` takes (the site's judge
    makes something else of them), all where the stub names a kind of node that is not read here, and of a
    class the examples by value.
    """
    entry_point = problem.entry_point or ""
    tree = parse_stub(problem.starter_code)
    owner, function = find_entry(tree, entry_point) if tree else (None, None)
    tests, faults = problem.public_tests, []
    programs = tuple(test for test in tests if test.program is not None)
    if owner is not None and "." not in entry_point:
        form = read_form(problem)
        first = form.steps[0] if form.steps else "__init__" if form.drained else ""
        function = next(
            (node for node in owner.body if isinstance(node, Function) and node.name == first), None
        )
        tests = tests if function is not None else programs
    if owner is not None and function is not None and (owner.name == "Solution" or "." not in entry_point):
        strange = _find_strange(function, _read_text(problem))
        most = len(list_parameters(function))
        least = most - len(function.args.defaults)
        if strange:
            tests, faults = programs, [f"values of the type `{strange}`"]
        elif not function.args.vararg:
            tests = tuple(
                test for test in tests if test.program or least <= test.input.count("\n") + 1 <= most
            )
            if len(tests) < len(problem.public_tests):
                faults = [f"examples that give other arguments than `{function.name}` takes"]
    solution = entry_point.startswith("Solution.")
    return complete(replace(problem, public_tests=tests), always=solution), faults


def _find_strange(function: Function, text: str) -> str:
    """The first type of a stub whose values are not read here; empty where there is none."""
    for spelled, kind in zip(read_types(function), read_kinds(function, text), strict=True):
        if kind is None:
            return spelled
    return ""
