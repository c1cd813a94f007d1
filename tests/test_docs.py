"""What the documents show is what the program does."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted((ROOT / "docs" / "commands").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)[ ]?([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run(command: str, folder: Path, code: int = 0) -> str:
    words = shlex.split(command)
    assert words[0] == "sstar"
    sandbox = [] if words[1] in ("check", "doctor", "ls", "merge") else ["--sandbox", "local"]
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("SSTAR_", "OPENAI_"))
    }
    script = "from sstar_code.agent.cli.main import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", script, *words[1:], *sandbox],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == code, process.stderr
    return process.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_a_page_run(page, tmp_path, sandbox_local):
    """Every console block gives the output shown (`...` varies) and the exit code that it names, else 0."""
    shown = 0
    for language, name, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "console":
            command, _, expected = body.removeprefix("$ ").partition("\n")
            output = run(command, tmp_path, int(name or 0))
            assert doctest.OutputChecker().check_output(expected, output, FLAGS), f"{command}\n{output}"
            shown += 1
        elif name and name != "sstar.toml":
            (tmp_path / name).write_text(body, encoding="utf-8")
    assert shown or page.stem == "README"


def test_every_command_has_a_page():
    """A command without a page is not documented; a page without a command is stale."""
    import typer

    from sstar_code.agent.cli.main import app

    commands = set(typer.main.get_command(app).commands)
    assert {page.stem for page in PAGES} - {"README"} == commands


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=str
)
def test_links_lead_somewhere(page):
    """No relative link of a page is dead."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    dead = [target for target in targets if not (page.parent / target).exists()]
    assert dead == []


def test_readme_opens_with_the_two_commands():
    """The first screen shows how to run and how to test."""
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:20]
    assert any(line.strip().startswith("make demo") for line in first)
    assert any(line.strip().startswith("make test") for line in first)
