"""Candidates that attack the repository, the machine or the proof, on both sandboxes."""

from __future__ import annotations

import os
import socket
import sys
from functools import partial
from pathlib import Path

import pytest

from sstar_code.agent.repository.find.project_files import read_source
from sstar_code.agent.repository.find.stubs import find_stubs
from sstar_code.agent.repository.task.checks import Survey, find_checks, mark_open, survey
from sstar_code.agent.repository.task.problem import make_task
from sstar_code.agent.repository.verify.candidate_sandbox import CandidateSandbox
from sstar_code.agent.repository.verify.runner import RepositoryRunner
from sstar_code.problems.values import encode_lines
from sstar_code.sandbox.outcome import Limits, Mode, Program, Status

MODULE = '''def f(x: int) -> object:
    """Add one.

    >>> [f(1)]
    [2]
    """
    ...
'''
TESTS = (
    "from a import f\n\n\ndef test_f():\n    assert f(1) == 2\n\n\ndef test_again():\n    assert f(2) == 3\n"
)
REACHING = tuple(("tests/test_a.py", f"tests/test_a.py::{name}") for name in ("test_f", "test_again"))
HOSTILE = {
    "deletes the repository": "import shutil; shutil.rmtree(ROOT, True); shutil.rmtree(ROOT)",
    "edits the tests": "open(ROOT + '/tests/test_a.py', 'w').write('')",
    "edits itself": "import pathlib; pathlib.Path(__file__).write_text('')",
    "mounts": "import ctypes; x = 1 / (ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0)",
    "makes a namespace": "import os, ctypes; x = 1 / (ctypes.CDLL(None).unshare(0x10000000) == 0)",
    "reaches the network": "import socket; socket.create_connection(('127.0.0.1', PORT), 2).send(b'x')",
    "reaches the engine": "import socket; s = socket.socket(1); s.connect('/var/run/docker.sock')",
    "ends the process well": "import os; os._exit(0)",
    "skips": "import pytest; pytest.skip('no')",
    "expects to fail": "import pytest; pytest.xfail('no')",
    "ends pytest": "import pytest; pytest.exit('done', 0)",
    "kills its parent": "import os; os.kill(os.getppid(), 9); import time; time.sleep(1); x = 1 / 0",
    "writes to every descriptor": (
        "import os, json\n"
        "    line = json.dumps({'test': 'tests/test_a.py::test_f', 'status': 'OK'}) + chr(10)\n"
        "    for pid in ('self', os.getppid(), 1):\n"
        "        for fd in range(64):\n"
        "            try:\n"
        "                os.write(os.open(f'/proc/{pid}/fd/{fd}', os.O_WRONLY), line.encode())\n"
        "            except OSError:\n"
        "                pass\n"
        "            try:\n"
        "                pid == 'self' and os.write(fd, line.encode())\n"
        "            except OSError:\n"
        "                pass\n"
        "    raise RuntimeError"
    ),
}
SECRETS = (
    "import os, glob\n"
    "    seen = [dict(os.environ)]\n"
    "    found = glob.glob('/home/*/.ssh/*') + glob.glob('/proc/*/environ') + glob.glob('/root/*')\n"
    "    for name in PATHS + found:\n"
    "        try:\n"
    "            seen.append(open(name, errors='replace').read()[:4000])\n"
    "        except OSError:\n"
    "            pass\n"
    "    return repr(seen)"
)


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repo"
    (root / "tests").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "a.py").write_text(MODULE)
    (root / "tests" / "test_a.py").write_text(TESTS)
    (root / ".env").write_text("TOKEN=geheim-in-env-file")
    return root


def state(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


async def attack(sandbox, root, code, inputs, *, looks=False):
    """What the checks and calls of a candidate gave; `looks`: find out first which tests reach it."""
    async with RepositoryRunner(root, sys.executable, sandbox) as runner:
        (stub,) = find_stubs(read_source(root / "a.py"))
        runner.texts = {stub.source.path: mark_open(stub).source.data}
        seen = Survey({stub.label: REACHING})
        if looks:
            seen = await survey([stub], runner, [])
        task = make_task(stub, find_checks(stub, seen, root), root, "x")
        assert len(task.checks.tests) == 2
        candidates = CandidateSandbox(runner, fallback=sandbox)
        candidates.add(task)
        checks = await candidates.run(
            Program(code, Mode.ASSERT, preamble=task.mark), task.checks.texts, Limits()
        )
        calls = await candidates.run(
            Program(code, Mode.CALL, "f", preamble=task.mark), inputs, Limits(cpu_s=2.0)
        )
        return checks, calls


def candidate(body, **values):
    names = "".join(f"    {name} = {value!r}\n" for name, value in values.items())
    return f"def f(x):\n{names}    {body}\n" + ("" if "return" in body else "    return x + 1\n")


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_an_attack_changes_nothing_and_proves_nothing(sandbox_held, repository, body):
    """The repository stays, no connection arrives, and where the attack is refused its test does not pass."""
    before = state(repository)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        code = candidate(body, ROOT=str(repository), PORT=server.getsockname()[1])
        work = partial(attack, sandbox_held.sandbox, repository, code, [encode_lines([1])])
        checks, calls = sandbox_held.call(work)
        with pytest.raises(TimeoutError):
            server.accept()
    assert state(repository) == before
    assert Status.OK not in [run.status for run in (*checks, *calls)], checks


def test_secrets_are_not_seen(sandbox_held, repository, tmp_path, monkeypatch):
    """Neither the environment, nor the home folder, nor an ignored file with a token is in the room."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_rsa").write_text("geheim-in-ssh")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("OPENAI_API_KEY", "geheim-in-environment")
    paths = [
        str(home / ".ssh" / "id_rsa"),
        str(Path.home() / ".ssh" / "id_rsa"),
        str(repository / ".env"),
        "/etc/shadow",
    ]
    code = candidate(SECRETS, PATHS=paths)
    work = partial(attack, sandbox_held.sandbox, repository, code, [encode_lines([1])])
    _, (call,) = sandbox_held.call(work)
    assert call.status is Status.OK
    assert "geheim" not in (call.result or "")
    assert os.environ["OPENAI_API_KEY"] not in str(call)


def test_a_right_candidate_passes(sandbox_held, repository):
    """The same repository proves a right function, so the attacks failed for what they did."""
    work = partial(
        attack, sandbox_held.sandbox, repository, "def f(x): return x + 1", [encode_lines([4])], looks=True
    )
    checks, (call,) = sandbox_held.call(work)
    assert [run.status for run in checks] == [Status.OK] * 3
    assert call.result == "5"


def test_without_a_survey_nothing_is_proved_by_tests(repository):
    """Tests count for a function only where they were seen to reach it."""
    (stub,) = find_stubs(read_source(repository / "a.py"))
    assert find_checks(stub, Survey({}), repository).tests == ()
