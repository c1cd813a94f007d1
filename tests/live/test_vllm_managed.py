"""A vLLM that sstar starts itself: killed in the middle it costs no answer, and nothing of it is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

MODEL = os.environ.get("SSTAR_LIVE_MODEL", "")
VLLM = os.environ.get("SSTAR_LIVE_VLLM", "")
START_S = 2 * int(os.environ.get("SSTAR_LIVE_TIMEOUT_S", "300"))

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (MODEL and VLLM), reason="no vLLM to start: run make test-live"),
]


def list_marked(owner: int) -> dict[int, str]:
    """The processes of the server that the process `owner` has started: their command lines by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdecimal()
                and f"SSTAR_VLLM_OWNER={owner}:".encode() in (entry / "environ").read_bytes()
            ):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX":
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def wait_until(condition, what: str, limit_s: float = START_S):
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        if found := condition():
            return found
        time.sleep(0.2)
    pytest.fail(f"{limit_s:g} s have passed without {what}")


@pytest.fixture
def start(tmp_path):
    """Start `sstar WORDS` with the real vLLM; stderr goes to a file."""
    running = []

    def begin(*words: str) -> subprocess.Popen:
        log = (tmp_path / "stderr").open("w")
        command = [str(Path(sys.executable).parent / "sstar"), *words, "--vllm-command", VLLM]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"},
        )
        log.close()
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def read_err(folder: Path) -> str:
    return (folder / "stderr").read_text()


def count_calls(run: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{run / 'run.db'}?mode=ro", uri=True)) as db:
            return db.execute("SELECT COUNT(*) FROM calls").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_a_server_killed_in_the_middle_costs_no_answer(start, tmp_path):
    """An evaluation whose vLLM is killed with -9 goes on with a new one, asks the rest and leaves nothing."""
    options = "eval examples --n 8 --rounds 1 --max-tokens 64 --sandbox local --select first --json --out run"
    # Eight sequences at a time: on a fast machine, too, most is ahead when the first calls have ended.
    narrow = "--vllm-args=--max-num-seqs 8"
    run = start(*options.split(), "-m", f"vllm:{MODEL}", narrow)
    wait_until(lambda: count_calls(tmp_path / "run") >= 2, "answers")
    servers = [
        pid for pid, line in list_marked(run.pid).items() if " serve " in line and "guardian" not in line
    ]
    answered = count_calls(tmp_path / "run")
    os.kill(servers[0], signal.SIGKILL)
    out, _ = run.communicate(timeout=2 * START_S)
    assert run.returncode == 0, read_err(tmp_path)
    assert "vLLM ended (it was killed (SIGKILL)" in read_err(tmp_path)
    assert list_marked(run.pid) == {}
    result = json.loads(out)
    assert result["errors"] == 0
    assert result["tokens"]["calls"] == count_calls(tmp_path / "run") > answered
    (server,) = json.loads((tmp_path / "run" / "manifest.json").read_text())["servers"]
    assert server["version"].startswith("vllm 0.")
    assert server["revision"].startswith("folder:")
    load = json.loads((tmp_path / "run" / "summary.json").read_text())["server_load"]
    assert load["running"]["peak"] > 0


def make_thinker(folder: Path) -> Path:
    """The model with a template that opens its thinking: of random weights, it never ends it."""
    shutil.copytree(MODEL, folder)
    opened = "<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n"
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        path = folder / name
        if path.exists():
            text = path.read_text()
            for form in (opened, tuple(part.replace("\n", "\\n") for part in opened)):
                text = text.replace(*form)
            path.write_text(text)
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_thinking_is_capped_and_nothing_outlives_the_command(start, tmp_path, number):
    """A model that would think forever is made to answer; ended in any way, nothing of its server is left."""
    model = make_thinker(tmp_path / "thinker")
    options = "eval examples --n 64 --rounds 2 --max-tokens 2000 --max-thinking 64 --sandbox local --out run"
    run = start(*options.split(), "-m", f"vllm:{model}")
    wait_until(lambda: count_calls(tmp_path / "run") >= 24 or run.poll() is not None, "answers")
    assert run.poll() is None, read_err(tmp_path)
    assert "the server ends thinking itself" in read_err(tmp_path)
    with closing(sqlite3.connect(f"file:{tmp_path / 'run' / 'run.db'}?mode=ro", uri=True)) as db:
        answers = [json.loads(text) for (text,) in db.execute("SELECT answer FROM calls")]
    longer = [answer for answer in answers if answer["usage"]["output"] > 100]  # others ended by themselves
    assert longer
    assert all("I have to answer now." in answer["reasoning"] for answer in longer)
    assert len(list_marked(run.pid)) >= 3
    run.send_signal(number)
    assert run.wait(timeout=120) == (130 if number == signal.SIGINT else -9)
    wait_until(lambda: not list_marked(run.pid), "an end of the server", 60)
