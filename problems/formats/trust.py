"""Assert-style tests that need the candidate's objects themselves, and so trust the candidate.

The others run in a process that the candidate never enters.
"""

from __future__ import annotations

import ast
import builtins

from sstar_code.problems.python_source import parse_python

_WORDS = frozenset({
    "builtins", "gc", "getsource", "inspect", "mock", "monkeypatch", "patch", "pickle", "signature", "stdin",
    "tracemalloc", "vars", "weakref", "__annotations__", "__bases__", "__closure__", "__code__",
    "__defaults__", "__dict__", "__globals__", "__mro__", "__subclasses__",
})  # fmt: skip
"""Names by which a test looks into a program, replaces a part of it, or takes the place of its input."""


def trusts_candidate(program: str) -> bool:
    """Whether the test `program` looks into the candidate's objects, replaces some, or inherits from one."""
    tree = parse_python(program)
    if tree is None:
        return False
    known: set[str] = set(dir(builtins))
    bases: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id in _WORDS:
                return True
            if isinstance(node.ctx, ast.Store):
                known.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in _WORDS:
            return True
        elif isinstance(node, ast.Import | ast.ImportFrom):
            # what it takes from the candidate's module is the candidate's
            names = [] if getattr(node, "module", None) == "solution" else node.names
            known.update((item.asname or item.name).partition(".")[0] for item in names)
        elif isinstance(node, ast.ClassDef):
            known.add(node.name)
            bases.update(base.id for base in node.bases if isinstance(base, ast.Name))
    return not bases <= known
