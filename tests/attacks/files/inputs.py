"""Rows of attack files, and how inputs for the host's side are laid out, run and held to what is promised."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.support import ROOT

KEY = "sk-test-4f1c0a77d2"
OUTSIDE = "this text stands outside"
SECRETS = (KEY, OUTSIDE, "root:x:0:", "root:*:", "root:!:")
LIMIT_S = 300
"""For the end of a command, and for nothing else: how long it takes says how busy the machine is."""
_MOST_MB_OF = {"ls": 500, "validate": 500}
MOST_MB = 1000
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
PROGRAMS = [row for row in _ROWS if "program" in row and "input" not in row]
INPUTS = [row for row in _ROWS if "input" in row]


def named(rows):
    return [pytest.param(row, id=row["name"].replace("/", "-")) for row in rows]


@contextmanager
def listen(port, heard):
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


def lay_out(base, files):
    """The folder of a row, and what it must not touch: `outside` beside and above it, `victim.txt`."""
    (folder := base / "above" / "folder").mkdir(parents=True)
    for place in (base, base / "above"):
        for name in ("target.py", "precious.txt", "secret.txt", "secretdir/s2.txt"):
            path = place / "outside" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {OUTSIDE}\ndef add(a, b):\n    raise NotImplementedError\n")
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


def list_commands(row):
    """What the row runs of ours, a list of words each; what is told in words alone is no command."""
    for text in re.split(r";|&&", row["input"].get("command", "")):
        words = shlex.split(text)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words[:2] == ["git", "init"]:
            yield ["git", "init", "-q"]
        if words[:1] == ["pytest"]:
            yield [sys.executable, "-m", *words]
        if words[:1] != ["sstar"] or {"&", "/", "report", "eval ..."} & {*words, " ".join(words[1:])}:
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


def make_environment(home, **more):
    """What commands of ours find: a key, a home of their own, nothing of the tester's."""
    home.mkdir(exist_ok=True)
    own = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "OPENAI_API_KEY": KEY,
    }
    return own | more


def is_told_in_words(row):
    """Whether the row says how its files are made, or what is done to a run, and not files and a command."""
    files = set(row["input"].get("files", {}))
    commands = [words for words in list_commands(row) if words[0] == "sstar"]
    return bool({"make", "program", "sql"} & files) or not commands


def run_command(words, base, folder, environment, limit_s=LIMIT_S):
    """Exit code, standard output and error, and the most memory of the command itself in MB."""
    if words[0] == "sstar":
        words = [sys.executable, "-c", "from sstar_code.agent.cli.main import main; main()", *words[1:]]
    (out, err) = (base / "stdout", base / "stderr")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        most_kb, deadline = 0, time.monotonic() + limit_s
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


def hold_command(words, code, told, errors, most_mb):
    """A command of ours ended well, told no secret, and printed no control character."""
    assert code in {0, 1, 2, 3}, (words, errors)
    assert "Traceback" not in errors, (words, errors)
    assert "unexpected" not in errors, (words, errors)
    assert code == 2 or "sandbox unsafe" not in errors, words
    assert not _CONTROL.search(told + errors), (words, told, errors)
    assert most_mb < _MOST_MB_OF.get(words[1], MOST_MB), words
    for secret in SECRETS:
        assert secret not in told + errors, words


def hold_files(base, before, allowed):
    """No file was made or changed but in the `allowed` folders, none of them a victim, none with a secret."""
    for path, content in _written(base, before):
        assert any(folder in path.parents for folder in allowed), f"{path} was made or changed"
        assert path.name not in {"pwned", "victim.txt"}
        for secret in SECRETS:
            assert secret.encode() not in content, path
