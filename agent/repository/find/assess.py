"""Says of an open function whether enough is known to write and to verify it, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.classes import Classes
from sstar_code.agent.repository.find.doctests import explain_malformed, find_examples
from sstar_code.agent.repository.find.places import locate
from sstar_code.agent.repository.find.project_files import (
    UnreadFileError,
    find_root,
    is_test_file,
    list_python,
    list_tests,
    read_source,
    read_words,
)
from sstar_code.agent.repository.find.stubs import IGNORED, Shape, find_function, find_stubs
from sstar_code.agent.repository.findings import Finding, about_function
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.stubs import Stub
    from sstar_code.agent.repository.findings import Outcome

_MOST_BYTES = 2_000_000


def check_files(files: Iterable[tuple[Path, str]]) -> list[Finding]:
    """The open functions of `files` (each with a qualified name, or empty for all), as findings.

    A file that does not parse is a finding of its own; in a folder of tests, where it may be meant to be so,
    one that fails nothing.

    Raises:
        UserError: a file cannot be read, or has no function of the name.
    """
    findings = []
    for root, targets in group_by_root(files).items():
        stubs, unread = find_open(root, targets)
        words = [*_read_tests(root)] if stubs else []
        findings += unread + [_assess(stub, root, words) for stub in stubs]
    return findings


def group_by_root(files: Iterable[tuple[Path, str]]) -> dict[Path, list[tuple[Path, str]]]:
    """Repository -> those of `files` in it; without a mark of one it is the folder above the package."""
    found: dict[Path, list[tuple[Path, str]]] = {}
    for path, qualname in files:
        root = find_root(path)
        found.setdefault(locate(path, root).base if root == path.parent else root, []).append(
            (path, qualname)
        )
    return found


def find_open(root: Path, targets: Iterable[tuple[Path, str]]) -> tuple[list[Stub], list[Finding]]:
    """The open functions among `targets` of the repository `root`, and the files left unread.

    Other files of the repository are read where its classes may say that a body is meant to stay empty.

    Raises:
        UserError: a file cannot be read, or has no function of the name.
    """
    classes, unread, kept, owners = Classes(root), [], [], set()
    for path, qualname in targets:
        try:
            source = read_source(path)
        except UnreadFileError as error:
            unread += _report_unread(path, error, classes)
            continue
        if qualname and find_function(source, qualname) is None:
            names = ", ".join(stub.qualname for stub in find_stubs(source)[:5]) or "none"
            raise UserError(f"{path}: no function {qualname!r}; open ones are: {names}")
        classes.add(source)
        stubs = [stub for stub in find_stubs(source, classes) if qualname in ("", stub.qualname)]
        if stubs:
            kept.append((source, qualname))
            owners |= {stub.owners[-1].name for stub in stubs if stub.owners}
    if owners:
        classes.add_relatives(owners, list_python(root))
    return [
        stub
        for source, qualname in kept
        for stub in find_stubs(source, classes)
        if qualname in ("", stub.qualname)
    ], unread


def _report_unread(path: Path, error: UnreadFileError, classes: Classes) -> list[Finding]:
    """What is said of a file that does not parse: nothing where it asks for that."""
    with path.open("rb") as file:
        if IGNORED.search(file.read(_MOST_BYTES).decode("utf-8", "replace")):
            return []
    assert classes.root is not None
    is_data = is_test_file(path.as_posix()) or classes.are_tests(path)
    name = path.relative_to(classes.root).as_posix()
    message = f"{error.reason}; nothing in it was looked at; `# sstar: ignore` in it leaves it out for good"
    outcome: Outcome = "skipped" if is_data else "failure"
    return [Finding("unread-file", outcome, name, error.line, "<module>", message)]


def _read_tests(root: Path) -> Iterator[frozenset[str]]:
    """The words of each test file of `root`."""
    for name in list_tests(root):
        if (root / name).stat().st_size <= _MOST_BYTES:
            yield read_words(root / name)


def _assess(stub: Stub, root: Path, tests: Sequence[frozenset[str]]) -> Finding:
    """Say what is known of `stub` and whether it can be written; `tests`: the words of each test file."""
    examples = len(find_examples(stub.docstring))
    arguments = stub.node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    is_bound = stub.shape not in (Shape.FUNCTION, Shape.STATIC)
    is_typed = all(item.annotation is not None for item in named[is_bound:]) and stub.node.returns is not None
    name = stub.owners[-1].name if stub.name == "__init__" and stub.owners else stub.name
    count = sum(name in words for words in tests)
    obstacle = why_impossible(stub)
    if not obstacle and not (stub.docstring or examples or count or stub.node.returns):
        obstacle = "no docstring, type, example or test says what it has to do"
    advice = "`sstar fix` can write it"
    if obstacle:
        advice = f"cannot be written by `sstar fix`: {obstacle}"
    elif not examples and not count:
        advice += ", but nothing verifies it: add an example or a test"
    known = f"{_count(examples, 'example')}, named in {_count(count, 'test file')}"
    typed = "typed" if is_typed else "not typed"
    message = f"left open ({stub.why}); {known}, {typed}; {advice}"
    return about_function(
        stub, root, "cannot-be-written" if obstacle else "open-function", "failure", message
    )


def why_impossible(stub: Stub) -> str:
    """Why no program of the helper can fill `stub`, in a line; empty where one can."""
    if stub.is_nested:
        return "it is inside another function; move it to the module"
    if stub.source.path.suffix == ".pyi":
        return "a .pyi file holds no code"
    if not stub.source.path.suffix:
        return "a script without .py cannot be imported; move it to a module"
    malformed = explain_malformed(stub.docstring)
    return f"the examples in its docstring are malformed: {malformed}" if malformed else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
