"""Host-side inputs that a file of attacks tells in other words than files and a command of ours.

`make` is a Python program that makes the files, or expressions, each the content of the file that the command
names; `sql` is done to the store of a finished run before the command; `program` is a Python program that
does all by itself (`from h import *` gives it sandboxes); `& kill -9` ends the owner of a command; `eval ...`
is a run with its report. Such a program runs as who runs the tests: read a file before you name it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sstar_code.agent.testing.server import ServerDouble, chat
from tests.attacks.files.inputs import (
    INPUTS,
    SECRETS,
    hold_command,
    is_told_in_words,
    lay_out,
    list_commands,
    make_environment,
    named,
    run_command,
)
from tests.support import ROOT, list_children
from tests.support.small_run import make_small_run

_ALIASES = """
import importlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for old, new in {"agent": "agent", "problems": "problems", "sandbox": "sandbox", "selection": "selection",
                 "agent.prompting": "agent.prompts.templates"}.items():
    sys.modules[old] = importlib.import_module(f"sstar_code.{new}")
"""
"""Programs written for an earlier layout find today's packages, and not all of the machine's memory."""
_HARNESS = """
import anyio, os
from sstar_code.sandbox import Limits, Program
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.local.sandbox import LocalSandbox
def make(name): return DockerSandbox(1) if name == "docker" else LocalSandbox(1)
async def raw(sandbox, code, inputs=("",), **limits):
    return await sandbox.run(Program(code), list(inputs), Limits(**limits))
def show(runs):
    for run in runs: print(run.status, run.stdout[:200], run.failure)
"""
_HOST_PARSER = "__import__('sstar_code.problems.python_source', fromlist='x').parse_python(s)"
"""The parser by which the host reads what others wrote."""
_LONG_S = 3600
"""For hundreds of hostile programs on a machine that does other things."""
_ROWS = [row for row in INPUTS if is_told_in_words(row)]


def _having(*keys):
    return [row for row in _ROWS if set(keys) & set(row["input"].get("files", {}))]


def _make_text(piece):
    """The text of an expression in words: literals, and texts so many times."""
    tree = ast.parse(piece.strip(), mode="eval").body
    for node in ast.walk(tree):
        for name, item in ast.iter_fields(node):
            items = item if isinstance(item, list) else [item]
            made = [_multiply(part) if isinstance(part, ast.BinOp) else part for part in items]
            setattr(node, name, made if isinstance(item, list) else made[0])
    value = ast.literal_eval(_multiply(tree) if isinstance(tree, ast.BinOp) else tree)
    return value if isinstance(value, str) else json.dumps(value)


def _multiply(node):
    return ast.Constant(ast.literal_eval(node.left) * ast.literal_eval(node.right))


def _run_python(source, base, folder, *words):
    (script := base / "script.py").write_text(source)
    environment = make_environment(base / "home", PYTHONPATH=f"{ROOT / 'src'}:{base}")
    return run_command([sys.executable, str(script), *words], base, folder, environment)


def _hold_output(told, errors):
    for secret in (*SECRETS, "uid=0"):
        assert secret not in told + errors


@pytest.mark.parametrize("row", named(_having("make")))
def test_made_files_are_refused_or_harmless(tmp_path, row):
    """Files that a program or an expression makes are refused in one line, or do no harm."""
    files = dict(row["input"]["files"])
    make = files.pop("make")
    folder = lay_out(tmp_path, {} if "import " in make else files)
    environment = make_environment(tmp_path / "home")
    if "import " not in make:
        (words,) = list_commands(row)
        name = words[-1].rpartition(":")[2]
        for piece in make.split(";"):
            (folder / name).write_text(_make_text(piece))
            code, told, errors, most_mb = run_command(words, tmp_path, folder, environment)
            hold_command(words, code, told, errors, most_mb)
            assert (code, errors.count("\n")) == (2, 1), errors
        return
    source = _ALIASES + make.replace("SCRATCH", str(folder))
    code, told, errors, _ = _run_python(source, tmp_path, folder)
    assert code == 0, errors
    _hold_output(told, errors)
    assert not re.search(r"<(?:class|function|module|built-in)|__globals__'", told), told
    for given in list_commands(row):
        words = [*given, "--out", "out"]
        code, told, errors, most_mb = run_command(words, tmp_path, folder, environment, _LONG_S)
        hold_command(words, code, told, errors, most_mb)
        verdicts = [json.loads(line)["verdict"] for line in (folder / "out/verdicts.jsonl").open()]
        pairs = list(zip((folder / "kind").read_text(), verdicts, strict=True))
        assert {verdict for kind, verdict in pairs if kind == "g"} == {"AC"}
        assert not {verdict for kind, verdict in pairs if kind == "h"} & {"AC", "IE"}


@pytest.mark.parametrize("row", named(_having("sql")))
def test_a_store_that_was_tampered_with_is_one_line(tmp_path, row):
    """A report of it ends soon, with a page that runs nothing or a line that says what is wrong."""
    folder = lay_out(tmp_path, {})
    make_small_run(folder / "RUN")
    sql = row["input"]["files"]["sql"]
    with closing(sqlite3.connect(folder / "RUN/run.db")) as database:
        if sql.split()[0].lower() in {"update", "insert", "delete", "create", "drop", "alter"}:
            database.executescript(sql)
        else:
            table = sql.split()[0]
            columns = [found[1] for found in database.execute(f"PRAGMA table_info({table})")]
            numbers = ", ".join(f"n AS {column}" for column in columns)
            database.executescript(
                f"DROP TABLE {table}; CREATE VIEW {table} AS WITH RECURSIVE r(n) AS "
                f"(SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT {numbers} FROM r"
            )
        database.commit()
    words = ["sstar", "report", "RUN"]
    code, told, errors, most_mb = run_command(words, tmp_path, folder, make_environment(tmp_path / "home"))
    hold_command(words, code, told, errors, most_mb)
    assert code == 2, errors
    assert errors.splitlines()[-1].startswith("sstar: RUN/run.db: "), errors


@pytest.mark.slow  # hundreds of runs
@pytest.mark.parametrize("row", named(row for row in _having("program") if "program" not in row))
def test_program_of_the_host_ends_well(tmp_path, row):
    """What a program tries around a sandbox, or on the host's own parser, ends neither."""
    program = row["input"]["files"]["program"].replace("SCRATCH", str(tmp_path / "made"))
    (tmp_path / "h.py").write_text(_HARNESS)
    backend = "root" if os.geteuid() == 0 else "user"
    source = program.replace("ast.parse(s)", _HOST_PARSER)
    before_mb = _read_kernel_mb()
    code, told, errors, _ = _run_python(source, tmp_path, tmp_path, backend)
    assert code == 0, errors
    _hold_output(told, errors)
    assert "TIMEOUT" not in told
    assert not re.search(r" {2}-\d+ ", told), told  # ended by a signal
    assert _read_kernel_mb() < before_mb + 150


def _read_kernel_mb():
    found = re.search(r"^SUnreclaim:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0


@pytest.mark.slow  # the hostile examples take their time
@pytest.mark.parametrize("row", named(row for row in _ROWS if "& kill -9" in row["input"].get("command", "")))
def test_nothing_outlives_a_killed_command(tmp_path, row):
    """Processes end with the owner of their room, however that ended."""
    folder = lay_out(tmp_path, dict(row["input"]["files"]))
    main = "from sstar_code.agent.cli.main import main; main()"
    words = [sys.executable, "-c", main, *row["input"]["command"].partition("&")[0].split()[1:]]
    environment = make_environment(tmp_path / "home")
    owner = subprocess.Popen([*words, "--sandbox", "local"], cwd=folder, env=environment)
    deadline_s = time.monotonic() + 120
    while len(started := _list_descendants(owner.pid)) < 3 and owner.poll() is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    while left := [pid for pid, began in started.items() if _read_start(pid) == began]:
        assert time.monotonic() < deadline_s + 180, left
        time.sleep(0.2)


def _read_start(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _list_descendants(pid):
    """Numbers of processes below `pid`, each with its start: a number may be given again."""
    found, waiting = {}, [pid]
    while waiting:
        one = waiting.pop()
        children = list_children(one)
        found |= {child: _read_start(child) for child in children}
        waiting += children
    return found


class _Page(HTMLParser):
    """What of a page would run: elements with handlers, and scripts that are no data."""

    def __init__(self):
        super().__init__()
        self.runs = []
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        self.runs += [(tag, name) for name, _ in attrs if name.startswith("on")]
        self._in_script = tag == "script" and "json" not in str(dict(attrs).get("type"))

    def handle_data(self, data):
        self.runs += [("script", data[:80])] if self._in_script and "alert(" in data else []


@pytest.mark.parametrize("row", named(row for row in _ROWS if "eval ..." in row["input"].get("command", "")))
def test_a_report_runs_nothing_of_others(tmp_path, row):
    """Markup in ids, statements, programs and outputs is text in the page of a run."""
    files = dict(row["input"]["files"])
    answers = files.pop("answers").split("=====")
    folder, asked = lay_out(tmp_path, files), []

    def answer(body):
        asked.append(body)
        return chat(answers[len(asked) % len(answers)])

    with ServerDouble(answer) as server:
        environment = make_environment(tmp_path / "home", OPENAI_BASE_URL=server.base_url)
        words = ["sstar", "eval", "jsonl:p.jsonl", "-m", "tiny", "--n", "4", "--rounds", "0", "--out", "run"]
        code, told, errors, most_mb = run_command(words, tmp_path, folder, environment)
    hold_command(words, code, told, errors, most_mb)
    assert code == 0, errors
    page = _Page()
    page.feed((folder / "run/report.html").read_text())
    assert page.runs == []
