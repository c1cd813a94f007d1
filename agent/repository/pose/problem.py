"""The problem that an open function is: what the model is told, and what its answers are tried on."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.project_files import locate
from sstar_code.agent.repository.find.source import split_lines
from sstar_code.agent.repository.find.stubs import FunctionNode, Shape, is_open_body
from sstar_code.agent.repository.pose.target import find_target
from sstar_code.agent.repository.prove.candidate_sandbox import Task
from sstar_code.problems import Kind, Problem, Test

if TYPE_CHECKING:
    from pathlib import Path

    from sstar_code.agent.repository.find.source import Source
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.pose.checks import Checks

__all__ = ["Posed", "is_called_plainly", "pose"]

_MOST_CONTEXT = 14_000
_TIME_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Posed:
    """An open function as a problem, twice: to be written, and to be chosen among candidates."""

    task: Task
    writing: Problem
    """Its tests are the examples and the repository's tests."""
    choosing: Problem | None
    """As a plain function of plain values; None where it cannot be called as one."""
    all_checks: Checks
    """Those that wait for other functions included."""


def is_called_plainly(stub: Stub, root: Path) -> bool:
    """Whether the function takes values that can be written as literals."""
    return find_target(stub, locate(stub.source.path, root), "") is not None


def pose(stub: Stub, checks: Checks, root: Path, state: str, *, all_checks: Checks | None = None) -> Posed:
    """The problem of writing `stub` in the repository `root`; `state` tells one state of it from another."""
    place = locate(stub.source.path, root)
    told = "\n".join([stub.docstring, *(test.source for test in checks.tests)])
    target = find_target(stub, place, told)
    label = f"{stub.source.path.relative_to(root).as_posix()}::{stub.qualname}"
    mark = f"# {label} in state {state}"
    task = Task(
        stub,
        place.module,
        place.base,
        target,
        checks,
        mark,
        frozenset(test.input for test in checks.literals),
    )
    whole = _fits(stub.source)
    statement = _render(
        shape="function" if stub.shape is Shape.FUNCTION else stub.shape.value,
        qualname=stub.qualname,
        module=place.module,
        path=stub.source.path.relative_to(root).as_posix(),
        body="" if is_open_body(stub.node) else _body(stub),
        is_whole=whole,
        context=stub.source.text.replace("\r\n", "\n").strip("\n") if whole else _outline(stub),
        owner=stub.owners[-1].name if stub.owners else "",
        is_async=stub.is_async,
        explanation=target.explanation if target else "",
    )
    tests = [Test(program=text) for text in checks.texts]
    entry_point = ".".join(stub.qualname.split(".")[-2:])
    writing = Problem(
        id=label,
        statement=statement,
        kind=Kind.FUNCTION,
        entry_point=entry_point,
        starter_code=_starter(stub),
        public_tests=(*checks.literals, *tests),
        time_limit_s=_TIME_LIMIT_S,
        preamble=mark,
    )
    choosing = None
    if target is not None:
        doc = f'\n    """{stub.docstring}"""' if stub.docstring and '"""' not in stub.docstring else ""
        choosing = replace(
            writing,
            entry_point=target.entry_point,
            starter_code=f"{target.signature}{doc}\n    ...\n",
            public_tests=checks.literals if target.how is Shape.FUNCTION else (),
        )
        if not stub.owners:
            choosing = replace(choosing, public_tests=writing.public_tests)
    return Posed(task, writing, choosing, all_checks or checks)


def _fits(source: Source) -> bool:
    return len(source.text) <= _MOST_CONTEXT


def _render(**values: object) -> str:
    from jinja2 import Environment, StrictUndefined

    text = (resources.files("sstar_code.agent.prompts") / "text" / "repository_statement.j2").read_text(
        "utf-8"
    )
    environment = Environment(  # noqa: S701 - a prompt, not a page
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False
    )
    return environment.from_string(text).render(**values).strip()


def _lines_of(source: Source, node: FunctionNode | ast.ClassDef, last: int | None = None) -> str:
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    lines = split_lines(source.text)[first - 1 : last or node.end_lineno]
    return "".join(lines).replace("\r\n", "\n")


def _body(stub: Stub) -> str:
    return textwrap.dedent(_lines_of(stub.source, stub.node)).strip("\n")


def _head(source: Source, node: FunctionNode) -> str:
    """Decorators, signature and docstring, the body left out."""
    documented = ast.get_docstring(node) is not None
    if documented:
        text = _lines_of(source, node, node.body[0].end_lineno)
    else:
        first = node.body[0]
        text = _lines_of(source, node, first.lineno)
        start = text.rfind("\n", 0, len(text) - 1) + 1
        before = text[start:].encode()[: first.col_offset].decode()
        text = text[:start] + (before if before.strip() else "")
    margin = " " * (node.col_offset + 4)
    return f"{text.rstrip()}\n{margin}...\n"


def _starter(stub: Stub) -> str:
    """The function with an open body, inside its classes, without their other members."""
    text = textwrap.dedent(_head(stub.source, stub.node).expandtabs(4))
    for owner in reversed(stub.owners):
        bases = f"({', '.join(ast.unparse(base) for base in owner.bases)})" if owner.bases else ""
        text = f"class {owner.name}{bases}:\n{textwrap.indent(text, '    ')}"
    return text


def _outline(stub: Stub) -> str:
    """The file with other functions' bodies left out, as much of it as is shown."""
    parts: list[str] = []
    for node in stub.source.tree.body:
        is_own = stub.owners and node is stub.owners[0]
        if isinstance(node, FunctionNode) and node is not stub.node:
            parts.append(_head(stub.source, node))
        elif isinstance(node, ast.ClassDef) and not is_own:
            parts.append(_outline_class(stub.source, node))
        else:
            lines = split_lines(stub.source.text)
            first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
            parts.append(
                "".join(lines[first - 1 : node.end_lineno]).replace("\r\n", "\n").rstrip("\n") + "\n"
            )
    text = "".join(parts)
    if len(text) <= _MOST_CONTEXT:
        return text.strip("\n")
    own = _lines_of(stub.source, stub.owners[0] if stub.owners else stub.node)
    room = max(2000, _MOST_CONTEXT - len(own))
    return f"{text[:room]}\n# ... (the rest is left out)\n\n{own[:_MOST_CONTEXT]}".strip("\n")


def _outline_class(source: Source, node: ast.ClassDef) -> str:
    first = node.body[0]
    head = _lines_of(source, node, first.lineno - 1).rstrip("\n") + "\n"
    parts = [
        _head(source, item) if isinstance(item, FunctionNode) else f"    {ast.unparse(item)}\n"
        for item in node.body
    ]
    return head + "".join(parts)
