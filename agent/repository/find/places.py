"""By which names the modules of a repository are imported, and from which folders."""

from __future__ import annotations

import ast
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sstar_code.agent.repository.find.project_files import list_python, read_beginning, read_source
from sstar_code.agent.repository.find.pytest_settings import find_settings
from sstar_code.problems import UserError

_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]{1,200})[ \t]+import[ \t]+(\([^()]*\)|[^\n#]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#]*)", re.MULTILINE)

_MOST_NAMES = 200_000
"""Names that are imported in a repository of a size that anybody reads."""


@dataclass(frozen=True, slots=True)
class Place:
    """How a file is imported."""

    module: str
    """Dotted name."""
    base: Path
    """The folder that has to be on `sys.path` for that."""


def locate(path: Path, root: Path) -> Place:
    """The name by which the file at `path` is imported.

    From a folder that pytest's `pythonpath` names, or from `src` or `lib` of the project: below these no
    folder needs an `__init__.py` (PEP 420). Elsewhere from the folder above its outermost package, unless the
    repository's other files import it by a longer name, or it imports what is beside or above it by dots.
    """
    outermost = find_outermost(path)
    found = [
        folder
        for folder in list_bases(path, root)
        if folder in path.parents and not (folder / "__init__.py").exists()
    ]
    if found:
        base = max(found, key=lambda folder: len(folder.parts))
    elif outermost == root or root not in outermost.parents:
        base = outermost
    else:
        base = _find_used_base(path, outermost, root)
    return Place(_name_from(base, path), base)


def find_outermost(path: Path) -> Path:
    """The folder above the outermost package that the file `path` is in; its own where it is in none."""
    base = path.parent
    while (base / "__init__.py").exists() and base != base.parent:
        base = base.parent
    return base


def list_bases(path: Path, root: Path) -> list[Path]:
    """The folders from which the modules of the project of the file `path` are imported, as is configured."""
    project, settings = find_settings(path, root)
    named = [Path(os.path.normpath(project / name)) for name in settings.pythonpath]
    usual = [folder / name for folder in dict.fromkeys((project, root)) for name in ("src", "lib")]
    found = [*named, *(folder for folder in usual if folder.is_dir())]
    return [folder for folder in found if folder == root or root in folder.parents]


def _name_from(base: Path, path: Path) -> str:
    parts = list(path.relative_to(base).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def _find_used_base(path: Path, outermost: Path, root: Path) -> Path:
    """The folder among `outermost` and those above it from which the repository imports the file."""
    above = [outermost, *outermost.parents]
    bases = above[: above.index(root) + 1]
    imports = _list_imports(root)
    for base in reversed(bases):
        if base != outermost and _name_from(base, path) in imports:
            return base
    levels: list[int] = []
    with suppress(UserError):
        nodes = ast.walk(read_source(path).tree)
        levels = [node.level for node in nodes if isinstance(node, ast.ImportFrom)]
    deepest = list(path.parents)[max([0, *levels])]
    return deepest if deepest in bases else outermost


@lru_cache(maxsize=4)
def _list_imports(root: Path) -> frozenset[str]:
    """The dotted names that the repository's files import, and those that may be modules in such a name.

    They are read once: no file of a repository is written while it is looked at.
    """
    names: set[str] = set()
    for file in list_python(root):
        try:
            text = read_beginning(file)
        except OSError:
            continue
        if len(names) > _MOST_NAMES:
            break
        for module, what in _FROM.findall(text):
            names.add(module)
            names |= {f"{module}.{name}" for name in re.findall(r"\w+", what)}
        names |= {name for line in _IMPORT.findall(text) for name in re.findall(r"[\w.]+", line)}
    return frozenset(names)
