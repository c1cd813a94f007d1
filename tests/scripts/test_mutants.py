"""`make mutants`: small changes that a test should notice."""

from __future__ import annotations

import ast

import pytest

pytest.importorskip("cosmic_ray", reason="the extra mutants is not installed")

from coverage import CoverageData

from scripts.mutants.run import Notes
from scripts.mutants.sites import Mutant, draw_mutants

SOURCE = """
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    A = 1 + 2

__all__ = ["f"] * 1

@dataclass(slots=True)
class B:
    c: int | None = 7

def f(items: list[int] | None, *, limit: int | None) -> int | None:
    log.info("f %s", 5)
    items.append(limit)
    return 3 + 4 if items else None
"""


@pytest.fixture
def tree(tmp_path):
    for package in ("problems", "sandbox", "selection", "agent"):
        (tmp_path / package).mkdir()
    (tmp_path / "agent" / "a.py").write_text(SOURCE)
    return tmp_path


def test_no_mutant_is_where_nothing_can_be_noticed(tree):
    """Annotations, type checking, exports, options of records and logs stay; the rest is changed."""
    mutants = draw_mutants(tree, 1000, 0)
    lines = {SOURCE.splitlines()[mutant.line - 1].strip() for mutant in mutants}
    assert lines == {"c: int | None = 7", "items.append(limit)", "return 3 + 4 if items else None"}


def test_every_mutant_is_another_program(tree):
    """What is changed compiles, and is not what it was."""
    original = ast.dump(ast.parse(SOURCE))
    for seed in range(10):
        for mutant in draw_mutants(tree, 1000, seed):
            assert ast.dump(ast.parse(mutant.apply(SOURCE))) != original


def test_a_seed_gives_the_same_mutants_and_a_count_begins_them(tree):
    """Drawing again gives the same, more begin with fewer, another seed gives others."""
    whole = draw_mutants(tree, 1000, 3)
    assert draw_mutants(tree, 1000, 3) == whole
    assert draw_mutants(tree, 4, 3) == whole[:4]
    assert draw_mutants(tree, 1000, 4) != whole
    assert draw_mutants(tree, 1000, 3, "sandbox/") == []


def test_a_call_is_dropped_with_all_its_line(tree):
    """The statement becomes `pass`."""
    drawn = (mutant for seed in range(50) for mutant in draw_mutants(tree, 1000, seed))
    mutant = next(mutant for mutant in drawn if mutant.operator == "DropCall")
    changed = mutant.apply(SOURCE)
    assert changed == SOURCE.replace("items.append(limit)", "pass")


@pytest.fixture
def notes(tmp_path):
    """Test files of `agent/a.py`: one beside it, a slow one that imports it, a quick one that does not."""
    texts = {
        "tests/agent/test_a.py": "",
        "tests/agent/test_slow.py": "from sstar_code.agent.a import f",
        "tests/agent/test_quick.py": "",
    }
    for file, text in texts.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    data = CoverageData(no_disk=True)
    executed = {
        "": [1, 2, 3],
        "tests/agent/test_quick.py::test_2": [2],
        "tests/agent/test_slow.py::test_1": [2],
        "tests/agent/test_a.py::test_3": [3],
        "tests/agent/test_a.py::test_fails": [2],
    }
    for test, lines in executed.items():
        data.set_context(test)
        data.add_lines({"agent/a.py": lines})
    seconds = {test: 1.0 for test in executed if test and "fails" not in test}
    seconds |= {"tests/agent/test_slow.py::test_1": 9.0, "tests/agent/test_quick.py::test_4": 0.5}
    return Notes(tmp_path, seconds, data)


@pytest.mark.parametrize(
    ("file", "line", "chosen"),
    [
        ("agent/a.py", 2, ["slow.py::test_1", "quick.py::test_2"]),
        ("agent/a.py", 1, ["a.py::test_3", "slow.py::test_1", "quick.py::test_2"]),
        ("agent/b.py", 1, ["a.py::test_3", "quick.py::test_2", "quick.py::test_4", "slow.py::test_1"]),
    ],
    ids=["its line", "its file", "all"],
)
def test_a_mutant_is_tested_by_what_executes_it_nearest_and_quickest_first(notes, file, line, chosen):
    """The tests of its line, else of its file, else all that pass; the nearest first, then the quickest."""
    tests = notes.choose_tests(Mutant(file, line, 0, "AddNot", 0))
    assert tests == [f"tests/agent/test_{name}" for name in chosen]


@pytest.mark.parametrize(
    ("seconds", "first"), [([11, 1], 2), ([6, 5, 1], 3), ([1, 1, 11], 3), ([6, 3, 1], 6), ([2, 2, 2], 6)]
)
def test_the_first_ten_seconds_of_tests_are_run_alone(tmp_path, seconds, first):
    """The first of the parts holds whole files, and just over ten seconds; nothing is left out."""
    tests = {f"tests/agent/test_a.py::test_{number}": second for number, second in enumerate(seconds)}
    others = {f"tests/agent/test_b.py::test_{number}": 5.0 for number in range(3)}
    notes = Notes(tmp_path, {**tests, **others}, CoverageData(no_disk=True))
    parts = notes.split([*tests, *others])
    assert [test for part in parts for test in part] == [*tests, *others]
    assert len(parts[0]) == first
