"""A problem from a bare statement: kind, entry point, starter code and public tests, from the text alone."""

from __future__ import annotations

import ast
import re
import textwrap

from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.statements.examples import (
    Call,
    find_asserted_names,
    find_calls,
    find_named_examples,
)
from sstar_code.problems.statements.sections import clean_text, find_samples, mentions_stdin, split_sections

_NAME = r"[A-Za-z_]\w{0,80}"
_DEFINITION = re.compile(rf"(?m)^(?:async[ ]+)?def[ \t]+({_NAME})[ \t]*\(")
_CLASS = re.compile(r"(?m)^class[ \t]+Solution\b[^\n]{0,80}:")
_BLOCK = re.compile(r"(?ms)^[ ]{0,3}```[ \t]*([\w+-]{0,20})[^\n]{0,40}\n(.*?)^[ ]{0,3}```")
_PROSE = (
    re.compile(rf"(?i)\bfunction,?\s+(?:called\s+|named\s+)?[`'\"*]{{0,3}}({_NAME})\(([^()\n]{{0,300}})\)"),
    re.compile(
        rf"(?i)\b(?:implement|write|complete|define|create)\s+[`'\"*]{{1,3}}({_NAME})\(([^()\n]{{0,300}})\)"
    ),
    re.compile(rf"(?i)\bfunction,?\s+(?:called|named)\s+[`'\"*]{{0,3}}({_NAME})()"),
    re.compile(rf"(?i)\bfunction\s+[`*]{{1,3}}({_NAME})[`*]()"),
)
_PROMPT = re.compile(rf"(?m)^\s{{0,12}}>>>[ \t]+({_NAME})\(")
_ENTRY_POINT = "solve"
"""Name given to a function whose statement shows examples by argument name and never names it."""


def parse_statement(text: str, *, id: str) -> Problem:  # noqa: A002 - the record's own word
    """The problem that a statement in text or Markdown describes. Never raises.

    Recognised as a function: a signature (`def f(...)`, `class Solution`), doctest or asserts, "a function
    f(a, b)", or LeetCode's `Input: a = 1` / `Output: 2` (then named `solve` where nothing names it). All
    else is a program on standard input. Public tests are the statement's own examples; none found is an
    empty tuple. Nothing of the text is ever run.
    """
    text = clean_text(text)
    sections = split_sections(text)
    samples = find_samples(sections)
    bare = {section.role for section in sections if not section.inline}
    asks_stdin = mentions_stdin(text) or any(s.named and s.role == "input" and not s.inline for s in sections)
    found = _find_signature(text)
    if found and not asks_stdin:
        return _function(text, id, *found)
    if not asks_stdin:
        tests, names = find_named_examples(text, None)
        if tests and any(names):
            mentioned = _find_mention(text)
            call = Call(mentioned.name if mentioned else _ENTRY_POINT, names)
            return _function(text, id, call, _stub(call))
    if asks_stdin or {"input", "output"} <= bare:
        return _program(text, id, samples)
    call_or_none = _find_mention(text)
    if call_or_none:
        return _function(text, id, call_or_none, _stub(call_or_none))
    return _program(text, id, samples)


def _program(text: str, id: str, samples: list[tuple[str, str]]) -> Problem:  # noqa: A002
    tests = dict.fromkeys(Test(given, expected) for given, expected in samples)
    return Problem(id, text, Kind.STDIN, public_tests=tuple(tests))


def _function(text: str, id: str, call: Call, starter: str) -> Problem:  # noqa: A002
    tests = find_calls(text, Call(call.name.rpartition(".")[2], call.parameters, call.returns))
    if not tests:
        tests = find_named_examples(text, call)[0]
    return Problem(id, text, Kind.FUNCTION, call.name, starter, tuple(dict.fromkeys(tests)))


def _stub(call: Call) -> str:
    if not call.parameters:
        return ""
    names = [name if name.isidentifier() else f"arg{place}" for place, name in enumerate(call.parameters)]
    return f"def {call.name}({', '.join(names)}):\n"


def _find_signature(text: str) -> tuple[Call, str] | None:
    """The entry point that code in the statement declares, and the code to start from."""
    for _, code in sorted(
        _BLOCK.findall(text), key=lambda block: block[0] not in ("python", "py", "python3")
    ):
        found = _read_code(textwrap.dedent(code))
        if found:
            return found
    return _read_code(text)


def _read_code(code: str) -> tuple[Call, str] | None:
    if not _CLASS.search(code) and not _DEFINITION.search(code):
        return None
    tree = _parse_open(code)
    if tree is None:
        start = min(match.start() for match in (_CLASS.search(code), _DEFINITION.search(code)) if match)
        code = _leading_code(code[start:])
        tree = _parse_open(code)
    if tree is None:
        return None
    call = _entry_point(tree)
    return (call, code) if call else None


def _parse_open(code: str) -> ast.Module | None:
    """The tree of code whose last body may be missing, as starter code has it."""
    for source in (code, code.rstrip() + " pass", code.rstrip() + "\n        pass"):
        tree = parse_python(source)
        if tree is not None:
            return tree
    return None


def _leading_code(text: str) -> str:
    """The lines of `text` up to the first that stands at the margin, apart from the signature itself."""
    lines = text.split("\n")
    depth = 0
    kept = []
    for place, line in enumerate(lines):
        if place and depth <= 0 and line.strip() and not line[0].isspace():
            break
        depth += line.count("(") - line.count(")")
        kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def _entry_point(tree: ast.Module) -> Call | None:
    """`Solution`'s first public method, else the last function: helpers come first."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Solution":
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    return _describe(method, f"Solution.{method.name}")
    return _describe(functions[-1], functions[-1].name) if functions else None


def _describe(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Call:
    names = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if "." in name and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    returns = ast.unparse(node.returns) if node.returns is not None else ""
    return Call(name, tuple(names), returns)


def _find_mention(text: str) -> Call | None:
    """The function that prose, doctest or asserts name."""
    for pattern in _PROSE:
        found = pattern.search(text)
        if found:
            names = [part.split(":")[0].split("=")[0].strip() for part in found[2].split(",")]
            return Call(found[1], tuple(name for name in names if name))
    prompt = _PROMPT.search(text)
    if prompt:
        return Call(prompt[1])
    asserted = find_asserted_names(text)
    return Call(asserted[0]) if asserted else None
