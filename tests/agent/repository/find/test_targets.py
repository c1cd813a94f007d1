"""What `check` and `fix` look at, and what they say where that is nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sstar_code.agent.jobs.fix_functions import find_stubs_to_write
from sstar_code.agent.repository.find.project_files import read_targets
from sstar_code.problems import UserError

BROKEN = "def f(:\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A repository that is the current folder."""
    root = tmp_path / "repository"
    (root / "pkg").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "pkg" / "a.py").write_text("def f() -> int: ...\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", "")  # no git: the folder is walked
    return root


def names(*words):
    return [path.name for path, _ in read_targets([*words])]


def test_a_file_that_does_not_parse_is_reported_and_the_rest_is_checked(here, fix):
    """Its line and the version of Python are named, in every form; code 1."""
    (here / "pkg" / "b.py").write_text("x = 1\n" + BROKEN)
    (here / "pkg" / "c.py").write_bytes(b"x = '\xff'\n")
    ended = fix({}, ".", "--format", "json", command="check")
    found = {item["path"]: item for item in json.loads(ended.out)["findings"]}
    assert ended.code == 1
    assert [found[f"pkg/{name}.py"]["rule"] for name in "abc"] == [
        "open-function",
        "unread-file",
        "unread-file",
    ]
    assert found["pkg/b.py"]["line"] == 2
    assert "does not parse as Python 3." in found["pkg/b.py"]["message"]
    assert "1 function is left open" in ended.err
    assert fix({}, "pkg/b.py", command="check").out.startswith("pkg/b.py:2: <module>: does not parse")


def test_test_data_that_does_not_parse_fails_nothing(here, fix):
    """It is named; a file that asks for it is not."""
    (here / "pkg" / "a.py").write_text("x = 1\n")
    (here / "tests" / "data").mkdir(parents=True)
    (here / "tests" / "data" / "b.py").write_text(BROKEN)
    (here / "template.py").write_text("# sstar: ignore\n{{ name }} = \n")
    ended = fix({}, command="check")
    assert ended.code == 0
    (line,) = ended.out.splitlines()
    assert line.startswith("tests/data/b.py:1: <module>: does not parse as Python 3.")


def test_fix_goes_on_where_a_file_does_not_parse(here, fix):
    """It says so; the open function of another file is worked on."""
    (here / "pkg" / "b.py").write_text(BROKEN)
    stubs, unread = find_stubs_to_write(read_targets(["."]))
    assert [stub.qualname for stub in stubs] == ["f"]
    assert [(item.path, item.line) for item in unread] == [("pkg/b.py", 1)]
    (here / "pkg" / "a.py").unlink()
    ended = fix({}, ".")
    assert "sstar: pkg/b.py:1: does not parse as Python 3." in ended.err
    assert (ended.code, ended.err.splitlines()[-1]) == (1, "sstar: nothing is open in what could be read")


@pytest.mark.parametrize("command", ["check", "fix"])
@pytest.mark.parametrize("word", ["notes.txt", "empty", "pkg/a.py::g"])
def test_nothing_looked_at_is_a_mistake(here, fix, command, word):
    """A wrong name does not pass: code 2 and a line that says what would count."""
    (here / "notes.txt").write_text("hello\n")
    (here / "empty").mkdir()
    ended = fix({}, word, command=command)
    assert (ended.code, ended.out) == (2, "")
    assert word.partition("::")[0] in ended.err
    assert "no Python file in" in ended.err or "no function 'g'; open ones are: f" in ended.err


def test_scripts_without_an_ending_count(here, fix):
    """Where their first line names Python; they cannot be imported, so `fix` does not write them."""
    for name, head in {
        "run": "#!/usr/bin/env python3",
        "old": "#! /usr/bin/python3.11 -I",
        "shell": "#!/bin/sh",
        "plain": "",
        "pythonic": "#!/usr/bin/env pythonista",
    }.items():
        (here / name).write_text(f"{head}\ndef f() -> int: ...\n")
    assert names("run", "shell", "pkg") == ["run", "a.py"]
    assert sorted(names(".")) == ["a.py", "old", "run"]
    ended = fix({}, "run", command="check")
    assert ended.out.startswith("run:2: f: left open (...)")
    assert "cannot be written by `sstar fix`: a script without .py cannot be imported" in ended.out


def test_a_folder_behind_a_link_and_the_one_above(here):
    """A link to a folder of the repository is that folder; one that leads out has nothing to read."""
    (here / "link").symlink_to("pkg")
    (here / "out").symlink_to(here.parent / "elsewhere")
    (here.parent / "elsewhere").mkdir()
    (here.parent / "elsewhere" / "b.py").touch()
    assert read_targets(["link"]) == [(here / "pkg" / "a.py", "")]
    with pytest.raises(UserError, match="no Python file in out, so nothing was looked at"):
        read_targets(["out"])
    assert (here / "pkg" / "a.py", "") in read_targets([".."])
    assert (here / "pkg" / "a.py", "") in read_targets([str(Path("pkg") / "..")])


def test_every_open_function_of_a_repository_is_reported(shop, fix):
    """All kinds of them, none of them taken for one that stays empty, and nothing else."""
    ended = fix({}, shop.root, "--format", "json", command="check")
    names = [item["qualname"] for item in json.loads(ended.out)["findings"]]
    assert sorted(names) == sorted({*shop.answers, "untold", "outer.<locals>.inner", "unproved"})
    assert len(names) >= 30
