"""`--n` as a range, from the command line."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from sstar_code.agent.testing.server import chat

RIGHT = "```python\nprint(int(input()) * 2)\n```"
SQUARE = "```python\nprint(int(input()) ** 2)\n```"
WRONG = "```python\nprint(int(input()) + 100)\n```"
DOUBLE = {
    "id": "double",
    "statement": "Read an integer and print twice its value.",
    "kind": "stdin",
    "public_tests": [{"input": "2\n", "output": "4"}],
    "hidden_tests": [{"input": "5\n", "output": "10"}],
}
USAGE = {"prompt_tokens": 60, "completion_tokens": 40}


def test_a_range_draws_what_is_worth_it(sstar, serve, write_set, isolated, folder):
    """Answers that agree end a problem early; the steps stay, and the same command again asks nothing."""
    server = serve(RIGHT)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2..16", "--out", "run"]
    first = sstar(*words, "--select", "first", *isolated, "--json")
    assert first.code == 0, first.err
    asked = len(server.received)
    assert 2 <= asked <= 4
    assert first.json["selected@1"] == 1.0
    config = json.loads((folder / "run" / "manifest.json").read_text())["config"]
    assert (config["least"], config["n"]) == (2, 16)
    again = sstar(*words, "--select", "first", *isolated, "--json")
    assert again.json | {"seconds": 0} == first.json | {"seconds": 0}
    assert len(server.received) == asked


def test_solve_takes_a_range_too(sstar, serve, write_set, isolated):
    """One problem in waves; a plain number keeps its old configuration."""
    server = serve(RIGHT)
    words = ["solve", f"{write_set()}#double", "-m", "tiny", "--base-url", server.base_url, "--n", "auto"]
    ended = sstar(*words, "--select", "first", *isolated)
    assert ended.code == 0, ended.err
    assert "int(input()) * 2" in ended.out
    assert len(server.received) <= 4


def test_a_problem_keeps_to_its_tokens(sstar, serve, write_set, isolated):
    """Calls beyond the cap of a problem fail, which is said; the problem is finished with what it has."""
    server = serve(lambda _: chat(RIGHT, usage=USAGE))
    words = [
        "eval",
        write_set(),
        "-m",
        "tiny",
        "--base-url",
        server.base_url,
        "--n",
        "6",
        "--max-in-flight",
        "1",
    ]
    ended = sstar(*words, "--max-tokens-problem", "250", "--select", "first", *isolated, "--json")
    assert ended.code == 0, ended.err
    assert len(server.received) == 3
    assert ended.json["selected@1"] == 1.0
    assert "--max-tokens-problem" in ended.err


@pytest.mark.parametrize("text", ["0", "8..4", "many"])
def test_no_number_of_samples(sstar, serve, write_set, text):
    """What is neither a number nor a range is refused with what it may be."""
    ended = sstar("eval", write_set(), "-m", "tiny", "--base-url", serve().base_url, "--n", text)
    assert ended.code == 2
    assert "a range like 4..32, or auto" in ended.err


def read_steps(run):
    """(problem, ordinal) -> step, of a run folder that may not have begun."""
    if not (run / "run.db").exists():
        return {}
    with closing(sqlite3.connect(f"file:{run / 'run.db'}?mode=ro", uri=True)) as db:
        try:
            rows = db.execute("SELECT problem_id, ordinal, step FROM steps").fetchall()
        except sqlite3.OperationalError:  # not made yet
            return {}
    return {(problem, ordinal): step for problem, ordinal, step in rows}


def test_killed_in_its_waves_a_run_goes_on_as_it_had_decided(spawn, serve, write_set, isolated, folder):
    """Kill -9 in the middle, twice: the steps taken stay, and only calls in flight are asked twice."""

    def answer(body):
        mends = "Find out why and repair it" in body["messages"][-1]["content"]
        return chat((RIGHT, SQUARE, WRONG)[0 if mends else body["seed"] % 3], usage=USAGE, delay_s=0.05)

    server = serve(answer)
    problems = [
        {**DOUBLE, "id": f"p{n}", "statement": f"Problem {n}: print twice an integer."} for n in range(3)
    ]
    words = ["eval", write_set(*problems), "-m", "tiny", "--base-url", server.base_url, "--n", "2..8"]
    words += [
        "--select",
        "first",
        "--max-in-flight",
        "3",
        "--out",
        "run",
        "--max-tokens-total",
        "9000",
        *isolated,
    ]
    kept = {}
    for goal in (8, 16):
        process = spawn(*words)
        deadline = time.monotonic() + 180
        while process.poll() is None and len(server.received) < goal:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.communicate()
        steps = read_steps(folder / "run")
        assert kept.items() <= steps.items()
        kept = steps
    assert kept
    process = spawn(*words)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert kept.items() <= read_steps(folder / "run").items()
    asked = Counter(json.dumps(received.body, sort_keys=True) for received in server.received)
    assert asked.total() - len(asked) <= 2 * 3, "3 calls are in flight at most"
    tokens = json.loads((folder / "run" / "summary.json").read_text())["tokens"]
    assert tokens["prompt"] + tokens["output"] <= 9_000 + 3 * 100
