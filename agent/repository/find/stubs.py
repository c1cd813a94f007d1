"""Finds functions that are left open, from the syntax tree alone; nothing is imported or run.

Open is a function whose body, after its docstring, is one `...`, `pass` or `raise NotImplementedError`, or
that holds the comment `# sstar: implement`. Not open is what is meant to stay empty (`intent` says what that
is), what stands in a test file, and whatever holds the comment `# sstar: ignore`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.agent.generation.completeness import first_line
from sstar_code.agent.repository.find.classes import Classes
from sstar_code.agent.repository.find.intent import Surroundings, stays_empty, survey
from sstar_code.agent.repository.find.project_files import is_test_file, split_lines
from sstar_code.agent.repository.find.syntax import (
    FunctionNode,
    Shape,
    Stub,
    all_functions,
    every_statement,
    find_again,
    find_function,
    is_open_body,
    statements,
)

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source

__all__ = [
    "IGNORED",
    "MARKER",
    "FunctionNode",
    "Shape",
    "Stub",
    "all_functions",
    "find_again",
    "find_function",
    "find_stubs",
    "is_open_body",
    "statements",
]

MARKER = re.compile(r"#\s*sstar:\s*implement\b[^\r\n]*")
IGNORED = re.compile(r"#\s*sstar:\s*ignore\b")


def find_stubs(source: Source, classes: Classes | None = None) -> list[Stub]:
    """The open functions of a file, in order.

    `classes`: those of the repository as far as they are known; those of the file are added.
    """
    if source.path.suffix == ".pyi":
        return []
    classes = classes if classes is not None else Classes()
    in_tests = is_test_file(source.path.as_posix()) or classes.are_tests(source.path)
    lines, stubs = split_lines(source.text), list(all_functions(source))
    empty = any(is_open_body(stub.node) and not stub.is_nested for stub in stubs) and not in_tests
    if empty:
        classes.add(source)
    around = survey(source, stubs) if empty else None
    found = ((stub, _why_open(stub, lines, around, classes)) for stub in stubs)
    return [replace(stub, why=why) for stub, why in found if why]


def _why_open(stub: Stub, lines: list[str], around: Surroundings | None, classes: Classes) -> str:
    """The reason why it is open; empty where it is not. `around` is None where only a mark counts."""
    node = stub.node
    own = [line for line in lines[first_line(node) - 1 : node.end_lineno] if "#" in line]
    text = "".join(own)
    if IGNORED.search(text):
        return ""
    if MARKER.search(text) and not _marks_inner(node, lines):
        return "marked"
    why = is_open_body(node)
    if not why or stub.is_nested or around is None:
        return ""
    comments = " ".join(line.partition("#")[2].join(("#", "\n")) for line in own)
    return "" if stays_empty(stub, why, around, classes, comments) else why


def _marks_inner(node: FunctionNode, lines: list[str]) -> bool:
    """Whether every mark in the function stands in a function inside it."""
    marks = {
        number
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
        if MARKER.search(lines[number - 1])
    }
    inner = [item for item in every_statement(node.body) if isinstance(item, FunctionNode)]
    covered = {number for item in inner for number in range(item.lineno, (item.end_lineno or 0) + 1)}
    return bool(marks) and marks <= covered
