"""Doctests of a statement: plain calls as input and output, all else as a program that runs doctest."""

from __future__ import annotations

import ast
import builtins
import doctest
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sstar_code.problems.problem import Test
from sstar_code.problems.python_source import parse_expression, parse_python
from sstar_code.problems.statements.literals import encode_test, read_call_arguments, read_value

_PROMPT = re.compile(r"([ \t]{0,40})>>>(?: |$|(?=\S))(.{0,5000})")
_ENDS = ('"""', "'''", "```", "~~~")
_MOST_EXAMPLES = 200
_PROGRAM = """\
import doctest

def _check_examples(text):
    space, report = {{**globals()}}, []
    test = doctest.DocTestParser().get_doctest(text, space, "examples", None, 0)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.FAIL_FAST)
    if runner.run(test, out=report.append).failed:
        lines = "".join(report).partition("Failed example:")[2].strip().splitlines()
        raise AssertionError("\\n".join(lines if len(lines) < 9 else [*lines[:3], "    ...", *lines[-4:]]))

_check_examples({examples})
"""
_BUILTINS = frozenset(dir(builtins))
MODULES = frozenset(
    {"math", "cmath", "re", "itertools", "collections", "functools", "operator", "datetime", "decimal"}
    | {"fractions", "random", "json", "statistics"}
)
"""Modules that examples use without an import."""
_SHOWN = re.compile(r"(?m)^(?:>>>|\.\.\.) .*$")


@dataclass(slots=True)
class Doctests:
    """What the doctests of a statement are."""

    tests: list[Test] = field(default_factory=list)
    rest: str = ""
    """The statement without them."""
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Example:
    source: str
    want: str
    is_code: bool
    """It stands in the docstring of the statement's own code."""


def show_program(program: str) -> str:
    """The sources of the examples in an assertion test, on one line; the program itself where it has none."""
    lines = _SHOWN.findall(program) if "doctest" in program else []
    return " ".join(lines) if lines else program


@dataclass(frozen=True, slots=True)
class Target:
    """What the examples call."""

    name: str
    parameters: tuple[str, ...] = ()
    prints: bool = False
    """It may print what the examples show instead of returning it: doctest does not tell the two apart."""


def find_doctests(text: str, code: str, target: Target) -> Doctests:
    """The doctests of `text` that use the function or class `target`; `code` is the code that `text` shows.

    Examples of one docstring share their names, and so do all that stand outside of `code`.
    """
    found = Doctests()
    sessions, shown = _read_docstrings(code)
    loose, found.rest = _read_loose(text, shown)
    tree = parse_python(code)
    imports = [node for node in (tree.body if tree else ()) if isinstance(node, ast.Import | ast.ImportFrom)]
    setup = [_Example(ast.unparse(node), "", is_code=True) for node in imports if _names(node)[1]]
    declared = {name for node in (tree.body if tree else ()) for name in _declared(node)}
    for session in (*sessions, loose):
        _read_session(session[:_MOST_EXAMPLES], setup, declared | {target.name}, target, found)
    found.tests = list(dict.fromkeys(found.tests))
    return found


def _read_docstrings(code: str) -> tuple[list[list[_Example]], set[str]]:
    """The sessions of the docstrings in `code`, and the lines of their examples."""
    tree = parse_python(code) or parse_python(code.rstrip() + "\n    pass")
    sessions = []
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node) or ""
            if ">>>" in docstring:
                sessions.append([replace(item, is_code=True) for item in _split(docstring.split("\n"))[0]])
    shown = {line.strip() for line in code.split("\n") if ">>>" in line} if sessions else set()
    return [session for session in sessions if session], shown


def _read_loose(text: str, shown: set[str]) -> tuple[list[_Example], str]:
    examples, rest = _split(text.split("\n"))
    return [item for item in examples if f">>> {item.source}".split("\n")[0] not in shown], "\n".join(rest)


def _split(lines: list[str]) -> tuple[list[_Example], list[str]]:
    """The examples of `lines`, and the other lines; what only looks like an example is left among those."""
    examples: list[_Example] = []
    rest: list[str] = []
    place = 0
    while place < len(lines):
        prompt = _PROMPT.match(lines[place])
        if prompt is None:
            rest.append(lines[place])
            place += 1
            continue
        start, indent = place, len(prompt[1])
        source = [prompt[2].rstrip()]
        place += 1
        while (
            place < len(lines) and lines[place].strip().startswith("...") and _goes_on(lines[place], source)
        ):
            source.append(lines[place].strip()[3:].removeprefix(" "))
            place += 1
        want: list[str] = []
        while (
            place < len(lines)
            and lines[place].strip()
            and not lines[place].lstrip().startswith((">>>", *_ENDS))
        ):
            want.append(lines[place][min(indent, len(lines[place]) - len(lines[place].lstrip())) :].rstrip())
            place += 1
            if want[-1].endswith(_ENDS[:2]):  # the docstring ends behind the output
                want[-1] = want[-1][:-3].rstrip()
                break
        example = _Example("\n".join(source).strip(), "\n".join(want), is_code=False)
        if _is_doctest(example):
            examples.append(example)
        else:
            rest += [line.strip().removeprefix(">>>") for line in lines[start:place]]
        rest.append("")
    return examples, rest


def _goes_on(line: str, source: list[str]) -> bool:
    """Whether `line` goes on with `source`; `...` may also be the output that is left out."""
    return (
        line.strip() != "..."
        or source[-1].rstrip().endswith((":", ",", "(", "[", "{", "\\"))
        or len(source) > 1
    )


def _is_doctest(example: _Example) -> bool:
    """Whether doctest can run it and would show what is written: no arrow, no answer in a comment."""
    if parse_python(example.source) is None:
        return False
    if example.want:
        return True
    tree = parse_expression(example.source)
    has_answer = isinstance(tree, ast.Compare) or "#" in example.source
    return not (tree is not None and has_answer and "doctest:" not in example.source)


def _read_session(
    session: list[_Example], setup: list[_Example], declared: set[str], target: Target, found: Doctests
) -> None:
    """Add the tests of examples that share their names."""
    session = [_cut_prose(item) for item in session if "+SKIP" not in item.source]
    if not any(re.search(rf"\b{re.escape(target.name)}\b", item.source) for item in session):
        return
    plain: list[Test | None] = [None if target.prints else _plain_test(item, target) for item in session]
    outputs: dict[str, set[str | None]] = {}
    for call in filter(None, plain):
        outputs.setdefault(call.input, set()).add(call.output)
    if any(len(several) > 1 for several in outputs.values()):
        plain = [None] * len(session)  # a function that remembers
    known = declared | _BUILTINS
    modules: set[str] = set()
    is_fresh = True
    for item, test in zip(session, plain, strict=True):
        tree = parse_python(item.source)
        used, made = _names(tree)
        modules |= (used & MODULES) - known - made
        unknown = sorted(used - known - made - modules)
        if unknown:
            found.faults.append(f"a doctest uses `{unknown[0]}`, which is not known")
            return
        if test is not None and is_fresh:
            found.tests.append(test)
        # A call of anything else may change what the function gives later.
        is_fresh = is_fresh and not (_called(tree) - {target.name, *MODULES} - _BUILTINS)
        known = known | made
    if None in plain:
        extra = [_Example(f"import {name}", "", is_code=True) for name in sorted(modules)]
        text = "".join(map(_spell, [*setup, *extra, *session]))
        found.tests.append(Test(program=_PROGRAM.format(examples=_quote(text))))


def _plain_test(example: _Example, target: Target) -> Test | None:
    """The test of one call of `target` with literal arguments and result; None where it is something else."""
    tree = parse_expression(example.source)
    if (
        not isinstance(tree, ast.Call)
        or not (isinstance(tree.func, ast.Name) and tree.func.id == target.name)
        or "doctest:" in example.source
    ):
        return None
    try:
        value = read_value(example.want) if example.want else None
        return encode_test(read_call_arguments(tree, target.parameters), value)
    except ValueError:
        return None


def _cut_prose(example: _Example) -> _Example:
    """`example` without sentences below its output, where the output is a literal and it stands in prose."""
    head, _, tail = example.want.partition("\n")
    if example.is_code or not tail or not tail.rstrip().endswith((".", "。", "!")) or len(tail.split()) < 3:
        return example
    try:
        read_value(head)
    except ValueError:
        return example
    return replace(example, want=head)


def _spell(example: _Example) -> str:
    """The example as doctest wants it; a literal that is written in another way than Python's is respelt."""
    if (whole := _compare_sets(example)) is not None:
        return f">>> {whole}\nTrue\n"
    source = "\n... ".join(example.source.split("\n"))
    return f">>> {source}\n{_as_python(example)}\n" if example.want else f">>> {source}\n"


def _compare_sets(example: _Example) -> str | None:
    """A comparison in the place of an example that shows a set: its order is another one in each process."""
    tree = parse_expression(example.source)
    if tree is None or not example.want.startswith(("{", "frozenset(")) or "doctest:" in example.source:
        return None
    is_set = isinstance(parse_expression(example.want.removeprefix("frozenset")), ast.Set)
    return f"({ast.unparse(tree)}) == {' '.join(example.want.split())}" if is_set else None


def _as_python(example: _Example) -> str:
    want = example.want
    tree = parse_expression(example.source)
    prints = (
        isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in ("print", "pprint")
    )
    if tree is None or prints or want.startswith(("Traceback", "<", "...")) or "doctest:" in example.source:
        return want
    try:
        return repr(read_value(want))
    except (ValueError, RecursionError):
        return want


def _names(tree: ast.AST | None) -> tuple[set[str], set[str]]:
    """The names that `tree` reads, and those that it makes."""
    used: set[str] = set()
    made: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            if (module or "").partition(".")[0] in sys.stdlib_module_names:
                made |= {(item.asname or item.name).partition(".")[0] for item in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            made.add(node.name)
    return used, made


def _declared(node: ast.stmt) -> set[str]:
    """The names that a statement of a module makes there."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    return (
        _names(node)[1]
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
        else set()
    )


def _called(tree: ast.AST | None) -> set[str]:
    """What `tree` calls by name; methods count by the name of the object."""
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call):
            target: Any = node.func
            while isinstance(target, ast.Attribute):
                target = target.value
            found.add(target.id if isinstance(target, ast.Name) else "")
    return found


def _quote(text: str) -> str:
    is_plain = "'''" not in text and "\\" not in text and all(ord(char) < 0xD800 for char in text)
    return f"'''\n{text}'''" if is_plain else repr("\n" + text)


def sources_of(program: str) -> Iterable[str]:
    """The source of every example in an assertion test, for who looks at what it calls."""
    tree = parse_python(program)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ">>>" in node.value:
            try:
                yield from (item.source for item in doctest.DocTestParser().get_examples(node.value))
            except ValueError:
                continue
