"""How functions are called with plain values, what a person is asked, and which tests are kept."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sstar_code.agent.repository.find.places import Place, locate
from sstar_code.agent.repository.find.project_files import parse_source
from sstar_code.agent.repository.find.stubs import find_function
from sstar_code.agent.repository.fix import Person
from sstar_code.agent.repository.task.call import find_target
from sstar_code.agent.repository.task.checks import Checks
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.write.emit_tests import render_tests, write_tests
from sstar_code.problems import UserError
from sstar_code.problems.values import encode, encode_lines
from sstar_code.selection.protocols import Candidate, Derived, Distinguishing, Selection

TEXT = '''
from dataclasses import dataclass

def f(x: int, *, key: str) -> int:
    """ValueError for a negative one."""
    ...

def foreign(path: Path) -> int: ...

@dataclass
class Item:
    name: str
    price: int = 0

    def times(self, name: int) -> int: ...

    @property
    def tag(self) -> str: ...

    @staticmethod
    def clean(name: str) -> str: ...

class Odd(Base):
    def g(self) -> int: ...
'''
ROOT = Path("/r")


def stub(qualname):
    return find_function(parse_source(ROOT / "shop" / "a.py", TEXT.encode()), qualname)


def target(qualname):
    found = stub(qualname)
    return find_target(found, Place("shop.a", ROOT), found.docstring)


def test_a_function_is_called_by_position_and_name():
    """Keyword-only parameters without a default come last; promised exceptions are behaviour."""
    found = target("f")
    assert found.signature == "def f(x: int, key: str) -> int:"
    assert (found.keywords, found.constructor, found.raises) == (("key",), None, ("ValueError",))


def test_a_method_is_called_on_an_object_made_for_it():
    """The constructor's arguments come first, under names of their own."""
    found = target("Item.times")
    assert found.signature == "def Item_times(name: str, name2: int) -> int:"
    assert found.constructor == 1
    assert "`Item(name).times(name2)`" in found.explanation
    assert target("Item.tag").constructor == 1
    assert target("Item.clean").constructor is None


@pytest.mark.parametrize("qualname", ["foreign", "Odd.g"])
def test_what_takes_foreign_objects_is_not_called(qualname):
    """A type that no literal has, or a class that nobody knows how to make."""
    assert target(qualname) is None


def task(qualname="f"):
    return make_task(stub(qualname), Checks(), ROOT, "x")


def test_the_statement_shows_what_is_needed():
    """Module, file, rules; for a method the class around it, and what a call stands for."""
    found = task("Item.times")
    assert "`Item.times` in the module `a` (file `shop/a.py`)" in found.writing.statement
    assert found.writing.starter_code.startswith("class Item:\n    def times(self, name: int) -> int:\n")
    ast.parse(found.writing.starter_code)
    assert found.choosing.entry_point == "Item_times"


CHOICE = Selection(
    "adaptive",
    0,
    0.5,
    ((0, 1), (2,)),
    (Distinguishing(encode_lines([0, "k"]), {"0": encode(0), "1": encode({"raised": "ValueError"})}),),
)
CANDIDATES = [Candidate("a", 1, 1), Candidate("b", 1, 1), Candidate("c", 1, 1)]


@pytest.mark.anyio
@pytest.mark.parametrize(("answer", "chosen", "kept"), [("1", 0, 1), ("2", 2, 1), ("", 0, 0), ("9", 0, 0)])
async def test_a_person_decides_where_candidates_differ(answer, chosen, kept):
    """The answer leaves the candidates that do so, and becomes a test; no answer leaves the choice."""
    asked = []
    person = Person(lambda question: asked.append(question) or answer)
    selection, derived = await person.settle(task(), CANDIDATES, CHOICE)
    assert (selection.chosen, len(derived)) == (chosen, kept)
    assert "should it\n  1: give 0\n  2: raise ValueError\n" in asked[0]


def test_kept_tests_run(tmp_path):
    """What was confirmed becomes tests with their provenance: values, exceptions, methods, keywords."""
    found = [
        (target("f"), [Derived(encode_lines([1, "k"]), "2", 1.0, "your answer")]),
        (target("f"), [Derived(encode_lines([-1, "k"]), encode({"raised": "ValueError"}), 0.9, "the judge")]),
        (target("Item.times"), [Derived(encode_lines(["a", 2]), encode((1, 2)), 0.8, "x")]),
        (target("Item.tag"), [Derived(encode_lines(["a"]), encode("t"), 0.8, "x")]),
    ]
    text, count = render_tests(found)
    assert count == 4
    assert [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)] == [
        "test_f_1",
        "test_f_2",
        "test_item_times_1",
        "test_item_tag_1",
    ]
    assert "    assert f(1, key='k') == 2\n" in text
    assert "    with pytest.raises(ValueError):\n        f(-1, key='k')\n" in text
    assert "    assert Item('a').times(2) == (1, 2)\n" in text
    assert "    assert Item('a').tag == 't'\n" in text
    assert "# Confirmed by your answer (probability 1.00)" in text
    assert write_tests(tmp_path / "t.py", found) == 4
    with pytest.raises(UserError, match="there already"):
        write_tests(tmp_path / "t.py", found)
    assert write_tests(tmp_path / "none.py", []) == 0
    assert not (tmp_path / "none.py").exists()


def test_modules_are_named_as_they_are_imported(tmp_path):
    """From the folder above the outermost package; folders under src need no __init__.py."""
    for name in ("src/a/b/c.py", "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/m.py", "tools/run.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    names = [
        locate(tmp_path / name, tmp_path).module for name in ("src/a/b/c.py", "pkg/sub/m.py", "tools/run.py")
    ]
    assert names == ["a.b.c", "pkg.sub.m", "run"]
    assert locate(tmp_path / "pkg" / "sub" / "__init__.py", tmp_path).module == "pkg.sub"
