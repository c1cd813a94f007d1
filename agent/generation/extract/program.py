"""Reads a piece of an answer as the program asked for, or as the part of it that the starter code lacks."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from sstar_code.agent.generation.completeness import Grade, bound_names, grade_text, grade_tree
from sstar_code.agent.generation.extract.readings import readings
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python

_MAX_CUTS = 8
CONTINUES = re.compile(r"[\s)\]}#]|(?:else|elif|except|finally)\b")
_DEFINES = re.compile(r"^(?:async def|def|class|@)", re.MULTILINE)
_DEF_LINE = re.compile(r"^([ \t]*)(?:async )?def\b", re.MULTILINE)
_LEAVES = re.compile(r"\b(?:return|yield|await)\b")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of code from an answer."""

    code: str
    grade: Grade
    how: str
    """As `Extraction.how`."""
    tree: ast.Module | None = None
    is_real: bool = True
    """Not an import of the entry point and not its bare signature: it does what is asked."""
    is_doubted: bool = False
    """The prose before it calls it wrong, it is a test of another program, or it was cut."""

    @property
    def worth(self) -> tuple[Grade, bool, bool]:
        """How much it is worth; more is better."""
        grade = self.grade if self.is_real else min(self.grade, Grade.SOMETHING)
        return grade, not self.is_doubted, self.how != "cut"


def read_program(text: str, problem: Problem, how: str) -> Found | None:
    """The first reading of `text` that parses, by itself or as the body of the starter code."""
    starter = problem.starter_code.rstrip() if problem.kind is Kind.FUNCTION else ""
    for reading in readings(text):
        tree = parse_python(reading)
        if tree is not None:
            return _as_found(*_fit(reading, tree, problem, starter), problem, how)
        for body in _bodies(reading) if starter else ():
            tree = parse_python(f"{starter}\n{body}")
            if tree is not None:
                return _as_found(body, tree, problem, how)
    return None


def _as_found(code: str, tree: ast.Module, problem: Problem, how: str) -> Found:
    return Found(code, grade_tree(tree, problem), how, tree, is_real(tree, problem))


def _bodies(reading: str) -> Iterator[str]:
    """`reading` as statements under a `def` line: as it is, or with the indent that its first line lost."""
    if reading[:1].isspace():
        yield reading
        return
    first, _, rest = reading.partition("\n")
    second = next((line for line in rest.split("\n") if line.strip()), "")
    indent = second[: len(second) - len(second.lstrip())]
    if indent and not first.rstrip().endswith(":"):
        yield indent + reading


def _fit(code: str, tree: ast.Module, problem: Problem, starter: str) -> tuple[str, ast.Module]:
    """`code` and its tree as the starter code wants it: a body is indented, a method gets its class."""
    if not starter or not problem.entry_point:
        return code, tree
    owner, _, name = problem.entry_point.rpartition(".")
    is_bound = any((owner or name) in bound_names(node) for node in tree.body)
    if _LEAVES.search(code) and _returns(tree) and not is_bound:
        margins = [found[1] for found in _DEF_LINE.finditer(starter)]
        body = textwrap.indent(code, (margins[-1] if margins else "") + "    ")
        whole = parse_python(f"{starter}\n{body}")
        return (body, whole) if whole is not None else (code, tree)
    if owner and name in _functions(tree) and not is_bound:
        wrapped = _wrap(code, tree, owner, name, starter)
        whole = parse_python(wrapped)
        return (wrapped, whole) if whole is not None else (code, tree)
    return code, tree


def _returns(tree: ast.Module) -> bool:
    """Whether a `return` stands outside every function."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom | ast.Await):
            return True
        if not isinstance(node, _SCOPES):
            waiting += ast.iter_child_nodes(node)
    return False


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def _wrap(code: str, tree: ast.Module, owner: str, name: str, starter: str) -> str:
    """`code` and a class `owner` that has the method `name`, and each function that takes `self`."""
    head, found, _ = starter.partition(f"class {owner}")
    imports = head if found and parse_python(head) is not None else ""
    lines = []
    for each, node in _functions(tree).items():
        takes = [item.arg for item in (*node.args.posonlyargs, *node.args.args)]
        if takes[:1] == ["self"] or node.decorator_list:
            lines.append(f"    {each} = {each}\n")
        elif each == name:
            lines.append(f"    {each} = staticmethod({each})\n")
    return f"{imports}{code.rstrip()}\n\n\nclass {owner}:\n{''.join(lines)}"


def is_real(tree: ast.Module, problem: Problem) -> bool:
    """Whether `tree` holds the entry point itself: no import of it from elsewhere, not its signature."""
    if problem.kind is not Kind.FUNCTION or not problem.entry_point:
        return True
    owner, _, name = problem.entry_point.rpartition(".")
    for node in reversed(tree.body):
        if not {owner or name, name} & bound_names(node):
            continue
        if isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if name in bound_names(item)]
            return not methods or not is_stub(methods[-1])
        if isinstance(node, ast.ImportFrom | ast.Import):
            return is_standard(node)
        return not is_stub(node)
    return True


def is_standard(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import is of the standard library."""
    if isinstance(node, ast.ImportFrom):
        names = [node.module or ""] if not node.level else [""]
    else:
        names = [alias.name for alias in node.names]
    return all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


def is_stub(node: ast.stmt) -> bool:
    """Whether a function has a signature and nothing else: `...`, `pass`, a bare `return`, words."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(_is_empty(item) for item in node.body)


def _is_empty(node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Return(value=None) | ast.Expr(value=ast.Constant()):
            return True
        case ast.Return(value=ast.Constant(value=value)):
            return value is ...
        case ast.Raise(
            exc=ast.Call(func=ast.Name(id="NotImplementedError")) | ast.Name(id="NotImplementedError")
        ):
            return True
    return False


def read_broken(text: str, problem: Problem, *, is_tagged: bool, closed: bool) -> Found | None:
    """The program in a text that does not parse as a whole: what comes before its last, broken statements.

    Else the text itself where it means to be the program, so that the error says what to mend.
    """
    if (kept := _cut_tail(text, problem, closed=closed)) is not None:
        return kept
    grade = grade_text(text, problem)
    return Found(text, grade, "unparsed") if grade > Grade.NOTHING or is_tagged else None


def _cut_tail(text: str, problem: Problem, *, closed: bool) -> Found | None:
    """`text` without its last statements, if what is left is complete.

    In a block that has its end only lines that define nothing may go, and only behind a function: what is
    broken may be what the program needs.
    """
    if closed and problem.kind is not Kind.FUNCTION:
        return None
    lines = text.split("\n")
    starts = [place for place, line in enumerate(lines) if line and not CONTINUES.match(line)]
    for place in reversed(starts[-_MAX_CUTS:]):
        if closed and _DEFINES.search("\n".join(lines[place:])):
            return None
        tree = parse_python("\n".join(lines[:place]))
        if tree is None:
            continue
        found = _as_found("\n".join(lines[:place]), tree, problem, "fenced" if closed else "cut")
        return found if found.grade is Grade.COMPLETE and found.is_real else None
    return None
