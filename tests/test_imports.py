"""The structure: arrows point one way, no circles, folders and files of a size that can be taken in."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ORDER = ("problems", "sandbox", "selection", "agent")
PRODUCT = [path for package in ORDER for path in sorted((ROOT / package).rglob("*.py"))]
MOST_FILES, MOST_LINES = 12, 400


def name_module(path: Path) -> str:
    """The module's name below `sstar_code`, dotted."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_imports(path: Path) -> set[str]:
    """Everything of ours that a file names in an import, for types only too: modules, or names in them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("sstar_code.") for name in names if name.startswith("sstar_code.")}


@pytest.mark.parametrize("package", ORDER)
def test_package_imports_only_what_is_before_it(package):
    """No file imports a package that comes after its own."""
    allowed = set(ORDER[: ORDER.index(package) + 1])
    found = {path: {name.partition(".")[0] for name in find_imports(path)} for path in PRODUCT}
    wrong = {
        str(path): sorted(packages - allowed)
        for path, packages in found.items()
        if path.relative_to(ROOT).parts[0] == package and packages - allowed
    }
    assert wrong == {}


def test_no_circle_between_files():
    """Files import each other in one direction, none imports itself, imports for types included."""
    modules = {name_module(path) for path in PRODUCT}
    graph = {}
    for path in PRODUCT:
        own = name_module(path)
        used = {name if name in modules else name.rpartition(".")[0] for name in find_imports(path)}
        graph[own] = used & modules
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_folders_can_be_taken_in():
    """A folder of the product, the tests, the documents or the benchmarks holds at most 12 files."""
    folders = [*ORDER, "tests", "docs", "benchmarks", "scripts"]
    tracked = [path for name in folders for path in (ROOT / name).rglob("*") if path.is_file()]
    counts: dict[Path, int] = {}
    for path in tracked:
        if "__pycache__" not in path.parts:
            counts[path.parent] = counts.get(path.parent, 0) + 1
    assert {str(folder): count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_files_can_be_taken_in():
    """No source file has more than 400 lines."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT}
    assert {str(path): length for path, length in lengths.items() if length > MOST_LINES} == {}
