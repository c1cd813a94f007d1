"""The arrows point one way: problems <- sandbox <- selection <- agent."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("problems", "sandbox", "selection", "agent")


def find_imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("sstar_code.")}


@pytest.mark.parametrize("package", ORDER)
def test_package_imports_only_what_is_before_it(package):
    """No file imports a package that comes after its own."""
    allowed = set(ORDER[: ORDER.index(package) + 1])
    wrong = {
        str(path.relative_to(ROOT)): sorted(find_imports(path) - allowed)
        for path in (ROOT / package).rglob("*.py")
        if find_imports(path) - allowed
    }
    assert wrong == {}


def test_files_stay_small():
    """No source file has more than 400 lines."""
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for package in ORDER
        for path in (ROOT / package).rglob("*.py")
    }
    assert [str(path) for path, length in lengths.items() if length > 400] == []
