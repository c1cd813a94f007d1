"""The first minutes: a settings file with comments, completion, and variables that mean nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from sstar_code.agent.cli.commands.first_steps.init import EXAMPLES
from sstar_code.agent.cli.settings_file import PROJECT_KEYS
from tests.support import ROOT


def test_init_writes_comments_only_and_each_is_a_setting(sstar, folder):
    """Nothing is in force at first; with every # taken away the file is one that is accepted."""
    ended = sstar("init")
    text = (folder / "sstar.toml").read_text()
    assert (ended.code, ended.out) == (0, "")
    assert "wrote sstar.toml" in ended.err
    assert all(line.startswith("#") for line in text.splitlines() if line)
    assert max(map(len, text.splitlines())) <= 100
    opened = re.sub(r"^#(?=[a-z-]+ = )", "", text, flags=re.MULTILINE)
    keys = {line.partition(" = ")[0].replace("-", "_") for line in opened.splitlines() if line[:1].isalpha()}
    assert keys == set(EXAMPLES) & set(PROJECT_KEYS)
    (folder / "sstar.toml").write_text(opened)
    assert sstar("ls").code == 0


def test_init_never_overwrites(sstar, folder):
    """What somebody wrote stays, in either file of a project."""
    (folder / "sstar.toml").write_text("n = 3\n")
    ended = sstar("init")
    assert (ended.code, "is there already" in ended.err) == (2, True)
    assert (folder / "sstar.toml").read_text() == "n = 3\n"
    (folder / "sstar.toml").unlink()
    (folder / "pyproject.toml").write_text("[tool.sstar]\nn = 3\n")
    assert sstar("init").code == 2
    assert not (folder / "sstar.toml").exists()


def test_init_reads_no_more_of_a_project_than_such_a_file_has(sstar, folder):
    """What is called `pyproject.toml` may be holes without end."""
    with (folder / "pyproject.toml").open("wb") as file:
        file.truncate(1 << 30)
    ended = sstar("init")
    assert ended.code == 2
    assert "pyproject.toml: is a sparse file" in ended.err


def test_init_of_the_own_file_has_every_setting(sstar, folder):
    """The user's own file may set addresses and files, too, and is read from where it is written."""
    assert sstar("init", "--own").code == 0
    place = folder / "config" / "sstar" / "sstar.toml"
    text = place.read_text()
    assert '#base-url = "http' in text
    place.write_text(re.sub(r"^#(?=[a-z-]+ = )", "", text, flags=re.MULTILINE))
    ended = sstar("ls")
    assert ended.code == 0, ended.err
    assert f"settings from {place}" in ended.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_that_shell(sstar, shell):
    """It asks the program what could follow; where the shell is installed, that shell takes it."""
    script = sstar("completion", shell).out
    assert "_SSTAR_COMPLETE" in script
    assert f"complete_{shell}" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_completion_of_another_shell(sstar):
    """The shells that there are."""
    ended = sstar("completion", "tcsh")
    assert (ended.code, "bash, zsh, fish" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "position", "expected"),
    [
        ("sstar ev", 1, ["eval"]),
        ("sstar eval --stra", 2, ["--strategy"]),
        ("sstar completion ", 2, ["bash", "zsh", "fish"]),
        ("sstar eval examples --sandbox ", 4, ["auto", "docker", "local", "unsafe"]),
        ("sstar eval li", 2, ["lists"]),
    ],
)
def test_tab_key(folder, words, position, expected):
    """Commands, options, and the values that are names."""
    code = "from sstar_code.agent.cli.main import main; main()"
    asked = {"_SSTAR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"], **asked},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.stdout.split() == expected, done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(("words", "code"), [("sstar ev", 0), ("sstar solve some-file", 1)])
def test_fish_is_told_whether_to_offer_files(folder, words, code):
    """Its script asks by the exit code whether there are names; without one it completes file names."""
    asked = {"_SSTAR_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": words}
    done = subprocess.run(
        [sys.executable, "-c", "from sstar_code.agent.cli.main import main; main()"],
        env={
            "PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"],
            "_TYPER_COMPLETE_FISH_ACTION": "is-args", **asked,
        },
        check=False,
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == code


def test_unknown_variable_is_told_with_the_near_one(sstar, monkeypatch):
    """A misspelt variable does nothing, and that is said; the command goes on."""
    monkeypatch.setenv("SSTAR_MODLE", "tiny")
    monkeypatch.setenv("SSTAR_ROW_MB", "300")
    monkeypatch.setenv("SSTAR_N", "4")
    ended = sstar("ls")
    assert ended.code == 0
    said = [line for line in ended.err.splitlines() if "means nothing here" in line]
    assert len(said) == 1
    assert "SSTAR_MODLE" in said[0]
    assert "'SSTAR_MODEL'" in said[0]
