"""Attacks that files bring: `attacks.jsonl` here, and those that SSTAR_ATTACKS names (paths, `:` between).

A line is a JSON object. Programs have `program`, `kind`, `tests` (as problems do), `allowed_verdicts`, and
where they differ from the default `entry_point`, `checker`, `time_limit_s`; each runs on all four levels of
isolation. Inputs for the host's side have `input`: `files` (path -> text, or `-> target` for a link, where
`/outside` stands for a folder that is not theirs; `answers` is what a model says, `=====` between two) and
`command`. What such a line allows is told in words, so every command is held to the same: no secret is told
to anybody, no file outside the folder is changed, no command of the folder is run, no control character is
printed, the memory is bounded, and the command ends with one of its exit codes.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from sstar_code.agent.testing.server import ServerDouble, chat
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.grade import run_tests
from tests.support import ROOT

_KEY = "sk-test-4f1c0a77d2"
_OUTSIDE = "this text stands outside"
_SECRETS = (_KEY, _OUTSIDE, "root:x:0:", "root:*:", "root:!:")
_LIMIT_S = 300
"""For the end of a command, and for nothing else: how long it takes says how busy the machine is."""
_MOST_MB = {"ls": 500, "validate": 500}
_MOST_MB_ELSE = 1000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_DEFAULTS = {
    "p.jsonl": '{"id": "a", "statement": "", "kind": "stdin", "hidden_tests": [{"input":"", "output":"1"}]}',
    "s.jsonl": '{"task_id": "a", "solution": "print(1)"}',
}
"""Files that a command may name and a row need not bring."""


def _read_rows():
    given = [Path(name) for name in os.environ.get("SSTAR_ATTACKS", "").split(":") if name]
    for file in (Path(__file__).with_name("attacks.jsonl"), *given):
        for line in file.read_text("utf-8").splitlines():
            yield json.loads(line)


_ROWS = list(_read_rows())
_PROGRAMS = [row for row in _ROWS if "program" in row and "input" not in row]
_INPUTS = [row for row in _ROWS if "input" in row]


def _named(rows):
    return [pytest.param(row, id=row["name"].replace("/", "-")) for row in rows]


@pytest.mark.parametrize("row", _named(_PROGRAMS))
def test_program_ends_as_allowed(attacked, row):
    """A hostile program gets no other verdict than the file allows, and leaves its worker as it was."""
    problem = Problem(
        id="attack",
        statement="",
        kind=Kind(row["kind"]),
        entry_point=row.get("entry_point"),
        checker=row.get("checker", "exact"),
        hidden_tests=tuple(
            Test(test.get("input", ""), test.get("output"), test.get("program")) for test in row["tests"]
        ),
        time_limit_s=row.get("time_limit_s", 5.0),
    )
    report = attacked.call(run_tests, attacked.sandbox, problem, row["program"], problem.hidden_tests)
    assert str(report.verdict) in row["allowed_verdicts"], report.results
    attacked.check_worker()


@contextmanager
def _listen(port, heard):
    """A service at a port that a file names; what reaches it goes to `heard`."""

    class Handler(StreamRequestHandler):
        timeout = 2

        def handle(self):
            heard.append(self.request.recv(65536))
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    ThreadingTCPServer.allow_reuse_address = True
    with ThreadingTCPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _lay_out(base, files):
    """The folder of a row, and what it must not touch: `outside` beside and above it, `victim.txt`."""
    (folder := base / "above" / "folder").mkdir(parents=True)
    for place in (base, base / "above"):
        for name in ("target.py", "precious.txt", "secret.txt", "secretdir/s2.txt"):
            path = place / "outside" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {_OUTSIDE}\ndef add(a, b):\n    raise NotImplementedError\n")
    for place in (base, base / "above", folder):
        (place / "victim.txt").write_text("as it was")
    for name, text in _DEFAULTS.items():
        (folder / name).write_text(text)
    pwned = str(base / "pwned")
    for name, given in files.items():
        path = Path(os.path.normpath(folder / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        text = given.replace("SCRATCH", pwned).replace("/tmp/PWNED", pwned)
        if text.startswith("-> "):
            target = text.removeprefix("-> ").strip()
            path.unlink(missing_ok=True)
            path.symlink_to(re.sub(r"^/outside", str(base / "outside"), target))
        else:
            path.write_text(text, encoding="utf-8", errors="surrogateescape")
            path.chmod(0o755 if text.startswith("#!") else 0o644)
    return folder


def _commands(row):
    """What the row runs of ours, a list of words each; what is told in words alone is no command."""
    for text in re.split(r";|&&", row["input"].get("command", "")):
        words = shlex.split(text)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words[:2] == ["git", "init"]:
            yield ["git", "init", "-q"]
        if words[:1] == ["pytest"]:
            yield [sys.executable, "-m", *words]
        if words[:1] != ["sstar"] or "&" in words or "/" in words or "report" in words:
            continue
        given = [word for word in words[2:] if word != "..."]
        for name in words[1].split("|"):
            if name in {"grade", "select"} and (
                "..." in words or all(word.startswith("-") for word in given)
            ):
                yield ["sstar", name, "jsonl:p.jsonl", "s.jsonl", *given]
            elif name in {"ls", "validate"} and not given:
                yield ["sstar", name, "jsonl:p.jsonl"]
            else:
                yield ["sstar", name, *given]


def _run(words, base, folder, environment):
    """Exit code, standard output and error, and the most memory of the command itself in MB."""
    if words[0] == "sstar":
        words = [sys.executable, "-c", "from sstar_code.agent.cli.main import main; main()", *words[1:]]
    (out, err) = (base / "stdout", base / "stderr")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        most_kb, deadline = 0, time.monotonic() + _LIMIT_S
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                break
            most_kb = max([most_kb, *map(int, re.findall(r"VmHWM:\s+(\d+)", status))])
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                pytest.fail(f"{words} does not end")
            time.sleep(0.05)
        process.wait()
    (told, errors) = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
    return process.returncode, told, errors, most_kb / 1024


def _written(base, before):
    """What files below `base` hold that were not there or have changed."""
    for path in base.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name not in {"stdout", "stderr"}:
            content = path.read_bytes()
            if before.get(path) != content:
                yield path, content


def _hold(words, code, told, errors, most_mb):
    """A command of ours ended well, told no secret, and printed no control character."""
    assert code in {0, 1, 2, 3}, (words, errors)
    assert "Traceback" not in errors, (words, errors)
    assert "unexpected" not in errors, (words, errors)
    assert code == 2 or "sandbox unsafe" not in errors, words
    assert not _CONTROL.search(told + errors), (words, told, errors)
    assert most_mb < _MOST_MB.get(words[1], _MOST_MB_ELSE), words
    for secret in _SECRETS:
        assert secret not in told + errors, words


def _hold_files(base, before, allowed):
    """No file was made or changed but in the `allowed` folders, none of them a victim, none with a secret."""
    for path, content in _written(base, before):
        assert any(folder in path.parents for folder in allowed), f"{path} was made or changed"
        assert path.name not in {"pwned", "victim.txt"}
        for secret in _SECRETS:
            assert secret.encode() not in content, path


@pytest.mark.parametrize("row", _named(_INPUTS))
def test_input_is_refused_or_harmless(tmp_path, row):
    """Whatever a folder holds, a command told to work on it keeps to the folder and tells no secret."""
    files = dict(row["input"].get("files", {}))
    if {"make", "program", "sql"} & set(files):
        pytest.skip("the file says how this one is made, not what it is")
    commands = list(_commands(row))
    if not any(words[0] == "sstar" for words in commands):
        pytest.skip("the file tells in words what is done")
    answers = files.pop("answers", "def add(a, b):\n    return a + b").split("=====")
    ports = {int(port) for text in files.values() for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}
    folder, home = _lay_out(tmp_path, files), tmp_path / "home"
    home.mkdir()
    heard: list[bytes] = []
    asked: list[str] = []

    def answer(body):
        asked.append(json.dumps(body))
        return chat(answers[len(asked) % len(answers)].strip("\n"))

    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(_listen(port, heard))
        server = stack.enter_context(ServerDouble(answer))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(home),
            "OPENAI_API_KEY": _KEY,
            # where a file names an address, nobody else does
            **({} if ports else {"OPENAI_BASE_URL": server.base_url}),
        }
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        for words in commands:
            code, told, errors, most_mb = _run(words, tmp_path, folder, environment)
            if words[0] == "sstar":
                _hold(words, code, told, errors, most_mb)
                assert code == 0 or "rc 0" not in row["allowed_verdicts"][0], (words, errors)
    assert not [request for request in heard if _KEY.encode() in request]
    assert not [request for request in asked if any(secret in request for secret in _SECRETS)]
    _hold_files(tmp_path, before, (folder, home))
