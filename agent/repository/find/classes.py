"""The classes of a repository: which method a subclass overrides, and what is inherited.

Nothing is imported. A class is known by its name: one that a file defines itself is meant where the file uses
the name, else any of that name. So a class may seem related to more classes than it is, not to fewer.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from sstar_code.agent.repository.find.project_files import read_source, split_lines
from sstar_code.agent.repository.find.syntax import (
    FunctionNode,
    every_statement,
    is_open_body,
    last_name,
    original_name,
    read_aliases,
)
from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.repository.find.project_files import Source

_MOST_BYTES = 2_000_000
_UPWARDS = re.compile(r"\bsuper\([^()]*\)\s*\.\s*(\w+)|\b[A-Z]\w*\.(\w+)\(\s*(?:self|cls)\b")
_TESTS = frozenset({"test", "tests"})
_EVERYWHERE = frozenset(dir(builtins)) | {"ABC", "Enum", "Generic", "NamedTuple", "Protocol", "TypedDict"}
"""Bases that say nothing about which classes belong together."""


class Body(Enum):
    """What the body of a method is."""

    CODE = auto()
    NOTHING = auto()
    """`pass`, or a docstring alone: it may do nothing on purpose."""
    OPEN = auto()
    """`...` or `raise NotImplementedError`."""
    ABSTRACT = auto()


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """What matters of one class."""

    name: str
    path: Path
    line: int
    bases: tuple[str, ...]
    """Names, as the modules that define them call them."""
    bodies: Mapping[str, Body]
    """Method or attribute -> what it is; of several definitions the first with code."""
    extended: frozenset[str]
    """Methods of the classes above that it calls, as in `super().close()`."""


@dataclass(slots=True)
class Classes:
    """Classes of a file or of a repository, and how they derive from each other."""

    root: Path | None = None
    """The repository; None where only single files are looked at."""
    _named: dict[str, list[ClassFacts]] = field(default_factory=lambda: defaultdict(list))
    _derived: dict[str, list[ClassFacts]] = field(default_factory=lambda: defaultdict(list))
    _files: set[Path] = field(default_factory=set)

    def add(self, source: Source) -> None:
        """Add the classes of a file; again: no effect."""
        if source.path in self._files:
            return
        self._files.add(source.path)
        for facts in _read_classes(source):
            self._named[facts.name].append(facts)
            for base in facts.bases:
                self._derived[base].append(facts)

    def are_tests(self, path: Path) -> bool:
        """Whether the file at `path` lies in a folder of tests of the repository, whatever its name is."""
        if self.root is None or not path.is_relative_to(self.root):
            return False
        return not _TESTS.isdisjoint(path.relative_to(self.root).parts[:-1])

    def find(self, path: Path, node: ast.ClassDef) -> ClassFacts | None:
        """What is known of the class that `node` defines."""
        found = self._named.get(node.name, [])
        return next((item for item in found if item.path == path and item.line == node.lineno), None)

    def is_overridden(self, facts: ClassFacts, name: str) -> bool:
        """Whether a class that derives from `facts` defines `name` or gets it from another base."""
        above = {id(facts), *map(id, self._ancestors(facts))}
        for item in self._descendants(facts):
            if name in item.bodies:
                return True
            if any(name in base.bodies for base in self._ancestors(item) if id(base) not in above):
                return True
        return False

    def is_extended(self, facts: ClassFacts, name: str) -> bool:
        """Whether a class that derives from `facts` counts on the code of its `name`: `super().name()`."""
        callers = (item for item in self._descendants(facts) if name in item.extended)
        return any(self._nearest(item, name) is facts for item in callers)

    def inherited(self, facts: ClassFacts, name: str) -> Body | None:
        """What `name` is in the nearest class above that has it; None where none of the repository has."""
        found = self._nearest(facts, name)
        return None if found is None else found.bodies[name]

    def _nearest(self, facts: ClassFacts, name: str) -> ClassFacts | None:
        return next((item for item in self._ancestors(facts) if name in item.bodies), None)

    def add_relatives(self, names: Iterable[str], paths: Iterable[Path]) -> None:
        """Add from the files at `paths` the classes above and below those called `names`.

        Files that cannot be read or parsed, or are very long, are left out.
        """
        words = {path: found for path in paths if path not in self._files if (found := _read_words(path))}
        wanted, done = set(names), set[str]()
        while wanted - done:
            done |= wanted
            for path in [path for path, found in words.items() if found & wanted]:
                del words[path]
                try:
                    self.add(read_source(path))
                except UserError:
                    continue
            related = [item for name in wanted for item in (*self._named[name], *self._derived[name])]
            wanted = wanted | {name for item in related for name in (item.name, *item.bases)} - _EVERYWHERE

    def _descendants(self, facts: ClassFacts) -> Iterator[ClassFacts]:
        return self._reach(facts, self._children)

    def _ancestors(self, facts: ClassFacts) -> Iterator[ClassFacts]:
        return self._reach(facts, self._parents)

    def _children(self, facts: ClassFacts) -> list[ClassFacts]:
        return [item for item in self._derived.get(facts.name, []) if facts in self._parents(item)]

    def _parents(self, facts: ClassFacts) -> list[ClassFacts]:
        found = []
        for name in facts.bases:
            known = [item for item in self._named.get(name, []) if item is not facts]
            own = [item for item in known if item.path == facts.path]
            found += own or known
        return found

    def _reach(
        self, facts: ClassFacts, step: Callable[[ClassFacts], list[ClassFacts]]
    ) -> Iterator[ClassFacts]:
        """Every class that `step` leads to from `facts`, the nearest first, `facts` itself left out."""
        seen, waiting = {id(facts)}, step(facts)
        while waiting:
            item = waiting.pop(0)
            if id(item) not in seen:
                seen.add(id(item))
                yield item
                waiting += step(item)


def _read_words(path: Path) -> frozenset[str]:
    """The words of a file that has classes; none where it has no class, is very long or cannot be read."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return frozenset()
        text = path.read_text("utf-8", "replace")
    except OSError:
        return frozenset()
    return frozenset(re.findall(r"\w+", text)) if "class " in text else frozenset()


def _read_classes(source: Source) -> Iterator[ClassFacts]:
    aliases, lines = read_aliases(source.tree), split_lines(source.text)
    for node in every_statement(source.tree.body):
        if isinstance(node, ast.ClassDef):
            bases = tuple(name for base in node.bases for name in _name_bases(base, aliases))
            text = "".join(lines[node.lineno - 1 : node.end_lineno])
            extended = frozenset(name for pair in _UPWARDS.findall(text) for name in pair)
            yield ClassFacts(node.name, source.path, node.lineno, bases, _read_bodies(node), extended)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            # a class that is made by a call: the name, a tuple of its bases, what is in it
            tuples = [item for item in node.value.args[1:] if isinstance(item, ast.Tuple)]
            bases = tuple(original_name(item, aliases) for item in (tuples[0].elts if tuples else ()))
            for target in node.targets if any(bases) else ():
                yield ClassFacts(last_name(target), source.path, node.lineno, bases, {}, frozenset())


def _name_bases(base: ast.expr, aliases: Mapping[str, tuple[str, str]]) -> list[str]:
    """The class that a base names; of a call, `with_metaclass(Meta, Base)`, those among its arguments."""
    if isinstance(base, ast.Call):
        return [original_name(item, aliases) for item in base.args]
    return [original_name(base, aliases)]


def _read_bodies(node: ast.ClassDef) -> dict[str, Body]:
    bodies: dict[str, Body] = {}
    for item in _members(node.body):
        if isinstance(item, FunctionNode):
            if bodies.get(item.name) is not Body.CODE:
                bodies[item.name] = _rate_body(item)
        elif isinstance(item, ast.Assign):
            bodies |= {target.id: Body.CODE for target in item.targets if isinstance(target, ast.Name)}
        elif isinstance(item, ast.AnnAssign) and item.value and isinstance(item.target, ast.Name):
            bodies[item.target.id] = Body.CODE
    return bodies


def _members(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if not isinstance(node, FunctionNode | ast.ClassDef):
            for part in ("body", "orelse", "finalbody"):
                yield from _members(getattr(node, part, []))


def _rate_body(node: FunctionNode) -> Body:
    if any(last_name(item).startswith("abstract") for item in node.decorator_list):
        return Body.ABSTRACT
    why = is_open_body(node)
    if why == "pass" or (len(node.body) == 1 and ast.get_docstring(node) is not None):
        return Body.NOTHING
    return Body.OPEN if why else Body.CODE
