"""Cuts off what a function's module does beside defining it: demonstrations, tests, questions to a person.

A statement at the margin goes only if two things hold. It is a hazard: it prints, asserts, exits, reads
input, calls the entry point, imports a test framework, or needs a name that such statements bind. And the
entry point does not need it: it neither binds nor changes a variable that the entry point reads, directly or
through other definitions. So tables that loops and calls build stay. Code that reaches for names by text
(`globals`, `exec`) is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from sstar_code.agent.generation.completeness import first_line, reach
from sstar_code.agent.generation.extract.module_names import Statement, read_statements
from sstar_code.agent.generation.extract.program import is_standard
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import UNREADABLE, parse_python, walk_tree

_MAX_STATEMENTS = 2_000
_TESTERS = frozenset({"pytest", "hypothesis", "nose", "parameterized"})
_ITSELF = frozenset({"solution", "solutions", "main", "your_module", "my_module", "module", "program"})
"""Modules from which a test imports the program."""
_BY_TEXT = frozenset({"globals", "exec", "eval", "vars", "locals", "setattr", "__import__", "import_module"})


def trim(code: str, problem: Problem) -> str:
    """`code` without the statements of its module that only endanger the entry point; else `code` itself."""
    if problem.kind is not Kind.FUNCTION or not problem.entry_point:
        return code
    if code[:1].isspace():  # a body, whose `def` line is the problem's
        head = problem.starter_code.rstrip() + "\n"
        return _trim(head + code, problem.entry_point).removeprefix(head)
    return _trim(code, problem.entry_point)


def _trim(code: str, entry_point: str) -> str:
    tree = parse_python(code)
    if tree is None or len(tree.body) > _MAX_STATEMENTS or not any(_is_risky(node) for node in tree.body):
        return code
    owner, _, name = entry_point.rpartition(".")
    entry = owner or name
    try:
        statements = [item for item in read_statements(tree, name) if not _is_guard(item.node)]
    except UNREADABLE:
        return code
    needed = _find_needed(statements, entry)
    if not needed or any(item.reads & _BY_TEXT for item in needed):
        return code
    dropped = _find_dropped(statements, needed, entry)
    trimmed = _cut(code, tree.body, [item.node for item in dropped]) if dropped else code
    return trimmed if parse_python(trimmed) is not None else code


def _is_risky(node: ast.stmt) -> bool:
    """Whether a statement may be one to cut: a quick look that lets most programs pass."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return not is_standard(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or _is_guard(node):
        return False
    return any(isinstance(part, ast.Call | ast.Assert | ast.Raise) for part in walk_tree(node))


def _is_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__"`: it does not run."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    sides = [node.test.left, *node.test.comparators]
    return not node.orelse and any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)


def _definitions(statements: Iterable[Statement]) -> dict[str, Statement]:
    return {name: item for item in statements if item.defines for name in item.binds}


def _find_needed(statements: Sequence[Statement], entry: str) -> set[Statement]:
    """The statements that bind or change what the entry point reads, and what these need in turn."""
    definitions = _definitions(statements)
    of_entry = reach([entry], definitions, lambda item: item.reads)
    others = {name: item for name, item in definitions.items() if item not in of_entry}
    variables = {name for item in statements if not item.defines for name in item.binds}
    touching: dict[str, list[Statement]] = {}
    for item in statements:
        changed = set(item.changes)
        if not item.defines:
            for called in reach(item.runs if item.calls else (), others, lambda other: other.reads):
                changed |= called.changes
        for name in item.binds | (set() if item.defines else changed & variables):
            touching.setdefault(name, []).append(item)
    needed: set[Statement] = set()
    waiting, seen = [entry], {entry}
    while waiting:
        for item in touching.get(waiting.pop(), ()):
            if item not in needed:
                needed.add(item)
                waiting += item.reads - seen
                seen |= item.reads
    return needed


def _find_dropped(statements: Sequence[Statement], needed: set[Statement], entry: str) -> list[Statement]:
    """The hazards that are not needed, and what is left without a name that they bind."""
    definitions = _definitions(statements)
    dropped: list[Statement] = []
    lost: set[str] = set()
    kept: set[str] = set()
    is_defined = any(entry in item.binds for item in needed if not _imports_itself(item.node, entry))
    for item in statements:
        if item in needed and not (is_defined and _imports_itself(item.node, entry)):
            kept |= item.binds
            continue
        called = reach(item.runs, definitions, lambda other: other.reads) if item.calls else set()
        used = item.runs.union(*(other.reads for other in called))
        is_hazard = (
            item.is_hazard or _imports_itself(item.node, entry) or any(other.talks for other in called)
        )
        if is_hazard or used & (lost - kept):
            dropped.append(item)
            lost |= item.binds
        else:
            kept |= item.binds
    return dropped


def _imports_itself(node: ast.stmt, entry: str) -> bool:
    """Whether a statement imports a test framework, or the program from a file that is not there."""
    if not isinstance(node, ast.Import | ast.ImportFrom) or is_standard(node):
        return False
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    if any(name.partition(".")[0] in _TESTERS | _ITSELF for name in modules):
        return True
    return isinstance(node, ast.ImportFrom) and any(alias.name == entry for alias in node.names)


def _cut(code: str, body: Sequence[ast.stmt], dropped: Sequence[ast.stmt]) -> str:
    """The source without the statements `dropped`; comments behind the last one that stays go with them."""
    lines: list[bytes | None] = [line.encode("utf-8", "surrogatepass") for line in code.split("\n")]
    gone = set(dropped)
    last = max((node.end_lineno or node.lineno for node in body if node not in gone), default=0)
    if any(node.lineno > last for node in dropped):
        lines = lines[:last]
    for node in reversed(dropped):
        start, end = first_line(node) - 1, node.end_lineno or node.lineno
        if start >= last:
            continue
        first, final = lines[start] or b"", lines[end - 1] or b""
        before, after = first[: node.col_offset], final[node.end_col_offset :]
        lines[start:end] = [None] * (end - start)
        if before.strip() or after.strip().removeprefix(b";").strip(b"; ")[:1] not in (b"", b"#"):
            lines[start] = before + b"pass" + after  # a statement that stays is on the same line
    return "\n".join(line.decode("utf-8", "surrogatepass") for line in lines if line is not None)
