"""From an open function to a task: in which order, with which checks, what the model is shown."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from sstar_code.agent.repository.find.project_files import (
    list_files,
    list_names,
    parse_source,
    read_source,
    read_targets,
    read_words,
)
from sstar_code.agent.repository.find.stubs import find_function, find_stubs, statements
from sstar_code.agent.repository.fix import order
from sstar_code.agent.repository.task.checks import (
    Checks,
    ExampleGroup,
    Survey,
    find_checks,
    mark_open,
    named_tests,
)
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.problems import UserError


@pytest.fixture
def root(tmp_path):
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return read_source(path)


def test_functions_that_docstrings_name_come_first():
    """Else the order of the file; a circle ends."""
    uses = {"f": "h", "g": "g, f", "h": "f"}
    text = "".join(f"def {name}():\n    'Uses {used}.'\n    ...\n" for name, used in uses.items())
    stubs = find_stubs(parse_source(Path("/r/a.py"), text.encode()))
    assert [stub.name for stub in order(stubs)] == ["h", "f", "g"]


def test_statements_exist_when_the_module_runs():
    """Those of every branch, loop and handler; not those for the type checker, nor inside functions."""
    code = (
        "if TYPE_CHECKING:\n    a = 1\nelse:\n    b = 1\nif not TYPE_CHECKING:\n    c = 1\n"
        "try:\n    d = 1\nexcept E:\n    e = 1\nelse:\n    f = 1\nfinally:\n    g = 1\n"
        "for x in y:\n    h = 1\nwith z:\n    i = 1\ndef j():\n    no = 1\nclass K:\n    no = 1\n"
    )
    found = [node for node in statements(ast.parse(code).body) if isinstance(node, ast.Assign)]
    assert sorted(node.targets[0].id for node in found) == list("bcdefghi")


def test_checks_of_a_function(root):
    """Plain calls become inputs, other examples groups; those of the class count where they call it."""
    text = '''"""Module.

>>> f(3)
4
>>> other(1)
1
"""

def f(x):
    """
    >>> f(1)
    2
    >>> f(1)
    2
    """
    ...

class A:
    """
    >>> A().g(1)
    1
    """
    def g(self, x):
        """
        >>> 1
        1
        """
        ...
    def h(self): ...
'''
    source = write(root, "a.py", text)
    checks = find_checks(find_function(source, "f"), Survey({}), root)
    assert [(test.input, test.output) for test in checks.literals] == [("1", "2")]
    assert [group.label for group in checks.groups] == ["the module"]
    assert (
        checks.groups[0].text
        == "# the examples of the module, as doctest runs them\n>>> f(3)\n4\n>>> other(1)\n1\n"
    )
    assert (checks.count, checks.summary) == (2, "3 examples")
    checks = find_checks(find_function(source, "A.g"), Survey({}), root)
    assert [group.label for group in checks.groups] == ["A.g", "A"]
    assert checks.literals == ()
    assert find_checks(find_function(source, "A.h"), Survey({}), root).summary == "nothing yet"


def test_tests_that_were_seen_to_reach_it(root):
    """Each function once, with all its parameters, its source and first line; generated ones count too."""
    source = write(root, "a.py", "def f(x): ...\n")
    write(
        root,
        "test_a.py",
        "import a\n\n@d\ndef test_f(x):\n    assert 1\n\nclass TestA:\n    def test_g(self): pass\n",
    )
    stub = find_function(source, "f")
    names = ["test_f[1]", "test_f[2]", "TestA::test_g", "test_made"]
    seen = Survey({stub.label: tuple(("test_a.py", f"test_a.py::{name}") for name in names)})
    checks = find_checks(stub, seen, root)
    first, second, made = checks.tests
    assert first.ids == ("test_a.py::test_f[1]", "test_a.py::test_f[2]")
    assert (first.source, first.first_line) == ("@d\ndef test_f(x):\n    assert 1\n", 3)
    assert first.text == f"# test_a.py::test_f\n{first.source}"
    assert second.source.strip() == "def test_g(self): pass"
    assert (made.source, made.first_line) == ("", 1)
    assert checks.summary == "4 tests"
    assert checks.without({first.text}) == Checks(tests=(second, made))
    lost = find_checks(stub, Survey({stub.label: (("gone.py", "gone.py::test_x"),)}), root)
    assert lost.tests[0].source == ""


def test_a_marked_function_reports_that_it_was_called():
    """It says its label and raises, and the file still parses."""
    stub = find_function(parse_source(Path("/r/a.py"), b"def f(x):\n    return 1\n"), "f")
    calls = {}
    exec(mark_open(stub).source.text, calls)
    with pytest.raises(NotImplementedError, match="f is still open"):
        calls["f"](1)
    assert "'/r/a.py::f'" in mark_open(stub).source.text


def test_a_long_file_is_shown_without_other_bodies(root):
    """The open function's class stays whole; of other functions and classes the heads and docstrings stay."""
    filler = "\n".join(f"    x{number} = {number}" for number in range(3000))
    text = f"""import os

@d
def other(a):
    'Says.'
{filler}

class Other:
    'Holds.'
    y = 1
    def m(self):
        return secret

class A:
    def f(self, x): ...
    def kept(self):
        return here
"""
    checks = Checks(groups=(ExampleGroup("A.f", ()),))
    task = make_task(find_function(write(root, "pkg.py", text), "A.f"), checks, root, "x")
    shown = task.writing.statement
    assert "The file, the bodies of other functions left out" in shown
    assert "@d\ndef other(a):\n    'Says.'\n    ...\n" in shown
    assert "x2999" not in shown
    assert "secret" not in shown
    assert "class Other:\n    'Holds.'\n    y = 1\n    def m(self):\n        ...\n" in shown
    assert "return here" in shown
    assert task.mark == "# pkg.py::A.f in state x"
    assert task.writing.entry_point == "A.f"
    assert [test.program for test in task.writing.public_tests] == checks.texts
    assert task.choosing.public_tests == ()


def test_a_nested_class_is_called_by_its_last_two_names(root):
    """What is sampled defines the class and the method; the starter code shows the classes around."""
    source = write(root, "a.py", "class O:\n    class A(B):\n        def f(self, x: int) -> int: ...\n")
    task = make_task(find_function(source, "O.A.f"), Checks(), root, "x")
    assert task.writing.entry_point == "A.f"
    assert task.writing.starter_code == (
        "class O:\n    class A(B):\n        def f(self, x: int) -> int:\n            ...\n"
    )
    assert task.choosing is None


def test_named_tests_are_paths_or_expressions(root):
    """What exists is a path, with or without a test's name; anything else selects by expression."""
    (root / "t.py").write_text("")
    assert named_tests(["t.py::test_a", "t.py", "slug and not x"], root) == [
        "t.py::test_a", "t.py", "-k", "slug and not x",
    ]  # fmt: skip
    assert read_words(write(root, "b.py", "a.b_c = 'd e'\n").path) == {"a", "b_c", "d", "e"}
    assert list_files(root) == ["b.py", "t.py"]


def test_ignored_files_count_only_where_imports_may_need_them(root):
    """Generated Python and extension modules are listed when asked for; caches and environments never."""
    (root / ".git").rmdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    write(root, "a.py", "")
    (root / ".gitignore").write_text("gen/\n*.so\nmade.py\nnode_modules/\n")
    for name in ("gen/v.py", "gen/note.txt", "x.so", "made.py", "node_modules/b.py", "gen/.hidden/c.py"):
        write(root, name, "")
    assert list_files(root) == [".gitignore", "a.py"]
    names = list_names(root, generated=True)
    assert names == dict.fromkeys([".gitignore", "a.py"], True) | dict.fromkeys(
        ["gen/v.py", "made.py", "x.so"], False
    )


def test_targets_are_files_folders_and_functions(root, monkeypatch):
    """Each once; what is no Python is passed over, what is not there is an error."""
    monkeypatch.chdir(root)
    for name in ("a.py", "b.pyi", "pkg/c.py", "notes.txt"):
        write(root, name, "")
    found = read_targets(["a.py::A.f", "b.pyi", "notes.txt", "pkg", "pkg/c.py"])
    assert found == [(root / "a.py", "A.f"), (root / "b.pyi", ""), (root / "pkg" / "c.py", "")]
    with pytest.raises(UserError, match="no such file"):
        read_targets(["none.py"])
