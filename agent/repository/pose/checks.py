"""What says that a function is right: examples in docstrings and the repository's tests that reach it.

Which tests reach a function is seen, not guessed: they run once with a body that reports that it was called.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.doctests import Example, find_examples, literal_tests
from sstar_code.agent.repository.find.project_files import list_files
from sstar_code.agent.repository.find.source import read_source, split_lines
from sstar_code.agent.repository.find.stubs import FunctionNode, Shape, is_test_file
from sstar_code.agent.repository.write.splice import put_body
from sstar_code.problems.python_source import parse_python
from sstar_code.sandbox.outcome import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.prove.runner import Workshop
    from sstar_code.problems import Test

__all__ = [
    "Checks",
    "ExampleGroup",
    "Survey",
    "TestFunction",
    "find_checks",
    "mark_open",
    "named_tests",
    "survey",
]

TEST_LIMITS = Limits(cpu_s=60.0, memory_mb=2048)
_TOTAL_S = 600.0
_MOST_TEXT = 4000
_MOST_HOPS = 3
_MOST_FILES = 60
_MOST_NOTES = 3
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ExampleGroup:
    """Examples of one docstring, run one after the other in one name space."""

    label: str
    """Whose docstring."""
    examples: tuple[Example, ...]

    @property
    def text(self) -> str:
        """For a prompt; also what names it among a problem's tests."""
        shown = "".join(f">>> {_prompted(item.source)}{item.want}" for item in self.examples)
        return f"# the examples of {self.label}, as doctest runs them\n{shown}"


@dataclass(frozen=True, slots=True)
class TestFunction:
    """One test function of the repository, with every set of parameters it runs with."""

    __test__ = False

    file: str
    name: str
    """`test_f` or `TestClass::test_f`."""
    ids: tuple[str, ...]
    """pytest's names."""
    source: str
    first_line: int
    """1-based line of `source` in the file."""

    @property
    def text(self) -> str:
        """For a prompt; also what names it among a problem's tests."""
        return f"# {self.file}::{self.name}\n{self.source}"


@dataclass(frozen=True, slots=True)
class Checks:
    """All of it for one function."""

    literals: tuple[Test, ...] = ()
    """Examples that are one call with plain values: what they give is compared outside."""
    groups: tuple[ExampleGroup, ...] = ()
    tests: tuple[TestFunction, ...] = ()

    @property
    def texts(self) -> list[str]:
        """What names those that run in the repository's own way."""
        return [item.text for item in self.groups] + [item.text for item in self.tests]

    @property
    def count(self) -> int:
        """How many things can fail."""
        return len(self.literals) + len(self.groups) + len(self.tests)


def mark_open(stub: Stub) -> Stub:
    """`stub` in a file where its body reports that it was called, and raises."""
    body = (
        f"getattr(__import__('builtins'), '_sstar_reached', str)({stub.label!r})\n"
        f"raise NotImplementedError({f'{stub.qualname} is still open'!r})"
    )
    source = put_body(stub, [body]).source
    return replace(stub, source=source)


@dataclass(frozen=True, slots=True)
class Survey:
    """Which tests call which open functions, as seen when they ran."""

    reached: Mapping[str, tuple[tuple[str, str], ...]]
    """Label of a function -> (file, pytest's name) of the tests in which it was called first."""
    notes: tuple[str, ...] = ()
    """What could not be used, a line each."""


async def survey(
    stubs: Sequence[Stub], workshop: Workshop, named: Sequence[str], *, total_s: float = _TOTAL_S
) -> Survey:
    """Run the tests once with every one of `stubs` reporting that it was called, and raising.

    `named` are arguments of pytest that name the tests; empty: those in test files that mention one of the
    functions, or what calls it. The workshop's texts have to hold the marks (`mark_open`).

    Raises:
        SandboxError: the sandbox broke.
        RepositoryLostError: the tests end what runs them.
    """
    select = list(named) or _mentioning(stubs, workshop.root)
    if not select:
        return Survey({})
    run = await workshop.run_tests({}, select, TEST_LIMITS, total_s)
    if not run.has_pytest:
        return Survey({}, (f"{workshop.python} has no pytest: no test is run",))
    notes = []
    if run.is_over:
        notes.append(f"the tests took more than {total_s:.0f} s; those that came to an end count")
    broken = [item for item in run.results if item["status"] == "CE"]
    notes += [f"{item['test']} cannot be collected: {item['failure'][1]}" for item in broken[:_MOST_NOTES]]
    if not run.results and "error" in run.log.lower():
        notes.append(f"pytest failed: {_last(run.log)}")
    reached: dict[str, list[tuple[str, str]]] = {}
    for item in run.results:
        for label in item.get("reached", ()):
            reached.setdefault(label, []).append((str(item["file"]), str(item["test"])))
    return Survey({label: tuple(found) for label, found in reached.items()}, tuple(notes))


def find_checks(stub: Stub, seen: Survey, root: Path, *, is_alone: bool) -> Checks:
    """What says that `stub` is right. `is_alone`: it is called with plain values, no object is needed."""
    literals, groups = _read_examples(stub, is_alone=is_alone)
    return Checks(literals, groups, tuple(_group(seen.reached.get(stub.label, ()), root)))


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or [""])[-1][:300]


def _read_examples(stub: Stub, *, is_alone: bool) -> tuple[tuple[Test, ...], tuple[ExampleGroup, ...]]:
    examples = _examples(stub.docstring)
    literals: list[Test | None] = [None] * len(examples)
    if is_alone and stub.shape is Shape.FUNCTION and not stub.is_async:
        literals = literal_tests(examples, stub.name)
    plain = tuple(test for test in literals if test is not None)
    groups = []
    if examples and len(plain) < len(examples):
        groups.append(ExampleGroup(stub.qualname, tuple(examples)))
    holders: list[tuple[ast.ClassDef | ast.Module, str]] = [(owner, owner.name) for owner in stub.owners]
    for holder, label in [*holders, (stub.source.tree, "the module")]:
        text = ast.get_docstring(holder) or ""
        found = _examples(text)
        if any(re.search(rf"\b{re.escape(_called_as(stub))}\b", item.source) for item in found):
            groups.append(ExampleGroup(label, tuple(found)))
    return tuple(dict.fromkeys(plain)), tuple(groups)


def _called_as(stub: Stub) -> str:
    return stub.owners[-1].name if stub.name.startswith("__") and stub.owners else stub.name


def _examples(docstring: str) -> list[Example]:
    try:
        return find_examples(docstring)
    except ValueError:
        return []


def _prompted(source: str) -> str:
    first, *rest = source.rstrip("\n").split("\n")
    return "\n".join([first, *(f"... {line}" for line in rest)]) + "\n"


def _mentioning(stubs: Sequence[Stub], root: Path) -> list[str]:
    """Test files that mention one of the functions, or what mentions it, up to three steps away."""
    files = list_files(root)
    tests = [name for name in files if is_test_file(name) and not name.endswith("conftest.py")]
    sources = [name for name in files if name.endswith(".py") and not is_test_file(name)]
    trees = [parse_python((root / name).read_bytes()) for name in sources]
    bodies = [
        (node.name, frozenset(_names(node)))
        for tree in trees
        if tree is not None
        for node in ast.walk(tree)
        if isinstance(node, FunctionNode | ast.ClassDef)
    ]
    own = {_called_as(stub) for stub in stubs}
    names = set(own)
    for _ in range(_MOST_HOPS):
        more = {name for name, used in bodies if used & names and not name.startswith("__")} - names
        if not more:
            break
        names |= more
    words = [(name, set(_WORD.findall((root / name).read_text("utf-8", "replace")))) for name in tests]
    hits = [(0 if own & found else 1, name) for name, found in words if found & names]
    return [name for _, name in sorted(hits)][:_MOST_FILES]


def _names(node: ast.AST) -> list[str]:
    found = [item.id for item in ast.walk(node) if isinstance(item, ast.Name)]
    return found + [item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute)]


def _group(found: Sequence[tuple[str, str]], root: Path) -> list[TestFunction]:
    """(file, pytest's name) pairs as functions, in order."""
    groups: dict[tuple[str, str], list[str]] = {}
    for file, name in found:
        plain = name.partition("::")[2].partition("[")[0]
        groups.setdefault((file, plain), []).append(name)
    return [_with_source(file, name, tuple(ids), root) for (file, name), ids in groups.items()]


def _with_source(file: str, name: str, ids: tuple[str, ...], root: Path) -> TestFunction:
    try:
        source = read_source(root / file)
    except Exception:  # noqa: BLE001 - a generated test has no source; it counts all the same
        return TestFunction(file, name, ids, "", 1)
    body: list[ast.stmt] = source.tree.body
    node: ast.stmt | None = None
    for part in name.split("::"):
        holders = [
            item for item in body if isinstance(item, FunctionNode | ast.ClassDef) and item.name == part
        ]
        if not holders:
            return TestFunction(file, name, ids, "", 1)
        node = holders[-1]
        body = node.body if isinstance(node, ast.ClassDef) else []
    assert isinstance(node, FunctionNode | ast.ClassDef)
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    text = "".join(split_lines(source.text)[first - 1 : node.end_lineno])
    return TestFunction(file, name, ids, text[:_MOST_TEXT], first)


def named_tests(words: Sequence[str], root: Path) -> list[str]:
    """`--tests` as arguments of pytest: paths as they are, anything else as an expression for `-k`."""
    select: list[str] = []
    for word in words:
        is_path = (root / word.partition("::")[0]).exists()
        select += [word] if is_path else ["-k", word]
    return select
