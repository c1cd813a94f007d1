"""The table of attacks names tests that exist, and every number of it has one."""

from __future__ import annotations

import ast
import re

from tests.support import ROOT

_TESTS = ROOT / "tests"
_ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (.+) \|$", re.MULTILINE)


def _names():
    """Every string key, parameter id and function in the tests of the sandbox."""
    found = set()
    for file in [*(_TESTS / "attacks").rglob("test_*.py"), *(_TESTS / "sandbox").rglob("test_*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Dict):
                found |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
            elif isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
                found.add(node.value.value)
    return found


def test_table_of_attacks_is_true():
    """All 34 cases of the list that the suite began with, and as many again, each with tests that exist."""
    rows = _ROW.findall((ROOT / "docs" / "running-programs" / "attacks.md").read_text("utf-8"))
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 2 * 34
    names = _names()
    for number, cell in rows:
        tests = re.findall(r"`([^`]+)`", cell)
        assert tests, number
        assert not [test for test in tests if test not in names], number
