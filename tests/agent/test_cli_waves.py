"""`--n` as a range, from the command line."""

from __future__ import annotations

import json

import pytest

from agent.models.testserver import chat

RIGHT = "```python\nprint(int(input()) * 2)\n```"
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
