"""The problem that an open function is: what the model is told, and what its answers are tried on."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.prompts.templates import load_fixed
from sstar_code.agent.repository.find.places import locate
from sstar_code.agent.repository.find.stubs import FunctionNode, is_open_body
from sstar_code.agent.repository.task.call import find_target
from sstar_code.problems import Kind, Problem, Test

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.places import Place
    from sstar_code.agent.repository.find.project_files import Source
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.task.call import Target
    from sstar_code.agent.repository.task.checks import Checks

_MOST_CONTEXT = 14_000
_TIME_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Task:
    """One function to be written: as a problem, twice (to be written, and to be chosen among candidates)."""

    stub: Stub
    place: Place
    target: Target | None
    checks: Checks
    """The checks that verify it now."""
    mark: str
    """First line of the preamble of every program that is a candidate for it."""
    writing: Problem
    """The problem for the model; its tests are the examples and the repository's tests."""
    choosing: Problem | None
    """The problem as a plain function of plain values; None where it cannot be called as one."""
    all_checks: Checks
    """The checks that verify it in the end: with those that wait for other functions."""
    reached: set[str] = field(default_factory=set)
    """Labels of other open functions that a candidate called."""
    blocked: set[str] = field(default_factory=set)
    """Texts of the checks in which a candidate called another open function."""
    got_far: set[str] = field(default_factory=set)
    """Candidates that did: nothing of such a check that comes before speaks against them."""


def make_task(
    stub: Stub, checks: Checks, root: Path, state: str, *, all_checks: Checks | None = None
) -> Task:
    """The task of writing `stub` in the repository `root`; `state` tells one state of it from another."""
    place = locate(stub.source.path, root)
    target = find_target(stub, place, "\n".join([stub.docstring, *(test.source for test in checks.tests)]))
    path = stub.source.path.relative_to(root).as_posix()
    mark = f"# {path}::{stub.qualname}{stub.accessor and f' {stub.accessor}'} in state {state}"
    is_whole = len(stub.source.text) <= _MOST_CONTEXT
    statement = load_fixed("repository_statement.j2").render(
        shape=stub.shape.value,
        qualname=stub.qualname,
        module=place.module,
        path=path,
        body="" if is_open_body(stub.node) else textwrap.dedent(_cut(stub.source, stub.node)).strip("\n"),
        is_whole=is_whole,
        context=stub.source.text.replace("\r\n", "\n").strip("\n") if is_whole else _outline(stub),
        owner=stub.owners[-1].name if stub.owners else "",
        is_async=stub.is_async,
        explanation=target.explanation if target else "",
    )
    writing = Problem(
        id=f"{path}::{stub.qualname}",
        statement=statement.strip(),
        kind=Kind.FUNCTION,
        entry_point=".".join(stub.qualname.split(".")[-2:]),
        starter_code=_starter(stub),
        public_tests=(*checks.literals, *(Test(program=text) for text in checks.texts)),
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
            public_tests=() if stub.owners else writing.public_tests,
        )
    return Task(stub, place, target, checks, mark, writing, choosing, all_checks or checks)


def _cut(source: Source, node: ast.stmt, last: int | None = None) -> str:
    return source.cut(node, last).replace("\r\n", "\n")


def _head(source: Source, node: FunctionNode) -> str:
    """Decorators, signature and docstring, the body left out."""
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        text = _cut(source, node, first.end_lineno)
    else:
        text = _cut(source, node, first.lineno)
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
    own = stub.owners[0] if stub.owners else stub.node
    for node in stub.source.tree.body:
        if isinstance(node, FunctionNode) and node is not own:
            parts.append(_head(stub.source, node))
        elif isinstance(node, ast.ClassDef) and node is not own:
            parts.append(_outline_class(stub.source, node))
        else:
            parts.append(_cut(stub.source, node).rstrip("\n") + "\n")
    text = "".join(parts)
    if len(text) <= _MOST_CONTEXT:
        return text.strip("\n")
    kept = _cut(stub.source, own)
    chars = max(2000, _MOST_CONTEXT - len(kept))
    return f"{text[:chars]}\n# ... (the rest is left out)\n\n{kept[:_MOST_CONTEXT]}".strip("\n")


def _outline_class(source: Source, node: ast.ClassDef) -> str:
    head = _cut(source, node, node.body[0].lineno - 1).rstrip("\n") + "\n"
    parts = [
        _head(source, item) if isinstance(item, FunctionNode) else f"    {ast.unparse(item)}\n"
        for item in node.body
    ]
    return head + "".join(parts)
