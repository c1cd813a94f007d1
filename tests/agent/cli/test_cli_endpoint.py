"""Endpoints that are down, refuse or answer badly: what the user reads, and that nothing paid for is lost."""

from __future__ import annotations

import json
import socket
from dataclasses import replace

import pytest

from sstar_code.agent.jobs import session
from sstar_code.agent.models import RetryPolicy
from sstar_code.agent.testing.server import Reply, chat, failure

RIGHT = "```python\nprint(int(input()) * 2)\n```"
PROBLEMS = [
    {
        "id": name,
        "statement": f"{name}: read an integer and print twice its value.",
        "kind": "stdin",
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}],
    }
    for name in ("short", "long")
]


def asks(body, name):
    """Whether a request is about the problem called `name`."""
    return any(f"{name}: read" in message["content"] for message in body["messages"])


@pytest.fixture
def fast_retries(monkeypatch):
    """Two attempts a call, without a wait between them."""
    make = session.make_asked

    def make_impatient(endpoint, say):
        model = make(endpoint, say)
        model.retry_policy = RetryPolicy(attempts=2, first_wait_s=0.0)
        return model

    monkeypatch.setattr(session, "make_asked", make_impatient)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("command", ["eval", "solve", "select"])
def test_endpoint_down(sstar, write_set, isolated, command, folder):
    """Nothing listens: exit 3, at once, and what to start."""
    url = f"http://127.0.0.1:{free_port()}/v1"
    (folder / "samples.jsonl").write_text('{"task_id": "double", "solution": "print(1)"}')
    spec = write_set() + ("#double" if command == "solve" else "")
    words = [command, spec, *(["samples.jsonl"] if command == "select" else [])]
    ended = sstar(*words, "-m", "tiny", "--base-url", url, *isolated)
    assert ended.code == 3
    assert ended.out == ""
    assert ended.err.splitlines()[-1] == (
        f"sstar: no server answers at {url}: start one with `vllm serve tiny` or give --base-url"
    )


@pytest.mark.parametrize(
    ("key", "part"), [("wrong", "the key in OPENAI_API_KEY is wrong"), ("", "set OPENAI_API_KEY")]
)
def test_wrong_key(sstar, serve, monkeypatch, key, part):
    """A refused key: exit 2, the variable is named, the key is not shown."""
    server = serve(api_key="right")
    monkeypatch.setenv("OPENAI_API_KEY", key)
    ended = sstar("eval", "examples", "-m", "tiny", "--base-url", server.base_url)
    assert (ended.code, ended.out) == (2, "")
    assert part in ended.err
    assert "wrong" not in ended.err.replace("is wrong", "")
    assert server.received == []


def test_wrong_model_lists_those_served_and_blocks_nothing(sstar, serve, write_set, isolated):
    """A misspelt model: exit 2 and the names there are; the right name then works in the same folder."""
    server = serve(models=("tiny", "small"))
    words = ["eval", write_set(), "--base-url", server.base_url, "--out", "run", "--n", "1", *isolated]
    ended = sstar(*words, "-m", "tinny")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].endswith(
        "does not serve 'tinny'; it serves: tiny, small; --no-model-check asks it all the same"
    )
    assert sstar(*words, "-m", "tiny").code == 0


def test_prompt_too_long_fails_that_sample_alone(sstar, serve, write_set, isolated, folder):
    """Samples whose prompt does not fit end unsolved and are counted; the run goes on and ends well."""
    too_long = failure(400, "This model's maximum context length is 4096 tokens", param="input_tokens")
    server = serve(lambda body: too_long if asks(body, "long") else chat(RIGHT))
    words = ["eval", write_set(*PROBLEMS), "-m", "tiny", "--base-url", server.base_url, "--n", "2"]
    ended = sstar(*words, "--max-tokens", "1000", "--out", "run", "--json", *isolated)
    assert ended.code == 0
    assert (ended.json["selected@1"], ended.json["errors"]) == (0.5, 0)
    assert "2 of 4 samples ended with a failed model call, like: prompt too long" in ended.err
    assert json.loads((folder / "run" / "summary.json").read_text())["failed_calls"] == 2
    last = [json.loads(line) for line in (folder / "run" / "samples.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in last if row["solution"]] == ["short"]


@pytest.mark.parametrize("text", ["", None, "I cannot do that.", "```python\n```", "```python\ndef f(:\n```"])
def test_answers_without_a_program_are_unsolved(sstar, serve, write_set, isolated, text):
    """Answers that hold no program leave the problem unsolved, not errored: eval exits 0, solve exits 1."""
    server = serve(lambda _: chat(text))
    model = ["-m", "tiny", "--base-url", server.base_url, "--n", "2", "--rounds", "1"]
    ended = sstar("eval", write_set(), *model, *isolated, "--json")
    assert ended.code == 0
    assert (ended.json["problems"], ended.json["errors"], ended.json["selected@1"]) == (1, 0, 0.0)
    solved = sstar("solve", "jsonl:problems.jsonl#double", *model, *isolated, "--json")
    assert solved.code == 1
    assert solved.json["solved"] is False


def test_problem_without_tests_runs_and_says_so(sstar, serve, write_set, isolated):
    """Without tests nothing is debugged or rated, which is said; a program is chosen all the same."""
    bare = {"id": "bare", "statement": "Print 1.", "kind": "stdin"}
    server = serve("```python\nprint(1)\n```")
    model = ["-m", "tiny", "--base-url", server.base_url, "--n", "2", "--select", "majority"]
    ended = sstar("eval", write_set(bare), *model, *isolated, "--json")
    assert ended.code == 0
    assert ended.json["selected@1"] is None
    assert "1 of 1 problems have no public tests; nothing is debugged there" in ended.err
    assert "1 of 1 problems have no hidden tests; they are in no rate" in ended.err
    solved = sstar("solve", "jsonl:problems.jsonl#bare", *model, *isolated)
    assert (solved.code, solved.out) == (0, "print(1)\n")
    assert "no example found" in solved.err
    assert "2 of 2 samples hold a program" in solved.err


@pytest.mark.parametrize(
    "fault",
    [failure(503, "overloaded"), Reply(b"<html>proxy</html>"), replace(chat(RIGHT), cut=True)],
    ids=["503", "no json", "cut"],
)
@pytest.mark.usefixtures("fast_retries")
def test_endpoint_that_breaks_keeps_what_was_answered(sstar, serve, write_set, isolated, fault):
    """An endpoint that fails in the middle: exit 3, answers are kept, and later only the rest is asked."""
    server = serve(lambda body: fault if asks(body, "long") else chat(RIGHT))
    words = ["eval", write_set(*PROBLEMS), "-m", "tiny", "--base-url", server.base_url, "--out", "run"]
    words += ["--n", "1", "--max-in-flight", "1", *isolated]
    broken = sstar(*words)
    assert (broken.code, broken.out) == (3, "")
    assert "run again to go on" in broken.err.splitlines()[-1]
    server.received.clear()
    server.respond = lambda _: chat(RIGHT)
    mended = sstar(*words, "--json")
    assert mended.json["selected@1"] == 1.0
    assert not any(asks(received.body, "short") for received in server.received)


@pytest.mark.usefixtures("fast_retries")
def test_an_outage_of_all_calls_is_told_once(sstar, serve, write_set, isolated):
    """Calls that are tried again at the same time are one line, not one each."""
    refused = set()

    def respond(body):
        again = body["seed"] in refused
        refused.add(body["seed"])
        return chat(RIGHT) if again else failure(503, "starting")

    words = ["eval", write_set(), "-m", "tiny", "--base-url", serve(respond).base_url, "--n", "8"]
    ended = sstar(*words, "--select", "first", *isolated)
    assert ended.code == 0
    assert len(refused) == 8
    (line,) = [line for line in ended.err.splitlines() if "starting" in line]
    assert line.startswith("sstar: http://127.0.0.1")
