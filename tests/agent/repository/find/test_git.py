"""Asking git without running what a repository names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sstar_code.agent.repository.find.git import list_by_git
from sstar_code.agent.repository.find.project_files import list_files, list_names

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a tracked, an untracked and an ignored file, and a way to call git in it."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    root = tmp_path / "root"
    root.mkdir()
    make(root)
    return root


def git(root, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "-C", root, *who, *words], check=True, capture_output=True)


def make(root, *words):
    git(root, "init", "-q", *words)
    for name in ("a.py", "b.py", "ignored.py", "local.py"):
        (root / name).write_text("pass\n")
    (root / ".gitignore").write_text("ignored.py\n")
    (root / ".git" / "info" / "exclude").write_text("local.py\n")
    git(root, "add", "a.py", ".gitignore")
    git(root, "commit", "-q", "-m", "x")


NAMES = [".gitignore", "a.py", "b.py"]


def commands(evil):
    """A configuration in which everything that can be a command is one."""
    return f"""
[core]
	fsmonitor = {evil}
	fsmonitorHookVersion = 2
	untrackedCache = true
	hooksPath = {evil.parent}
	pager = {evil}
	editor = {evil}
	sshCommand = {evil}
	askPass = {evil}
	attributesFile = {evil.parent}/attributes
	gitProxy = {evil}
[alias]
	ls-files = !{evil}
	ls = !{evil}
[pager]
	ls-files = {evil}
[filter "x"]
	clean = {evil}
	smudge = {evil}
	process = {evil}
	required = true
[diff]
	external = {evil}
[diff "x"]
	textconv = {evil}
	command = {evil}
[credential]
	helper = !{evil}
[gpg]
	program = {evil}
[uploadpack]
	packObjectsHook = {evil}
[include]
	path = {evil.parent}/more
[remote "origin"]
	url = ext::{evil}
	promisor = true
	uploadpack = {evil}
[extensions]
	partialClone = origin
	worktreeConfig = true
"""


@pytest.fixture
def evil(tmp_path):
    """A program that leaves a trace; the folder has hooks, attributes and a file to be included."""
    folder = tmp_path / "evil"
    folder.mkdir()
    trace = tmp_path / "trace"
    program = folder / "evil.sh"
    program.write_text(f"#!/bin/sh\necho $0 >> {trace}\nexit 1\n")
    program.chmod(0o755)
    for hook in ("post-index-change", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction"):
        shutil.copy(program, folder / hook)
    (folder / "attributes").write_text("* filter=x diff=x\n")
    (folder / "more").write_text(f"[core]\n\tfsmonitor = {program}\n")
    return program, trace


def test_nothing_of_the_configuration_runs(repository, evil):
    """Configuration, that of a work tree, attributes and hooks: the files are listed, and nothing ran."""
    program, trace = evil
    with (repository / ".git" / "config").open("a") as file:
        file.write(commands(program))
    (repository / ".git" / "config.worktree").write_text(commands(program))
    (repository / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")
    for hook in program.parent.iterdir():
        shutil.copy(hook, repository / ".git" / "hooks" / hook.name)
    (repository / ".gitattributes").write_text("* filter=x diff=x\n")
    (repository / "a.py").write_text("changed\n")
    assert list_files(repository) == [".gitattributes", *NAMES]
    assert not trace.exists()


def test_nothing_of_a_submodule_or_nested_repository_runs(repository, evil, tmp_path):
    """Their configuration is not read either."""
    program, trace = evil
    other = tmp_path / "other"
    other.mkdir()
    make(other)
    git(repository, "submodule", "add", "-q", str(other), "sub")
    (repository / "nested").mkdir()
    make(repository / "nested")
    for config in (".git/modules/sub/config", "nested/.git/config"):
        with (repository / config).open("a") as file:
            file.write(commands(program))
    assert list_files(repository) == [".gitignore", ".gitmodules", "a.py", "b.py"]
    assert list_files(repository / "sub") == [".gitignore", "a.py"]
    assert not trace.exists()


def test_environment_says_nothing_to_git(repository, evil, monkeypatch):
    """A hook's or a hostile shell's `GIT_...` changes neither the answer nor what runs."""
    program, trace = evil
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(program))
    monkeypatch.setenv("GIT_EXEC_PATH", str(program.parent))
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    assert list_files(repository) == NAMES
    assert not trace.exists()


def test_git_of_the_current_folder_is_not_run(repository, evil, monkeypatch):
    """PATH may begin with a dot."""
    program, trace = evil
    shutil.copy(program, repository / "git")
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    assert list_files(repository) == [*NAMES, "git"]
    assert not trace.exists()


@pytest.mark.parametrize("words", [(), ("--object-format=sha256",), ("--ref-format=files",)])
def test_kinds_of_repositories(tmp_path, words):
    """Hashes of either kind."""
    try:
        make(tmp_path, *words)
    except subprocess.CalledProcessError:
        pytest.skip(f"this git has no {words[0]}")
    assert list_files(tmp_path) == NAMES


def test_split_index_work_tree_and_ignored_files(repository, tmp_path):
    """An index in two parts, a second work tree, and the files that only `generated` wants."""
    git(repository, "update-index", "--split-index")
    assert list_files(repository) == NAMES
    git(repository, "worktree", "add", "-q", str(tmp_path / "second"))
    (tmp_path / "second" / "local.py").write_text("pass\n")
    assert list_files(tmp_path / "second") == [".gitignore", "a.py"]
    assert list(list_names(repository, generated=True)) == [*NAMES, "ignored.py", "local.py"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link"])
def test_index_that_is_no_file(repository, kind):
    """Nothing hangs: the folder is walked instead."""
    index = repository / ".git" / "index"
    index.unlink()
    {
        "pipe": lambda: os.mkfifo(index),
        "folder": index.mkdir,
        "device": lambda: index.symlink_to("/dev/zero"),
        "link": lambda: index.symlink_to("/proc/self/environ"),
    }[kind]()
    assert list_by_git(repository, "--cached") is None
    assert "a.py" in list_files(repository)


def test_mark_that_leads_nowhere(tmp_path):
    """A `.git` file that names no folder, one without end, and a pipe."""
    for make_mark in (
        lambda path: path.write_text("gitdir: nowhere\n"),
        lambda path: path.symlink_to("/dev/zero"),
        os.mkfifo,
    ):
        mark = tmp_path / ".git"
        make_mark(mark)
        assert list_by_git(tmp_path) is None
        mark.unlink()


def test_git_that_does_not_end_is_asked_once(repository, monkeypatch):
    """A pipe called `.gitignore` holds git up until its time is over: not once more for every question."""
    asked = []

    def wait(words, *_, timeout, **__):
        asked.append(words)
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(subprocess, "run", wait)
    assert [list_files(repository) for _ in range(3)] == [["a.py", "b.py", "ignored.py", "local.py"]] * 3
    assert len(asked) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_of_a_command_that_is_stopped_while_git_hangs(
    repository, tmp_path, monkeypatch, number
):
    """Neither git nor a temporary folder; what is left of one that was killed is removed by the next."""
    place, program = tmp_path / "place", tmp_path / "bin" / "git"
    place.mkdir()
    program.parent.mkdir()
    (started, told) = (tmp_path / "started", tmp_path / "pid")
    program.write_text(f"#!/bin/sh\necho $$ > {started}\nmv {started} {told}\nexec sleep 600\n")
    program.chmod(0o755)
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "TMPDIR": str(place)}
    words = [sys.executable, "-c", "from sstar_code.agent.cli.main import main; main()", "check", "."]
    process = subprocess.Popen(words, cwd=repository, env=environment, stderr=subprocess.PIPE)
    _wait_until(told.exists)
    git = int(told.read_text())
    assert list(place.iterdir())
    process.send_signal(number)
    process.communicate(timeout=180)
    if number == signal.SIGKILL:
        os.kill(git, signal.SIGKILL)
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        list_by_git(repository)
    else:
        assert process.returncode == 130
        _wait_until(lambda: not _runs(git))
    assert list(place.iterdir()) == []


def _runs(pid):
    try:
        with Path(f"/proc/{pid}/stat").open() as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until(condition):
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
