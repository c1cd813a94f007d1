"""What the pytest settings of a project say: which files hold tests, where modules are, what doctests mean.

A repository may hold several projects, each with settings of its own: those of the nearest folder above a
file count for it, as pytest itself has it. Nothing is run to read them, and what cannot be read says nothing.
"""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from sstar_code.problems.bounds import parse_toml
from sstar_code.sandbox.snapshot import read_beneath

_FILES = (
    ("pytest.toml", ("pytest",)),
    (".pytest.toml", ("pytest",)),
    ("pytest.ini", "pytest"),
    (".pytest.ini", "pytest"),
    ("pyproject.toml", ("tool", "pytest")),
    ("tox.ini", "pytest"),
    ("setup.cfg", "tool:pytest"),
)
"""Name -> where the settings are in it, in the order in which pytest looks: a section, or keys of TOML."""
SETTINGS_FILES = frozenset(name for name, _ in _FILES)
_MOST_BYTES = 1_000_000
_GLOB = "--doctest-glob"


@dataclass(frozen=True, slots=True)
class PytestSettings:
    """The settings of one project; without any they are pytest's own."""

    python_files: tuple[str, ...] = ("test_*.py", "*_test.py")
    """Patterns of the names of files that hold tests."""
    testpaths: tuple[str, ...] = ()
    """Where tests are, relative to the project; empty: everywhere."""
    pythonpath: tuple[str, ...] = ()
    """Folders, relative to the project, from which its tests import."""
    doctest_flags: tuple[str, ...] = ()
    """Names of options that hold for every example."""
    text_files: tuple[str, ...] = ("test*.txt",)
    """Patterns of the names of text files whose examples are tests."""

    def is_test(self, name: str) -> bool:
        """Whether pytest finds tests in the file `name`, a path relative to the project."""
        if self.testpaths and not any(_is_below(name, place) for place in self.testpaths):
            return False
        path = PurePosixPath(name)
        patterns = self.python_files if path.suffix == ".py" else self.text_files
        return any(fnmatch(name if "/" in pattern else path.name, pattern) for pattern in patterns)


def _is_below(name: str, place: str) -> bool:
    """Whether the path `name` is `place`, a path or a pattern of paths, or lies below it."""
    place = PurePosixPath(place).as_posix()
    above = [name, *(folder.as_posix() for folder in PurePosixPath(name).parents)]
    return place == "." or any(fnmatch(item, place) for item in above)


def read_settings(folder: Path) -> PytestSettings | None:
    """The settings in the file of `folder` that pytest would take them from; None where it has none."""
    for name, place in _FILES:
        data = read_beneath(folder, name, _MOST_BYTES)
        if data is None:
            continue
        text = data.decode("utf-8", "replace")
        found = _read_ini(text, place) if isinstance(place, str) else _read_toml(text, place)
        if found is not None or name.lstrip(".").startswith("pytest."):
            return _as_settings(found or {}, folder)
    return None


def find_settings(path: Path, root: Path) -> tuple[Path, PytestSettings]:
    """The nearest folder above `path`, up to `root`, with settings, and these; else `root` and pytest's."""
    for folder in path.parents:
        if folder != root and root not in folder.parents:
            break
        settings = read_settings(folder)
        if settings is not None:
            return folder, settings
    return root, PytestSettings()


def choose_tests(names: Sequence[str], root: Path) -> list[str]:
    """Those of `names`, paths relative to `root`, in which pytest finds tests or fixtures."""
    folders = {PurePosixPath(name).parent for name in names if PurePosixPath(name).name in SETTINGS_FILES}
    read = {folder: read_settings(root / folder) for folder in folders}
    known = {folder: settings for folder, settings in read.items() if settings is not None}
    own = PytestSettings()
    chosen = []
    for name in names:
        path = PurePosixPath(name)
        project = next((folder for folder in path.parents if folder in known), PurePosixPath())
        settings = known.get(project, own)
        if path.name == "conftest.py" or settings.is_test(path.relative_to(project).as_posix()):
            chosen.append(name)
    return chosen


def _as_settings(found: dict[str, Any], folder: Path) -> PytestSettings:
    own = PytestSettings()
    options = _words(found.get("addopts"))
    globs = [word.partition("=")[2] for word in options if word.startswith(f"{_GLOB}=")]
    globs += [after for word, after in pairwise(options) if word == _GLOB]
    places = [place for place in _words(found.get("testpaths")) if any(_list_places(folder, place))]
    return PytestSettings(
        tuple(_words(found.get("python_files"))) or own.python_files,
        tuple(places),
        tuple(_words(found.get("pythonpath"))),
        tuple(_words(found.get("doctest_optionflags"))),
        tuple(globs) or own.text_files,
    )


def _list_places(folder: Path, place: str) -> Iterable[Path]:
    """The files and folders that an entry of `testpaths` names; where there are none pytest ignores it."""
    try:
        return list(folder.glob(place)) if place.strip("./") else [folder]
    except (ValueError, OSError, NotImplementedError):
        return []


def _words(value: Any) -> list[str]:
    """A setting's words: of a list its items, of a text what a shell would make of it."""
    if isinstance(value, list):
        return [str(item) for item in value]
    if not isinstance(value, str):
        return []
    try:
        return shlex.split(value, comments=True)
    except ValueError:
        return value.split()


def _read_toml(text: str, keys: Sequence[str]) -> dict[str, Any] | None:
    try:
        found: Any = parse_toml(text)
    except ValueError:
        return None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    options = found.get("ini_options", found) if isinstance(found, dict) else None
    return options if isinstance(options, dict) else None


def _read_ini(text: str, section: str) -> dict[str, Any] | None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
        return dict(parser[section]) if parser.has_section(section) else None
    except configparser.Error:
        return None
