"""Ctrl-C, SIGTERM and kill -9: what was finished is kept, nothing is asked twice, no process is left."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from sstar_code.agent.testing.server import chat
from tests.support import mark_slow_but

RIGHT = "```python\nprint(int(input()) * 2)\n```"
PUBLIC_ONLY = "```python\nprint(int(input()) ** 2)\n```"
WRONG = "```python\nprint(int(input()) + 100)\n```"


def make_problem(number):
    return {
        "id": f"p{number}",
        "statement": f"Problem {number}: read an integer and print twice its value.",
        "kind": "stdin",
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}],
    }


def answer(body):
    """Depends on the request alone: samples differ by seed, repairs are right, judges take the second."""
    text = body["messages"][-1]["content"]
    if "Find out why and repair it" in text:
        return RIGHT
    if "read an integer" in text and "one complete Python program" in text:
        return (RIGHT, PUBLIC_ONLY, WRONG)[body["seed"] % 3]
    return "```json\n[3, 4, 5]\n```\nThe second."


def slowly(seconds):
    """The answers, each after so many seconds."""
    return lambda body: chat(answer(body), delay_s=seconds)


def bodies(server):
    """How often each request came in."""
    return Counter(json.dumps(received.body, sort_keys=True) for received in server.received)


def count_rows(run, table="calls"):
    """Answers, or rows of another table, in a run folder's store."""
    if not (run / "run.db").exists():
        return 0
    with closing(sqlite3.connect(f"file:{run / 'run.db'}?mode=ro", uri=True)) as db:
        try:
            return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        except sqlite3.OperationalError:  # not made yet
            return 0


def wait_until(condition, timeout_s=60.0):
    """Wait for something that another process does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def session_members(leader):
    """Processes whose session or group is that of `leader`, or whose ancestor it is, zombies left out."""
    parents, sessions = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, group, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
                sessions[int(entry.name)] = {int(group), int(session)}
    members = {pid for pid, ids in sessions.items() if leader in ids} - {os.getpid()}
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in members} - members
        grown = bool(children)
        members |= children
    return members


@pytest.fixture
def ready(serve, write_set, isolated):
    """A server that is slow, and a command that asks it for 3 problems of 3 samples."""
    server = serve(slowly(0.3))
    spec = write_set(*(make_problem(number) for number in range(3)))
    words = ["eval", spec, "-m", "tiny", "--base-url", server.base_url, "--out", "run", "--n", "3"]
    return server, [*words, "--rounds", "1", "--max-in-flight", "3", "--json", *isolated]


def _holds_runs_only(stage):
    return isinstance(stage, dict) and stage.get("calls") == 0


def read_summary(run):
    """`summary.json` without what the clock and the kills decide: seconds, and who ran a shared run first."""

    def clean(value):
        if not isinstance(value, dict):
            return value
        left_out = ("seconds", "cpu_s", "executions", "load")
        kept = {name: clean(item) for name, item in value.items() if name not in left_out}
        return {name: item for name, item in kept.items() if not _holds_runs_only(item)}

    return clean(json.loads((run / "summary.json").read_text()))


@pytest.mark.parametrize("number", mark_slow_but([signal.SIGINT], [signal.SIGINT, signal.SIGTERM]))
def test_first_signal_stops_and_keeps(spawn, ready, folder, number):
    """Exit 130 with what to do; every stored answer stays, and the same command then completes."""
    server, words = ready
    process = spawn(*words)
    wait_until(lambda: count_rows(folder / "run") >= 4)
    members = session_members(process.pid)
    assert len(members) > 1, "the sandbox's workers are seen"
    process.send_signal(number)
    out, err = process.communicate(timeout=180)
    assert (process.returncode, out) == (130, "")
    lines = [line for line in err.splitlines() if line][-2:]
    assert lines[0].startswith("sstar: stopping")
    assert lines[1].startswith("sstar: interrupted; what was finished is kept")
    assert "Traceback" not in err
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in members), 5)
    stored = count_rows(folder / "run")
    before = bodies(server)
    server.respond = slowly(0.0)
    again = spawn(*words)
    out, _ = again.communicate(timeout=180)
    assert again.returncode == 0
    assert json.loads(out)["problems"] == 3
    twice = [body for body, count in bodies(server).items() if count > 1]
    assert len(twice) <= before.total() - stored, "only what was in flight is asked again"


def test_second_signal_ends_at_once(spawn, ready, folder):
    """Twice Ctrl-C: exit 130 also where the first one is still closing; no process stays."""
    server, words = ready
    process = spawn(*words)
    wait_until(lambda: len(server.received) >= 3)
    members = session_members(process.pid)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "Traceback" not in err
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in members), 5)


def test_second_signal_does_not_wait_for_what_closes(spawn, folder):
    """What is still closing after the first Ctrl-C is cut short by the second."""
    script = """
import anyio
from sstar_code.agent.cli.build import run_async

async def main():
    print("ready", flush=True)
    try:
        await anyio.sleep(60)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(60)

run_async(main)
"""
    process = spawn(program=script)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    assert process.stderr.readline().startswith("sstar: stopping")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=180) == 130


def run_with_kills(spawn, words, progress, moments):
    """Start the command until it ends well, killed -9 whenever `progress()` has grown by a random number.

    The number of kills, 3 at most.
    """
    kills = 0
    while True:
        goal = progress() + (moments.randint(1, 9) if kills < 3 else 10**9)
        process = spawn(*words)
        wait_until(lambda goal=goal, process=process: process.poll() is not None or progress() >= goal)
        try:
            _, err = process.communicate(timeout=moments.uniform(0.0, 0.1))
        except subprocess.TimeoutExpired:
            members = session_members(process.pid)
            process.kill()
            process.communicate()
            wait_until(lambda members=members: not any(Path(f"/proc/{pid}").exists() for pid in members))
            kills += 1
            continue
        assert process.returncode == 0, err
        return kills


def assert_same_run(left, right):
    """The same summary but for seconds, and the same files to the letter."""
    assert read_summary(left) == read_summary(right)
    for name in ("samples.jsonl", "candidates.jsonl", "lcb.json"):
        assert (left / name).read_text() == (right / name).read_text()
    assert read_selections(left) == read_selections(right)


def read_selections(run):
    """The table of selections."""
    with closing(sqlite3.connect(run / "run.db")) as db:
        return db.execute("SELECT * FROM selections ORDER BY problem_id, method").fetchall()


@pytest.mark.parametrize("seed", [0])
def test_killed_again_and_again_until_done(spawn, sstar, ready, folder, seed):
    """Kill -9 at random moments: it ends like a run left alone; only calls in flight are asked twice."""
    server, words = ready
    server.respond = slowly(0.0)
    assert sstar(*words, "--out", "whole").code == 0
    once = bodies(server)
    assert set(once.values()) == {1}
    server.received.clear()
    server.respond = slowly(0.05)
    kills = run_with_kills(spawn, words, lambda: len(server.received), random.Random(seed))
    assert kills > 0
    assert_same_run(folder / "run", folder / "whole")
    asked = bodies(server)
    assert set(asked) == set(once)
    assert asked.total() - len(asked) <= 3 * kills, "3 calls are in flight at most"


@pytest.mark.slow
def test_examples_killed_again_and_again_until_done(spawn, sstar, isolated, folder):
    """The same for the example problems and their recorded answers, killed while programs run."""
    words = [
        "eval",
        "examples",
        "-m",
        "replay:examples",
        "--n",
        "3",
        "--limit",
        "5",
        "--out",
        "run",
        *isolated,
    ]
    assert sstar(*words, "--out", "whole").code == 0

    def count_executions():
        return count_rows(folder / "run", "executions") // 3

    assert run_with_kills(spawn, words, count_executions, random.Random(3)) > 0
    assert_same_run(folder / "run", folder / "whole")
