"""Hooks, action and workflows work as they are written: they parse, and what they name exists."""

from __future__ import annotations

import os
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from sstar_code.agent.cli.main import app
from tests.support import ROOT
from tests.support.documents import BLOCK, DOCS

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
TAG = f"v{VERSION}"
PAGE = DOCS / "repository" / "ci.md"
STAGES = {"pre-commit", "pre-push", "manual"}


def read(path: str):
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def blocks() -> dict[str, dict]:
    """Name -> content of the YAML files that the page shows; one without a name is GitLab's."""
    found = BLOCK.findall(PAGE.read_text("utf-8"))
    return {name or "gitlab": yaml.safe_load(body) for language, name, body in found if language == "yaml"}


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def understands(words: list[str]) -> bool:
    """Whether the program has the command and the command takes these options."""
    command = typer.main.get_command(app).commands[words[0]]
    command.make_context(words[0], words[1:], resilient_parsing=False)  # an unknown option raises
    return True


WORKFLOWS = [name for name in blocks() if name.startswith(".github/")]


def test_the_hooks_are_commands_of_the_program():
    """Each entry is a command with options that it has; each stage is one that pre-commit knows."""
    hooks = read(".pre-commit-hooks.yaml")
    assert {hook["id"] for hook in hooks} == {"sstar-check", "sstar-fix"}
    for hook in hooks:
        program, *words = shlex.split(hook["entry"])
        assert program == "sstar"
        assert understands(words)
        assert (hook["language"], hook["types"]) == ("python", ["python"])
        assert set(hook.get("stages", [])) <= STAGES


def test_the_documented_hooks_are_those_of_the_tag_of_this_version():
    """`rev` is the tag of the version, each id is a hook, and its arguments are options of its command."""
    (repo,) = blocks()[".pre-commit-config.yaml"]["repos"]
    entries = {hook["id"]: hook["entry"] for hook in read(".pre-commit-hooks.yaml")}
    assert repo["rev"] == TAG
    for hook in repo["hooks"]:
        _, *words = shlex.split(entries[hook["id"]])
        assert understands([*words, *hook.get("args", [])])


def test_every_stage_of_a_hook_is_explained():
    """`pre-commit install` alone sets up commits only: the page has the command for each other stage."""
    page = PAGE.read_text("utf-8")
    for stage in {stage for hook in read(".pre-commit-hooks.yaml") for stage in hook.get("stages", [])}:
        wanted = "--hook-stage manual" if stage == "manual" else f"pre-commit install --hook-type {stage}"
        assert wanted in page


def test_every_pin_is_the_version():
    """No document and no metadata names the tag of another release for installing."""
    assert str(read("CITATION.cff")["version"]) == VERSION
    page = PAGE.read_text("utf-8")
    assert page.count(f"OWNER/sstar@{TAG}") == page.count("OWNER/sstar@") >= 3


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_documented_workflow_is_whole(name):
    """It says when it runs and on what, checks out first, and gives the action only inputs that it has."""
    workflow, action = blocks()[name], read("action.yml")
    assert workflow[True]  # YAML 1.1 reads the key `on` so
    assert all(job["runs-on"] for job in workflow["jobs"].values())
    used = [step.get("uses", "") for step in steps(workflow)]
    assert used[0].startswith("actions/checkout@")
    (own,) = [step for step in steps(workflow) if step.get("uses", "").startswith("OWNER/")]
    assert set(own["with"]) <= set(action["inputs"])
    command = own["with"].get("command", "check")
    assert understands([command, *shlex.split(own["with"].get("arguments", ""))])
    files = {action["inputs"][key]["default"] for key in ("sarif", "junit", "patch")}
    for step in steps(workflow):
        given = step.get("with", {})
        assert {given[key] for key in ("sarif_file",) if key in given} <= files
        if step.get("uses", "").startswith("actions/upload-artifact@"):
            assert given["path"] in files
    if any("upload-sarif" in item for item in used):
        assert workflow["permissions"]["security-events"] == "write"


def test_the_gitlab_job_runs_a_command_of_the_program():
    """Its report is the file that the command writes."""
    job = blocks()["gitlab"]["sstar"]
    (command,) = [shlex.split(line) for line in job["script"] if line.startswith("sstar ")]
    assert understands(command[1:])
    assert job["artifacts"]["reports"]["junit"] == command[command.index("--junit") + 1]


def test_our_own_workflow_calls_what_is_run_everywhere():
    """`.ci/run` is there, can be executed, and is the last step; Python is that of the pinned releases."""
    workflow = read(".github/workflows/ci.yml")
    assert set(workflow[True]) == {"push", "pull_request"}
    assert shlex.split(steps(workflow)[-1]["run"])[-1] == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    (python,) = [step["with"]["python-version"] for step in steps(workflow) if "setup-python" in str(step)]
    assert f"The list is for Python {python}." in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("check", 1, "check --format github --sarif s --junit j --no-color -- a.py b*.py"),
        ("fix", 0, "fix --format github --sarif s --junit j --patch p --no-color -- a.py b*.py"),
        ("solve", 2, ""),
    ],
)
def test_the_steps_of_the_action(tmp_path, command, code, expected):
    """The shell of the last step gives the inputs to the command as they are, and hands its code on."""
    (tmp_path / "b1.py").touch()
    program = tmp_path / "sstar" / "bin" / "sstar"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/words\nexit {code}\n')
    program.chmod(0o755)
    first, last = read("action.yml")["runs"]["steps"]
    assert '"$GITHUB_ACTION_PATH"' in first["run"]
    inputs = dict.fromkeys(last["env"], "")
    assert set(last["env"].values()) == {f"${{{{ inputs.{name} }}}}" for name in read("action.yml")["inputs"]}
    inputs |= {"COMMAND": command, "FILES": "a.py b*.py", "ARGUMENTS": "--no-color"}
    inputs |= {"SARIF": "s", "JUNIT": "j", "PATCH": "p"}
    more = {
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "PATH": os.environ["PATH"],
    }
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", last["run"]]
    ended = subprocess.run(shell, cwd=tmp_path, env={**inputs, **more}, check=False, capture_output=True)
    assert ended.returncode == code
    if expected:
        assert (tmp_path / "words").read_text().strip() == expected
        assert (tmp_path / "output").read_text() == f"code={code}\n"
    else:
        assert not Path(tmp_path / "words").exists()
