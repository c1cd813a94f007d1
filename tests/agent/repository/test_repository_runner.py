"""Where a repository's code runs, and what is said when that ends under it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sstar_code.agent.repository.verify.interpreter import find_python
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.problems import InfrastructureError, UserError
from sstar_code.sandbox.repository import RepositoryLostError

MODULE = 'def f(x):\n    """Add one.\n\n    >>> f(1)\n    2\n    """\n    return x + 1\n'
ANSWER = {"outcomes": [["2\n", ""]], "status": "OK"}


class Inside:
    """Stands for the process inside: gets ready, then answers or ends."""

    def __init__(self, *, ends, starts=True) -> None:
        self.ends = ends
        self.starts = starts
        self.killed = False
        self._replies = []

    def start(self):
        if not self.starts:
            raise ConnectionResetError("the container is not attached")

    def send(self, data):
        request = json.loads(data)
        if "do" not in request:
            self._replies.append({"ready": "3.11.0"})
        elif not self.ends:
            self._replies += [ANSWER, {"done": True}]

    def receive(self, timeout_s):
        assert timeout_s > 0
        replies, self._replies = self._replies, []
        return b"".join(json.dumps(item).encode() + b"\n" for item in replies)

    def log(self):
        return "Traceback\nOSError: [Errno 28] No space left on device\n"

    def kill(self):
        self.killed = True


class Holder:
    """A sandbox that holds the repository in the workers given, one after the other."""

    name = "docker"

    def __init__(self, *insides) -> None:
        self.left = list(insides)

    def make_repository_worker(self, repository):
        assert repository.root.is_dir()
        return self.left.pop(0)


@pytest.fixture
def module(tmp_path, monkeypatch):
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "a.py").write_text(MODULE)
    monkeypatch.chdir(root)
    return root / "a.py"


async def ask(root, holder):
    async with RepositoryRunner(root, sys.executable, holder) as runner:
        return await runner.ask({}, {"do": "examples"}, 1.0)


@pytest.mark.anyio
@pytest.mark.parametrize("first", [{"ends": True}, {"ends": False, "starts": False}])
async def test_one_new_sandbox_is_tried(module, first):
    """Where the process inside ends, or does not start, the same is asked once more in a new one."""
    insides = [Inside(**first), Inside(ends=False)]
    assert await ask(module.parent, Holder(*insides)) == [ANSWER]
    assert [inside.killed for inside in insides] == [True, True]


@pytest.mark.anyio
async def test_a_second_loss_is_an_infrastructure_failure(module):
    """The message has the last line of standard error and what to do; a third one is not started."""
    holder = Holder(*(Inside(ends=True) for _ in range(3)))
    with pytest.raises(RepositoryLostError) as caught:
        await ask(module.parent, holder)
    assert isinstance(caught.value, InfrastructureError)
    assert "OSError: [Errno 28] No space left on device" in str(caught.value)
    assert "with another --sandbox" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(holder.left) == 1


@pytest.mark.usefixtures("sandbox_local", "module")
@pytest.mark.parametrize("words", [("--examples",), ("--tests", "a.py")])
def test_the_command_says_that_the_sandbox_was_lost(fix, monkeypatch, words):
    """Exit code 3 and one line, not a report of an unexpected error."""
    where = "sstar_code.sandbox.local.sandbox.LocalSandbox.make_repository_worker"
    monkeypatch.setattr(where, lambda *_: Inside(ends=True))
    more = ("--sandbox", "local", "--python", sys.executable, "a.py")
    ended = fix({}, *words, *more, command="check")
    assert ended.code == 3
    assert "No space left on device" in ended.err
    assert "unexpected" not in ended.err


def write_script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(monkeypatch):
    """No active environment, and this program installed somewhere else."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.prefix", "/nowhere/env")


@pytest.mark.usefixtures("bare")
def test_a_shim_leads_to_the_interpreter_that_it_starts(tmp_path, monkeypatch):
    """A script named python3, as pyenv's, is asked for the repository's version, outside the repository."""
    seen, root = tmp_path / "seen", tmp_path / "repo"
    root.mkdir()
    (root / ".python-version").write_text("3.12\n")
    shim = write_script(
        tmp_path / "shims" / "python3", f'echo $(pwd) $PYENV_VERSION > {seen}\nexec {sys.executable} "$@"'
    )
    monkeypatch.setenv("PATH", f"{shim.parent}:/usr/bin:/bin")
    assert find_python(root) == sys.executable
    assert seen.read_text() == "/ 3.12\n"
    assert find_python(root, "python3") == sys.executable
    (root / ".python-version").write_text("../../evil\n")
    assert find_python(root, str(shim)) == sys.executable
    assert seen.read_text() == "/\n"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("text", ["exit 127", "echo /nowhere/python", "echo /tmp"])
def test_a_shim_that_starts_nothing_is_passed_over(tmp_path, monkeypatch, text):
    """The next interpreter on PATH is taken; one that was asked for by name is an error that says so."""
    shim = write_script(tmp_path / "shims" / "python3", text)
    real = tmp_path / "bin" / "python3"
    real.parent.mkdir()
    real.symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setenv("PATH", f"{shim.parent}:{real.parent}:/bin")
    assert find_python(tmp_path / "repo") == str(real)
    with pytest.raises(UserError, match="starts no interpreter"):
        find_python(tmp_path / "repo", str(shim))


@pytest.mark.usefixtures("bare")
def test_an_environment_of_the_repository_comes_first(tmp_path, monkeypatch):
    """Then the active one, then PATH; that of this program itself is taken last."""
    made = []
    for name in ("repo/.venv", "repo/env", "active", "path"):
        python = tmp_path / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(os.path.realpath(sys.executable))
        made.append(python)
        home = Path(os.path.realpath(sys.executable)).parent
        (tmp_path / name / "pyvenv.cfg").write_text(f"home = {home}\n")
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        (tmp_path / name / "lib" / version / "site-packages").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(made[3].parent))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    for python in made:
        assert find_python(tmp_path / "repo") == str(python)
        python.unlink()
    assert find_python(tmp_path / "repo") == sys.executable


@pytest.mark.usefixtures("bare")
def test_the_environment_of_this_program_is_taken_last(tmp_path, monkeypatch):
    """Active or on PATH, it is passed over where another interpreter is found."""
    own = tmp_path / "own" / "bin" / "python3"
    other = tmp_path / "other" / "bin" / "python"
    for path in (own, other):
        path.parent.mkdir(parents=True)
        path.symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "own"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "own"))
    monkeypatch.setenv("PATH", f"{own.parent}:{other.parent}")
    assert find_python(tmp_path / "repo") == str(other)
    assert Path(other).is_symlink(), "the link is what leads to its packages"
