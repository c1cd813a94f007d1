"""Says of an open function whether enough is known to write it and to prove it, without running anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.doctests import find_examples
from sstar_code.agent.repository.find.project_files import find_root, list_files
from sstar_code.agent.repository.find.source import read_source
from sstar_code.agent.repository.find.stubs import Shape, find_stubs, is_test_file
from sstar_code.agent.repository.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sstar_code.agent.repository.find.stubs import Stub

__all__ = ["Assessment", "TestNames", "assess", "check_files", "why_impossible"]

_WORD = re.compile(r"\w+")
_MOST_BYTES = 2_000_000


@dataclass(slots=True)
class TestNames:
    """The words that each test file of a repository uses; read when first asked for."""

    __test__ = False

    root: Path
    _words: list[tuple[str, frozenset[str]]] | None = field(default=None, repr=False)

    def count(self, name: str) -> int:
        """Test files in which `name` occurs."""
        if self._words is None:
            self._words = [
                (path, frozenset(_WORD.findall((self.root / path).read_text("utf-8", "replace"))))
                for path in list_files(self.root)
                if is_test_file(path) and (self.root / path).stat().st_size <= _MOST_BYTES
            ]
        return sum(name in words for _, words in self._words)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What there is to go by."""

    examples: int
    test_files: int
    is_typed: bool
    """Every parameter and the result."""
    obstacle: str
    """Why it cannot be written by the helper; empty where it can be."""

    @property
    def message(self) -> str:
        """One line."""
        parts = [
            _count(self.examples, "example"),
            f"named in {_count(self.test_files, 'test file')}",
            "typed" if self.is_typed else "not typed",
        ]
        so = (
            f"cannot be written by `sstar fix`: {self.obstacle}"
            if self.obstacle
            else "`sstar fix` can write it"
        )
        if not self.obstacle and not self.examples and not self.test_files:
            so = "`sstar fix` can write it, but nothing proves it right: add an example or a test"
        return f"{', '.join(parts)}; {so}"


def assess(stub: Stub, tests: TestNames) -> Assessment:
    """What there is to go by for `stub`."""
    try:
        examples = len(find_examples(stub.docstring))
    except ValueError:
        examples = 0
    arguments = stub.node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    is_bound = stub.shape not in (Shape.FUNCTION, Shape.STATIC)
    typed = all(item.annotation is not None for item in named[is_bound:]) and stub.node.returns is not None
    count = tests.count(stub.owners[-1].name if stub.name == "__init__" and stub.owners else stub.name)
    obstacle = why_impossible(stub)
    if not obstacle and not (stub.docstring or examples or count or stub.node.returns):
        obstacle = "no docstring, type, example or test says what it has to do"
    return Assessment(examples, count, typed, obstacle)


def why_impossible(stub: Stub) -> str:
    """Why no program of the helper can fill `stub`, in a line; empty where one can."""
    if stub.is_nested:
        return "it is inside another function; move it to the module"
    if stub.source.path.suffix == ".pyi":
        return "a .pyi file holds no code"
    try:
        find_examples(stub.docstring)
    except ValueError as error:
        return f"the examples in its docstring are malformed: {' '.join(str(error).split())}"
    return ""


def check_files(files: Iterable[tuple[Path, str]]) -> list[Finding]:
    """The open functions of `files` (each with a qualified name, or empty for all), as findings.

    Raises:
        UserError: a file cannot be read or parsed.
    """
    known: dict[Path, TestNames] = {}
    findings = []
    for path, qualname in files:
        for stub in find_stubs(read_source(path)):
            if qualname in ("", stub.qualname):
                root = find_root(path)
                tests = known.setdefault(root, TestNames(root))
                told = assess(stub, tests)
                rule = "cannot-be-written" if told.obstacle else "open-function"
                message = f"left open ({stub.why}); {told.message}"
                findings.append(
                    Finding(
                        rule, "failure", path.relative_to(root).as_posix(), stub.line, stub.qualname, message
                    )
                )
    return findings


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
