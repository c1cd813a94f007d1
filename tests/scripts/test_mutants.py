"""`make mutants`: small changes that a test should notice."""

from __future__ import annotations

import ast

import pytest

pytest.importorskip("cosmic_ray", reason="the extra mutants is not installed")

from scripts.mutants.sites import draw_mutants

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
    assert lines == {
        "c: int | None = 7",
        "items.append(limit)",
        "return 3 + 4 if items else None",
    }


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
