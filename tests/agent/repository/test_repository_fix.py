"""`sstar fix` and `sstar check` as commands: what they print, write and answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sstar_code.agent.repository.find.project_files import list_files, read_source
from sstar_code.agent.repository.write.changes import write_changes
from sstar_code.problems import UserError
from tests.support import ROOT

MODULE = '''def f(x: int) -> int:
    """Add one.

    >>> f(1)
    2
    """
    ...
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    root = tmp_path / "repo"
    root.mkdir()
    (root / ".git").mkdir()
    (root / "a.py").write_text(MODULE)
    monkeypatch.chdir(root)
    return root / "a.py"


@pytest.mark.usefixtures("sandbox_local")
def test_nothing_is_written_unless_asked_for(module, fix, tmp_path):
    """A diff and why are printed, the patch applies, tests are kept; the file changes with --write only."""
    right, wrong = "def f(x):\n    return x + 1\n", "def f(x):\n    return 2\n"
    words = ("--n", "3", "--sandbox", "local", "a.py")
    ended = fix({"f": [right, wrong, right]}, "--patch", tmp_path / "p", "--sarif", tmp_path / "s", *words)
    assert ended.code == 0
    assert "sstar: 1 of 1 function could be written, in 1 file; the diff shows how" in ended.err
    assert (
        "f: written: 3 of 3 candidates pass 1 example, make 2 different changes and behave in 2 ways"
        in ended.out
    )
    assert "+    return x + 1\n" in ended.out
    assert module.read_text() == MODULE
    assert json.loads((tmp_path / "s").read_text())["runs"][0]["results"] == []
    subprocess.run(["git", "init", "-q"], cwd=module.parent, check=True)
    subprocess.run(["git", "apply", "--check", tmp_path / "p"], cwd=module.parent, check=True)
    asked = len(fix.models[0].requests)
    ended = fix({}, "--write", *words)
    assert ended.code == 0
    assert "sstar: 1 of 1 function written, in 1 file\n" in ended.err
    assert module.read_text() == MODULE.replace("...", "return x + 1")
    again = [item for item in fix.models[1].requests if item.purpose.stage == "generate"]
    assert (asked >= 3, again) == (True, []), "what was answered once is not asked again"
    ended = fix({}, *words)
    assert (ended.code, ended.out) == (0, "")


def test_check_stops_a_commit_with_an_open_function(module, fix):
    """Exit code 1 and one line a function; 0 and nothing where all is written."""
    ended = fix({}, "a.py", command="check")
    assert ended.code == 1
    assert ended.out.startswith("a.py:1: f: left open (...); 1 example")
    module.write_text("x = 1\n")
    ended = fix({}, "a.py", command="check")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.py"], "no such file"),
        (["a.py::g"], "no function 'g'; open ones are: f"),
        (["--format", "xml", "a.py"], "--format 'xml'"),
        (["--interactive", "a.py"], "needs a terminal"),
        (["--python", "/nowhere/python", "a.py"], "no such program"),
    ],
)
@pytest.mark.usefixtures("module")
def test_mistakes_are_told_in_one_line(fix, words, said):
    """Exit code 2, what is wrong and what to do, before anything is asked."""
    ended = fix({}, *words)
    assert ended.code == 2
    assert said in ended.err
    assert not any(model.requests for model in fix.models)


def test_a_file_that_changed_meanwhile_is_left_alone(module):
    """What somebody wrote while the function was being written is not lost."""
    before = read_source(module)
    module.write_text("x = 1\n")
    with pytest.raises(UserError, match="changed while"):
        write_changes(before, before.with_text("y = 2\n"), module.parent)
    assert module.read_text() == "x = 1\n"


def test_secrets_are_not_copied(module):
    """What is named like a secret, hidden or part of an environment is not among the files."""
    for name in (".env", "key.pem", ".netrc", "b.py", "node_modules/c.py", "venv/pyvenv.cfg", "venv/d.py"):
        path = module.parent / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert list_files(module.parent) == ["a.py", "b.py"]


WRITER = """
import sys, os, signal
from pathlib import Path
from sstar_code.agent.repository.write.changes import replace_file
path = Path(sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored in the background
print("ready", flush=True)
number = 0
while True:
    number += 1
    replace_file(path, (f"{number % 10}" * 200_000).encode())
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_writer_leaves_a_whole_file(tmp_path, stop):
    """Whenever the writer is killed, the file is one version, whole."""
    path = tmp_path / "a.py"
    path.write_text("0" * 200_000)
    for pause_s in (0.0, 0.003, 0.011, 0.03):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, path],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        assert process.stdout.readline() == b"ready\n"
        time.sleep(pause_s)
        process.send_signal(stop)
        process.wait()
        process.stdout.close()
        text = path.read_text()
        assert len(text) == 200_000
        assert len(set(text)) == 1


@pytest.mark.usefixtures("sandbox_local")
def test_check_runs_examples_and_tests_when_asked_to(module, fix):
    """A function whose example fails and a test that fails are told with their lines; nothing else is."""
    module.write_text(
        MODULE.replace("...", "return x") + MODULE.replace("f(", "g(").replace("...", "return x + 1")
    )
    (module.parent / "test_a.py").write_text("from a import f\n\n\ndef test_f():\n    assert f(1) == 2\n")
    words = ("--sandbox", "local", "--python", sys.executable, "a.py")
    ended = fix({}, "--examples", "--tests", "test_a.py", *words, command="check")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "a.py:1: f: >>> f(1) : expected 2, got 1",
        "test_a.py:5: test_f: AssertionError assert 1 == 2 + where 1 = f(1)",
    ]


@pytest.mark.usefixtures("sandbox_local")
def test_a_function_is_written_by_a_strategy(module, fix):
    """A search repairs what the checks fail; waves, which share decisions over a set, are refused."""
    wrong, right = "def f(x):\n    return 3\n", "def f(x):\n    return x + 1\n"
    words = ("--sandbox", "local", "a.py")
    ended = fix({"f": [wrong, right]}, "--strategy", "tree:batch=1,programs=3", "--n", "2", *words)
    assert (ended.code, "+    return x + 1\n" in ended.out) == (0, True)
    ended = fix({}, "--strategy", "waves", "--n", "2..4", *words)
    assert (ended.code, "--strategy waves: fix writes one function after another" in ended.err) == (2, True)
    assert module.read_text() == MODULE
