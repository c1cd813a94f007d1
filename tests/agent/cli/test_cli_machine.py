"""The command on a machine that does not cooperate: closed pipes, full disks, no engine, no terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from sstar_code import problems, sandbox
from sstar_code.agent import models
from sstar_code.agent.run.store import Store
from sstar_code.agent.testing.server import chat
from sstar_code.sandbox.docker.container import OWNER_LABEL
from tests.support import ROOT

RIGHT = "```python\nprint(int(input()) * 2)\n```"
HEAVY = ("openai", "docker", "jinja2", "httpx2", "tenacity", "anyio", "sqlite3", "pydantic_core.core_schema")
OURS = tuple(
    f"sstar_code.{name}"
    for name in (
        "selection",
        "sandbox.outcome",
        "sandbox.choose",
        "problems.sets.load",
        "agent.models.choose",
    )
)
UNUSED_BY_HELP = (*HEAVY[:4], "rich", "anyio", "asyncio", "statistics", *OURS)


@pytest.fixture
def samples(folder, write_set):
    """The words that grade a right and a wrong sample."""
    rows = [{"task_id": "double", "solution": code} for code in ("print(int(input()) * 2)", "print(1)")]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["grade", write_set(), "samples.jsonl"]


@pytest.mark.parametrize("word", ["--help", "--version", "eval --help"])
def test_help_imports_nothing_heavy(word):
    """What a command may need is imported when it runs, not when it is described."""
    code = (
        "import atexit, sys; from sstar_code.agent.cli.main import main; "
        "atexit.register(lambda: "
        f"print(*[name for name in {UNUSED_BY_HELP!r} if name in sys.modules], file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *word.split()], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "sstar" in done.stdout
    assert done.stderr == "\n"


def test_the_package_is_a_command():
    """`python -m sstar_code` is `sstar`, and a name of a package that is not there is an AttributeError."""
    words = [sys.executable, "-m", "sstar_code", "-V"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.startswith("sstar ")
    for package in (problems, models, sandbox):
        assert all(getattr(package, name) for name in package.__all__)
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            package.nothing  # noqa: B018


def test_reader_that_leaves_early_is_no_fault(spawn, samples, isolated, folder):
    """`sstar ... | head -1`: no traceback and no complaint; what was written is there."""
    reading, writing = os.pipe()
    process = spawn(*samples, "--out", "run", *isolated, stdout=writing)
    os.close(writing)
    os.close(reading)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "rror" not in err
    assert len((folder / "run" / "verdicts.jsonl").read_text().splitlines()) == 2


def test_help_to_a_closed_pipe(spawn):
    """The same for help, which the command-line library prints."""
    reading, writing = os.pipe()
    process = spawn("--help", stdout=writing)
    os.close(writing)
    os.close(reading)
    _, err = process.communicate(timeout=180)
    assert err == ""


def test_stdout_that_cannot_hold_a_character(spawn, serve, folder, isolated):
    """A program with letters that the output's encoding lacks is printed escaped, also lone surrogates."""
    (folder / "task.md").write_text("Print 1.")
    server = serve('```python\nx = "\u00e9\ud800"\nprint(1)\n```')
    words = ["solve", "task.md", "-m", "tiny", "--base-url", server.base_url, "--n", "1", *isolated]
    out, err = spawn(*words, env={"PYTHONIOENCODING": "ascii"}).communicate(timeout=180)
    assert out.startswith('x = "\\xe9'), err
    assert compile(out, "out", "exec")


def run_in_terminal(spawn, words, env):
    """What the command writes to a terminal on stderr, and its stdout."""
    master, slave = pty.openpty()
    process = spawn(*words, stderr=slave, env={"TERM": "xterm-256color", **env})
    os.close(slave)
    seen = b""
    while True:
        try:
            block = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        seen += block
    os.close(master)
    out, _ = process.communicate(timeout=180)
    return out, seen.decode()


def test_terminal_gets_a_bar_and_stdout_stays_clean(spawn, samples, isolated):
    """Progress is drawn on the terminal of stderr; stdout holds results without control codes."""
    out, seen = run_in_terminal(spawn, [*samples, *isolated], {})
    assert "\x1b[" in seen
    assert out.startswith("2 samples of 1 problems: AC 1  WA 1\n")
    assert "\x1b" not in out


def test_no_color_is_respected(spawn, samples, isolated):
    """With NO_COLOR nothing on the terminal is coloured."""
    _, seen = run_in_terminal(spawn, [*samples, *isolated], {"NO_COLOR": "1"})
    assert "\x1b[3" not in seen
    assert "\x1b[1;3" not in seen


def test_json_is_one_object_and_nothing_else(sstar, samples, isolated, serve):
    """Each command that takes `--json` prints one line that is one object."""
    model = ["-m", "tiny", "--base-url", serve(RIGHT).base_url]
    for words in (
        [*samples, *isolated],
        ["select", *samples[1:], "--no-model", "--method", "first", *isolated],
        ["eval", samples[1], *model, "--n", "1", *isolated],
        ["solve", samples[1] + "#double", *model, "--n", "1", *isolated],
        ["doctor", *model],
    ):
        ended = sstar(*words, "--json")
        assert len(ended.out.splitlines()) == 1, ended.out
        assert isinstance(ended.json, dict)


@pytest.mark.parametrize("command", ["grade", "eval", "solve", "select"])
def test_engine_not_running(sstar, samples, serve, monkeypatch, command):
    """`--sandbox docker` without an engine: exit 3 and what to do, before a model is paid for."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    server = serve(RIGHT)
    words = {"grade": samples, "select": ["select", *samples[1:]], "eval": ["eval", samples[1]]}
    words["solve"] = ["solve", samples[1] + "#double"]
    model = ["-m", "tiny", "--base-url", server.base_url] if command != "grade" else []
    ended = sstar(*words[command], *model, "--sandbox", "docker")
    assert (ended.code, ended.out) == (3, "")
    last = ended.err.splitlines()[-1]
    assert last.startswith("sstar: ")
    assert "unix:///nonexistent.sock" in last or "/nonexistent.sock" in last
    assert "--sandbox local" in last
    assert server.received == []


@pytest.mark.docker
def test_image_missing(sstar, samples, monkeypatch, sandbox_docker):
    """An engine without our image: exit 3 and the command that makes it."""
    monkeypatch.setattr(
        "sstar_code.sandbox.image.build.image_tag", lambda *_, **__: "sstar-sandbox:never-built"
    )
    ended = sstar(*samples, "--sandbox", "docker")
    assert (ended.code, ended.out) == (3, "")
    assert "sstar-sandbox:never-built is missing: run `make image`" in ended.err.splitlines()[-1]
    fallen_back = sstar(*samples)
    assert fallen_back.code == 0
    assert "sandbox local: Docker answers, but" in fallen_back.err


@pytest.mark.docker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_container_outlives_the_command(spawn, serve, write_set, number, sandbox_docker):
    """However the command ends, its containers end too."""
    import docker

    server = serve(lambda _: chat(RIGHT, delay_s=0.2))
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "40"]
    process = spawn(*words, "--max-in-flight", "1", "--sandbox", "docker")

    def containers():
        engine = docker.from_env()
        try:
            found = engine.containers.list(filters={"label": OWNER_LABEL}, ignore_removed=True)
            return [item for item in found if item.labels[OWNER_LABEL].startswith(f"{process.pid}:")]
        finally:
            engine.close()

    wait_until(lambda: len(server.received) >= 3)
    assert containers()
    process.send_signal(number)
    process.communicate(timeout=180)
    assert process.returncode == (130 if number is signal.SIGINT else -number)
    wait_until(lambda: not containers())


def wait_until(condition, timeout_s=180.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_folder_in_use(sstar, samples, isolated, folder):
    """Two commands never write into one folder at once: the second says so and changes nothing."""
    words = [*samples, "--out", "run", *isolated]
    assert sstar(*words).code == 0
    with closing(Store(folder / "run" / "run.db")):
        ended = sstar(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "run: another sstar is working in this folder" in ended.err.splitlines()[-1]


def test_auto_says_what_it_took(sstar, samples, monkeypatch, sandbox_local):
    """`auto` without an engine takes `local` and says why."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    ended = sstar(*samples)
    assert ended.code == 0
    assert "sandbox local: " in ended.err


def test_place_that_cannot_be_written(sstar, samples, isolated, folder):
    """A run folder where none can be: exit 2, the path is named."""
    (folder / "file").write_text("")
    ended = sstar(*samples, "--out", "file/run", *isolated)
    assert (ended.code, ended.out) == (2, "")
    assert "file" in ended.err.splitlines()[-1]
    assert "--out" in ended.err.splitlines()[-1]


@pytest.fixture
def mounted(folder):
    """A file system of its own: `mounted(options) -> path`; unmounted with the test."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    place = folder / "disk"
    place.mkdir()

    def mount(options):
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("no file system may be mounted here")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


@pytest.mark.root
def test_read_only_place(sstar, samples, isolated, mounted):
    """A read-only folder: exit 3, one line."""
    place = mounted("ro,size=64k")
    for out in (place, place / "run"):
        ended = sstar(*samples, "--out", out, *isolated)
        assert (ended.code, ended.out) == (3, "")
        assert str(place) in ended.err.splitlines()[-1]
        assert "Traceback" not in ended.err


@pytest.mark.root
def test_full_disk_keeps_what_was_paid_for(sstar, serve, write_set, isolated, mounted):
    """The disk fills in the middle: exit 3 and what to do; with room again only what is missing is asked."""
    place = mounted("size=400k")
    padding = "# " + "x" * 30_000
    server = serve(lambda body: chat(f"```python\n{padding}{body['seed']}\nprint(int(input()) * 2)\n```"))
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--out", place / "run"]
    words += ["--n", "16", "--max-in-flight", "1", "--select", "first", *isolated]
    full = sstar(*words)
    assert (full.code, full.out) == (3, "")
    assert "free some space and run the same command again" in full.err.splitlines()[-1]
    assert "Traceback" not in full.err
    asked = len(server.received)
    assert 1 < asked < 16
    subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
    mended = sstar(*words, "--json")
    assert mended.code == 0, mended.err
    assert mended.json["selected@1"] == 1.0
    assert len(server.received) <= 16 + 1, "all but the answer that did not fit were kept"
