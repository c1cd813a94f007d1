"""The command as its user meets it: in process or as a process, on a small problem, with a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from sstar_code.agent.cli.main import main
from sstar_code.agent.testing.server import ServerDouble, chat
from tests.support import ROOT

DOUBLE = {
    "id": "double",
    "statement": "Read an integer and print twice its value.",
    "kind": "stdin",
    "public_tests": [{"input": "2\n", "output": "4"}],
    "hidden_tests": [{"input": "5\n", "output": "10"}],
}
RIGHT = "```python\nprint(int(input()) * 2)\n```"
PUBLIC_ONLY = "```python\nprint(int(input()) ** 2)\n```"
WRONG = "```python\nprint(int(input()) + 100)\n```"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one object on stdout."""
        return json.loads(self.out)


def _clean(environment):
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("SSTAR_", "OPENAI_", "DOCKER_", "FORCE_COLOR"))
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, and no setting from outside; `config` in it has the user's own."""
    for name in set(os.environ) - set(_clean(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sstar(folder, capsys):
    """Call the command in process: `sstar("eval", ...) -> Ended`."""

    def run(*words) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def spawn(folder):
    """Start the command as a process in a group of its own; whatever is left of it is ended with the test."""
    with ExitStack() as cleaning:

        def start(*words, program="from sstar_code.agent.cli.main import main; main()", **options):
            environment = {**_clean(os.environ), **options.pop("env", {})}
            process = subprocess.Popen(
                [sys.executable, "-c", program, *(str(word) for word in words)],
                **{
                    "stdout": subprocess.PIPE,
                    "stderr": subprocess.PIPE,
                    "text": True,
                    "start_new_session": True,
                    "cwd": folder,
                    **options,
                },
                env={"PYTHONPATH": str(ROOT / "src"), **environment},
            )
            cleaning.enter_context(process)
            cleaning.callback(process.kill)
            return process

        yield start


@pytest.fixture
def serve():
    """Start a server of the chat API; `respond` is a function of the request body, or the one answer."""
    with ExitStack() as servers:

        def start(respond=RIGHT, **options) -> ServerDouble:
            answer = (lambda _: chat(respond)) if isinstance(respond, str) else respond
            return servers.enter_context(ServerDouble(answer, **options))

        yield start


@pytest.fixture
def write_set(folder):
    """Write problems (default: one, `double`) to a file; gives SET."""

    def write(*problems, name="problems.jsonl"):
        rows = problems or (DOUBLE,)
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return f"jsonl:{name}"

    return write


@pytest.fixture
def isolated(sandbox_local):
    """Skips where programs cannot be isolated without an engine; gives the words that choose that sandbox."""
    return ("--sandbox", "local", "--workers", "2")
