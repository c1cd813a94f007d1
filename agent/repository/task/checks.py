"""The checks that verify a function: examples in docstrings and the repository's tests that reach it.

Which tests reach a function is seen, not guessed: they run once with a body that reports that it was called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from doctest import Example
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.generation.completeness import all_names, first_line
from sstar_code.agent.repository.find.doctest_settings import read_flags
from sstar_code.agent.repository.find.doctests import find_examples, read_test
from sstar_code.agent.repository.find.places import locate
from sstar_code.agent.repository.find.project_files import (
    is_test_file,
    leads_inside,
    list_files,
    list_tests,
    parse_source,
    read_beginning,
    read_source,
    read_words,
    split_lines,
)
from sstar_code.agent.repository.find.stubs import FunctionNode, Shape, find_function
from sstar_code.agent.repository.task.call import find_target
from sstar_code.agent.repository.verify.runner import TEST_TOTAL_S
from sstar_code.agent.repository.write.splice import put_body, put_first
from sstar_code.problems import UserError
from sstar_code.sandbox.secret_files import is_secret_name

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.verify.runner import RepositoryRunner
    from sstar_code.problems import Test

_MOST_TEXT = 4000
_MOST_HOPS = 3
_MOST_FILES = 60
_MOST_NOTES = 3
_MOST_ERROR = 200


@dataclass(frozen=True, slots=True)
class ExampleGroup:
    """Examples of one docstring, run one after the other in one name space."""

    label: str
    """Name of the function, class or module whose docstring it is."""
    examples: tuple[Example, ...]

    @property
    def text(self) -> str:
        """The group for a prompt; also what names it among a problem's tests."""
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
    source: str = ""
    first_line: int = 1
    """1-based line of `source` in the file."""
    passes_now: bool = False
    """A regression test: it passes with what stands in the file, and has to go on passing."""

    @property
    def text(self) -> str:
        """The test for a prompt; also what names it among a problem's tests."""
        note = ", which passes now and has to go on passing" if self.passes_now else ""
        return f"# {self.file}::{self.name}{note}\n{self.source}"


@dataclass(frozen=True, slots=True)
class Checks:
    """Everything that verifies one function."""

    literals: tuple[Test, ...] = ()
    """Examples that are one call with plain values: what they give is compared outside."""
    groups: tuple[ExampleGroup, ...] = ()
    tests: tuple[TestFunction, ...] = ()

    @property
    def texts(self) -> list[str]:
        """The names of those that run in the repository's own way."""
        return [item.text for item in self.groups] + [item.text for item in self.tests]

    @property
    def count(self) -> int:
        """How many things can fail."""
        return len(self.literals) + len(self.groups) + len(self.tests)

    @property
    def summary(self) -> str:
        """How many examples and tests these are, in words."""
        examples = len(self.literals) + sum(len(item.examples) for item in self.groups)
        tests = sum(len(item.ids) for item in self.tests if not item.passes_now)
        kept = sum(len(item.ids) for item in self.tests if item.passes_now)
        counts = {"example": examples, "test": tests, "regression test": kept}
        parts = [f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items() if count]
        return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "nothing yet"

    def without(self, texts: Collection[str]) -> Checks:
        """Those that `texts` do not name."""
        groups = tuple(item for item in self.groups if item.text not in texts)
        return Checks(self.literals, groups, tuple(item for item in self.tests if item.text not in texts))


def mark_open(stub: Stub) -> Stub:
    """`stub` in a file where calling it reports that it was called, and raises.

    An `async def` becomes a plain one: what a call of it is for (to be awaited, or iterated over) its open
    body does not say, and both begin with the call.
    """
    body = f"{_report(stub)}\nraise NotImplementedError({f'{stub.qualname} is still open'!r})"
    source = put_body(stub, [body]).source
    if stub.is_async:
        lines = split_lines(source.text)
        line = lines[stub.node.lineno - 1]
        lines[stub.node.lineno - 1] = re.sub(r"\basync\s+def\b", "def", line, count=1)
        with suppress(SyntaxError):  # a default or a comprehension in its head may await
            source = source.with_text("".join(lines))
    return replace(stub, source=source)


def mark_called(stub: Stub) -> Stub:
    """`stub`, which has a body, in a file where calling it reports that it was called, and goes on."""
    return replace(stub, source=put_first(stub, _report(stub)).source)


def _report(stub: Stub) -> str:
    return f"getattr(__import__('builtins'), '_sstar_reached', str)({stub.label!a})"


@dataclass(frozen=True, slots=True)
class Survey:
    """Which tests call which open functions, as seen when they ran."""

    reached: Mapping[str, tuple[tuple[str, str], ...]]
    """Label of a function -> (file, pytest's name) of the tests in which it was called first."""
    notes: tuple[str, ...] = ()
    """Lines about what could not be used."""
    fault: str = ""
    """Why pytest did not start; empty where it did."""
    failed: tuple[tuple[str, str, str], ...] = ()
    """File, pytest's name and error of each test that failed before it called one of the functions."""
    regressions: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """As `reached`, of functions that are not open: tests that nobody named, and that pass now."""


async def survey(stubs: Sequence[Stub], runner: RepositoryRunner, named: Sequence[str]) -> Survey:
    """Run the tests once with every one of `stubs` reporting that it was called, and raising.

    `named` are arguments of pytest that name the tests; empty: those in test files that mention one of the
    functions, or what calls it. The runner's texts have to hold the marks (`mark_open`).

    Raises:
        SandboxError: the sandbox broke, or the tests end what runs them.
    """
    select = list(named) or _mentioning(stubs, runner.root, runner.texts)
    if not select:
        return Survey({})
    run = await runner.run_tests({}, select)
    if not run.has_pytest:
        return Survey({}, (f"{runner.python} has no pytest: no test is run",))
    notes = []
    if run.is_over:
        notes.append(f"the tests took more than {TEST_TOTAL_S:.0f} s; those that came to an end count")
    broken = [item for item in run.results if item["status"] == "CE"]
    notes += [f"{item['test']} cannot be collected: {item['failure'][1]}" for item in broken[:_MOST_NOTES]]
    if run.fault:
        notes.append(f"pytest does not start: {run.fault}")
    reached: dict[str, list[tuple[str, str]]] = {}
    for item in run.results:
        for label in item.get("reached", ()):
            reached.setdefault(label, []).append((str(item["file"]), str(item["test"])))
    failed = tuple(
        (str(item["file"]), str(item["test"]), " ".join(" ".join(map(str, item["failure"])).split()))
        for item in run.results
        if item.get("outcome") == "failed" and not item.get("reached")
    )
    found = {label: tuple(tests) for label, tests in reached.items()}
    return Survey(found, tuple(notes), run.fault, failed)


async def find_regressions(
    stub: Stub, runner: RepositoryRunner, named: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """(file, pytest's name) of each test that calls `stub` and passes with what stands there.

    The runner's texts have to hold its mark (`mark_called`). Tests among `named`, by pytest's names, are left
    out.

    Raises:
        SandboxError: as `survey`.
    """
    select = _mentioning([stub], runner.root, runner.texts)
    results = (await runner.run_tests({}, select)).results if select else ()
    return tuple(
        (str(item["file"]), str(item["test"]))
        for item in results
        if item["status"] == "OK" and stub.label in item.get("reached", ()) and item["test"] not in named
    )


def explain_lack(stub: Stub, seen: Survey, root: Path) -> str:
    """Why nothing verifies `stub`, and what to do."""
    if seen.fault:
        return (
            f"no example verifies it, and pytest does not start ({seen.fault}); mend that, or add an example"
        )
    for file, test, error in seen.failed:
        with suppress(UserError):
            if is_secret_name(file) or not leads_inside(root / file, root):
                continue
            source = read_source(root / file)
            name = test.partition("::")[2].partition("[")[0].replace("::", ".")
            found = find_function(source, name)
            if _called_as(stub) in all_names(found.node if found else source.tree):
                return f"{test}, which names it, fails before it calls it: {error[:_MOST_ERROR]}"
    return "no example and no test reaches it, so nothing could verify it; add one"


def find_checks(stub: Stub, seen: Survey, root: Path) -> Checks:
    """The examples and the seen tests that verify `stub`."""
    flags = read_flags(stub.source.path, root)
    examples = find_examples(stub.docstring, flags)
    literals: list[Test] = []
    is_plain = find_target(stub, locate(stub.source.path, root), "") is not None
    if stub.shape is Shape.FUNCTION and not stub.is_async and is_plain:
        literals = [test for item in examples if (test := read_test(item, stub.name)) is not None]
    groups = []
    if len(literals) < len(examples):
        groups.append(ExampleGroup(stub.qualname, tuple(examples)))
    holders: list[tuple[ast.ClassDef | ast.Module, str]] = [(owner, owner.name) for owner in stub.owners]
    called = re.compile(rf"\b{re.escape(_called_as(stub))}\b")
    for holder, label in [*holders, (stub.source.tree, "the module")]:
        found = find_examples(ast.get_docstring(holder) or "", flags)
        if any(called.search(item.source) for item in found):
            groups.append(ExampleGroup(label, tuple(found)))
    kept = [
        replace(item, passes_now=True) for item in _group_tests(seen.regressions.get(stub.label, ()), root)
    ]
    tests = _group_tests(seen.reached.get(stub.label, ()), root)
    return Checks(tuple(dict.fromkeys(literals)), tuple(groups), (*tests, *kept))


def _called_as(stub: Stub) -> str:
    return stub.owners[-1].name if stub.name.startswith("__") and stub.owners else stub.name


def _prompted(source: str) -> str:
    return source.rstrip("\n").replace("\n", "\n... ") + "\n"


def _mentioning(stubs: Sequence[Stub], root: Path, texts: Mapping[Path, bytes]) -> list[str]:
    """Test files that mention one of the functions, or what mentions it, up to three steps away.

    `texts` are files that are otherwise than on the disk.
    """
    users: list[tuple[str, set[str]]] = []
    for file in list_files(root):
        if file.endswith(".py") and not is_test_file(file):
            with suppress(UserError):
                path = root / file
                source = parse_source(path, texts[path]) if path in texts else read_source(path)
                nodes = ast.walk(source.tree)
                defined = (node for node in nodes if isinstance(node, FunctionNode | ast.ClassDef))
                users += [(node.name, all_names(node)) for node in defined]
    own = {_called_as(stub) for stub in stubs}
    names = set(own)
    for _ in range(_MOST_HOPS):
        names |= {name for name, used in users if used & names and not name.startswith("__")}
    words = {name: read_words(root / name) for name in list_tests(root) if not name.endswith("conftest.py")}
    hits = sorted((not own & found, name) for name, found in words.items() if found & names)
    return [name for _, name in hits][:_MOST_FILES]


def _group_tests(found: Sequence[tuple[str, str]], root: Path) -> Iterator[TestFunction]:
    """(file, pytest's name) pairs as functions, in order."""
    groups: dict[tuple[str, str], list[str]] = {}
    for file, name in found:
        plain = name.partition("::")[2].partition("[")[0]
        groups.setdefault((file, plain), []).append(name)
    for (file, name), ids in groups.items():
        test = TestFunction(file, name, tuple(ids))
        if is_secret_name(file) or not leads_inside(root / file, root):  # the repository's code says the name
            yield test
            continue
        if not file.endswith(".py"):
            yield replace(test, source=read_beginning(root / file)[:_MOST_TEXT])
            continue
        with suppress(UserError):  # a generated test has no source; it counts all the same
            source = read_source(root / file)
            stub = find_function(source, name.replace("::", "."))
            if stub is not None:
                text = source.cut(stub.node)[:_MOST_TEXT]
                test = replace(test, source=text, first_line=first_line(stub.node))
        yield test


def named_tests(words: Sequence[str], root: Path) -> list[str]:
    """`--tests` as arguments of pytest: paths as they are, anything else as an expression for `-k`."""
    select: list[str] = []
    for word in words:
        is_path = (root / word.partition("::")[0]).exists()
        select += [word] if is_path else ["-k", word]
    return select
