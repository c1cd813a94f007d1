"""What counts as open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sstar_code.agent.repository.find.assess import check_files
from sstar_code.agent.repository.find.project_files import parse_source, read_source, read_words
from sstar_code.agent.repository.find.stubs import find_stubs
from sstar_code.problems import UserError

OPEN = {
    "ellipsis": "def f(): ...",
    "pass with a docstring": 'def f():\n    """Do."""\n    pass',
    "pass with a result": "def f() -> int:\n    pass",
    "raise": "def f():\n    raise NotImplementedError",
    "raise with words": 'def f():\n    """Doc."""\n    raise NotImplementedError("later")',
    "marked": "def f(x):\n    # sstar: implement\n    return x",
    "marked at the def": "def f(x):  # sstar: implement\n    return x",
    "async": "async def f(): ...",
    "method": 'class A:\n    def f(self):\n        """Do."""\n        ...',
    "in a branch": "try:\n    import x\nexcept ImportError:\n    def f(): ...",
    "cached": "import functools\n@functools.cache\ndef f(): ...",
}
NOT_OPEN = {
    "code": "def f():\n    return 1",
    "hook": "class A:\n    def f(self): pass",
    "hook typed None": "class A:\n    def f(self) -> None:\n        pass",
    "exception": "class E(Exception):\n    pass",
    "protocol": "from typing import Protocol\nclass P(Protocol):\n    def f(self): ...",
    "generic protocol": "import typing as t\nclass P(t.Protocol[int]):\n    def f(self): ...",
    "abstract": "import abc\nclass A:\n    @abc.abstractmethod\n    def f(self): ...",
    "overload": "import typing\n@typing.overload\ndef f(x: int): ...\ndef f(x):\n    return x",
    "type checking": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    def f(): ...",
    "command group": 'import click\n@click.group()\ndef f():\n    """Tool."""\n    pass',
    "overridden": "class A:\n  def f(self): raise NotImplementedError\nclass B(A):\n  def f(self): return 1",
    "for subclasses": 'class A:\n    def f(self): raise NotImplementedError("override me")',
    "abstract by base": "from abc import ABC\nclass A(ABC):\n    def f(self): raise NotImplementedError",
    "generic function": "import functools\n@functools.singledispatch\ndef f(x): raise NotImplementedError",
    "ignored": "def f(): ...  # sstar: ignore",
    "raise else": "def f():\n    raise ValueError",
    "nested": "def f():\n    def g(): ...\n    return g",
}


def names(text, path="a.py"):
    return [stub.qualname for stub in find_stubs(parse_source(Path(path), text.encode()))]


@pytest.mark.parametrize("text", OPEN.values(), ids=OPEN)
def test_open_functions_are_found(text):
    """What a person would want to be reminded of is found."""
    assert [name.rpartition(".")[2] for name in names(text)] == ["f"]


@pytest.mark.parametrize("text", NOT_OPEN.values(), ids=NOT_OPEN)
def test_what_has_to_look_open_is_left_alone(text):
    """What is meant to be empty is not reported."""
    assert names(text) == []


@pytest.mark.parametrize("path", ["a.pyi", "tests/test_a.py", "a_test.py", "conftest.py"])
def test_stub_files_and_tests_are_left_alone(path):
    """A .pyi file and a test file may hold empty functions."""
    assert names("def f(): ...", path) == []


def test_a_marked_function_inside_another_is_reported_as_impossible(tmp_path):
    """It is told in one line why it cannot be written."""
    path = tmp_path / "a.py"
    path.write_text("def f():\n    def g(x):\n        # sstar: implement\n        return x\n    return g\n")
    (finding,) = check_files([(path, "")])
    assert finding.qualname == "f.<locals>.g"
    assert finding.rule == "cannot-be-written"
    assert "inside another function" in finding.message


def test_what_there_is_to_go_by_is_told(tmp_path):
    """Examples, tests and types are counted."""
    (tmp_path / "tests").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("from a import f\n")
    path = tmp_path / "a.py"
    path.write_text('def f(x: int) -> int:\n    """\n    >>> f(1)\n    2\n    """\n    ...\n\ndef g(): ...\n')
    first, second = check_files([(path, "")])
    assert first.message.startswith(
        "left open (...); 1 example, named in 1 test file, typed; `sstar fix` can"
    )
    assert "no docstring, type, example or test" in second.message


def test_no_more_of_a_file_is_read_than_anybody_writes(tmp_path):
    """A file of holes is as long as it likes and takes no room on the disk of whoever sends it."""
    path = tmp_path / "test_long.py"
    path.touch()
    os.truncate(path, 1 << 42)
    with pytest.raises(UserError, match="more than 4 MiB"):
        read_source(path)
    assert read_words(path) == frozenset()
