"""A disk that is full for a while costs time, not answers."""

from __future__ import annotations

import json
import resource
import sqlite3
from contextlib import closing
from functools import partial

import pytest

from sstar_code.agent.testing.server import chat

RIGHT = "```python\nprint(int(input()) * 2)\n```"


def make_problem(number):
    return {
        "id": f"p{number}",
        "statement": f"Problem {number}: read an integer and print twice its value.",
        "kind": "stdin",
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}],
    }


def limit_files(most_bytes):
    """No file grows further: to a program it looks like a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def key_of(received):
    return received.body["messages"][-1]["content"], received.body["seed"]


def read_stored(run):
    with closing(sqlite3.connect(run / "run.db")) as db:
        requests = [json.loads(text) for (text,) in db.execute("SELECT request FROM calls")]
    return {(request["messages"][-1]["content"], request["seed"]) for request in requests}


@pytest.mark.slow  # a disk that fills up before a run ends: tests/agent/cli/test_cli_machine.py
def test_run_starved_of_disk_ends_like_one_left_alone(spawn, serve, write_set, isolated, folder):
    """Exit 3 with one line while there is no room; then the same command completes and asks nothing again."""
    server = serve(lambda body: chat(RIGHT + "x" * 4000 * (1 + body["seed"])))
    spec = write_set(*(make_problem(number) for number in range(12)))
    words = ["eval", spec, "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--select", "first"]
    words += ["--max-in-flight", "1", "--out", "run", "--json", *isolated]
    stored = set()
    for most_kib in (150, 220):
        process = spawn(*words, preexec_fn=partial(limit_files, most_kib * 1024))
        _, err = process.communicate(timeout=120)
        assert process.returncode == 3, err
        assert "free some space" in err.strip().splitlines()[-1]
        assert "Traceback" not in err
        assert stored.isdisjoint(map(key_of, server.received))
        stored = read_stored(folder / "run")
        server.received.clear()
    assert 0 < len(stored) < 24
    process = spawn(*words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["problems"] == 12
    asked = [key_of(received) for received in server.received]
    assert len(set(asked)) == len(asked)
    assert stored.isdisjoint(asked)
    assert len(stored) + len(asked) == 24
