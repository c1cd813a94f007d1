"""Sets that other packages bring, and sets of one's own as a folder."""

from __future__ import annotations

import json
import sys

import pytest

from sstar_code.problems import UserError, load_set
from sstar_code.problems.sets.load import is_set, list_set_plugins

MODULE = """\
from pathlib import Path
from sstar_code.problems import Kind, Problem, Test

def read(path):
    number = 1 if path is None else int(Path(path).read_text())
    return (Problem(f"p{n}", "s", Kind.STDIN, hidden_tests=(Test("", "1"),)) for n in range(number))

def fail(path):
    raise RuntimeError("no\\nluck")

def wrong(path):
    return ["p"]

def twice(path):
    return [*read(path), *read(path)]
"""
POINTS = """\
[sstar.problems]
mine = mine_of_a_test:fail
old = mine_of_a_test:read

[sstar_code.problems]
mine = mine_of_a_test:read
failing = mine_of_a_test:fail
strange = mine_of_a_test:wrong
doubled = mine_of_a_test:twice
gone = no_such_module_here:read
examples = mine_of_a_test:fail
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution as pip leaves it: metadata and a module, in a folder on the path."""
    folder = tmp_path / "site"
    info = folder / "my_problems-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-problems\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(POINTS)
    (folder / "mine_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("mine_of_a_test", None)


def test_an_installed_package_brings_a_set(installed, tmp_path):
    """Its name works like one of ours, with a path or without; the revision is that of its content."""
    assert list_set_plugins()["mine"].package == "my-problems 1.2"
    loaded = load_set("mine")
    assert (loaded.name, [problem.id for problem in loaded.problems]) == ("mine", ["p0"])
    path = tmp_path / "three"
    path.write_text("3")
    more = load_set(f"mine:{path}")
    assert (more.path, len(more.problems), len(more.revision)) == (path, 3, 16)
    assert more.revision != loaded.revision == load_set("mine").revision
    assert [problem.id for problem in load_set("old").problems] == ["p0"]  # the group's old name
    assert is_set("mine")
    assert is_set(f"mine:{path}")
    assert not is_set("nobodys:x")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("failing", "set 'failing' of my-problems 1.2: RuntimeError: no; that package is at fault"),
        ("strange", "gives a str where a Problem is expected; that package is at fault"),
        ("doubled", "two problems have the id 'p0'"),
        ("gone", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("min", r"unknown problem set 'min' \(did you mean 'mine'\?\); there are lcb, .*, gone"),
    ],
)
def test_a_broken_package_is_one_line_and_breaks_nothing_else(installed, name, message):
    """The package and the fault are named; other sets go on working, and no name of ours is taken over."""
    with pytest.raises(UserError, match=message) as caught:
        load_set(name)
    assert "\n" not in str(caught.value)
    assert len(load_set("mine").problems) == 1
    assert len(load_set("examples").problems) > 1


def test_a_folder_holds_a_file_for_each_problem(tmp_path):
    """JSON objects over many lines and statements in Markdown are problems, named like their files."""
    row = {"statement": "s", "kind": "stdin", "hidden_tests": [{"input": "1", "output": "2"}]}
    (tmp_path / "a.json").write_text(json.dumps(row, indent=2))
    (tmp_path / "b.json").write_text(json.dumps(row | {"id": "named"}))
    (tmp_path / "c.md").write_text("Write a function `double(x)` that doubles x.\n\n>>> double(2)\n4\n")
    (tmp_path / "README.md").write_text("no problem")
    problems = load_set(f"jsonl:{tmp_path}").problems
    assert [problem.id for problem in problems] == ["a", "named", "c"]
    assert (problems[2].entry_point, len(problems[2].public_tests)) == ("double", 1)
    (tmp_path / "d.md").write_text(" \n")
    with pytest.raises(UserError, match=r"d\.md: is empty"):
        load_set(f"jsonl:{tmp_path}")
