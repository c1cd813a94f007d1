"""The commands of the benchmarks start, and their page names each of them."""

from __future__ import annotations

import re
import runpy
import sys

import pytest

from tests.support import ROOT

COMMANDS = sorted(
    path
    for path in (ROOT / "benchmarks").rglob("*.py")
    if "\n    python -m benchmarks." in path.read_text("utf-8")
    or '\nif __name__ == "__main__":' in path.read_text("utf-8")
)
INSIDE = {"evaluate.py", "null_server.py", "official.py", "official_inputs.py", "upstream.py"}
"""Started by another one, as compare.py does with the interpreter of another project."""


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path.name not in INSIDE], ids=name_of)
def test_every_command_answers_help(path, monkeypatch, capsys):
    """`--help` names the command's arguments and ends at once."""
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_the_page_names_every_command_and_no_other():
    """benchmarks/README.md has a row for each command."""
    page = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    named = re.findall(r"^\| `([\w.]+)`", page, re.MULTILINE)
    known = [name_of(path).removeprefix("benchmarks.") for path in COMMANDS if path.name not in INSIDE]
    assert sorted(named) == sorted(known)
