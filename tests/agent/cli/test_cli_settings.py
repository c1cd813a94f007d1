"""Where a setting comes from, and what a budget does."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.testing.server import chat

RIGHT = "```python\nprint(int(input()) * 2)\n```"
USAGE = {"prompt_tokens": 60, "completion_tokens": 40}


@pytest.fixture
def temperatures(sstar, serve, write_set, isolated):
    """Run a command and give the temperatures that the server was asked for."""

    def run(*words):
        server = serve(RIGHT)
        spec = [write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--fresh"]
        ended = sstar("eval", *spec, "--select", "first", *words, *isolated)
        assert ended.code == 0, ended.err
        return {received.body["temperature"] for received in server.received}

    return run


def test_flag_then_environment_then_file_then_default(temperatures, folder, monkeypatch):
    """Each source counts where none before it speaks."""
    assert temperatures() == {0.7}
    (folder / "pyproject.toml").write_text("[tool.sstar]\ntemperature = 0.1\n")
    assert temperatures() == {0.1}
    (folder / "sstar.toml").write_text("temperature = 0.2\n")
    assert temperatures() == {0.2}
    monkeypatch.setenv("SSTAR_TEMPERATURE", "0.3")
    assert temperatures() == {0.3}
    assert temperatures("--temperature", "0.4") == {0.4}


def test_file_settings_reach_every_command_that_has_them(sstar, folder, serve, write_set):
    """A key of one command does not trouble another; names are flags, with dashes or underscores."""
    settings = ['model = "tiny"', f'base-url = "{serve().base_url}"', "limit = 1", 'filter = "doub"', "n = 1"]
    own = folder / "config" / "sstar" / "sstar.toml"
    own.parent.mkdir(parents=True)
    own.write_text("\n".join([*settings, 'sandbox = "nosuch"']))
    (folder / "samples.jsonl").write_text('{"task_id": "double", "solution": "print(1)"}')
    for words in (["eval", write_set()], ["grade", write_set(), "samples.jsonl"]):
        ended = sstar(*words)
        assert (ended.code, "unknown sandbox 'nosuch'" in ended.err) == (2, True), ended.err


def test_other_endpoint_variable(sstar, write_set, serve, isolated, monkeypatch):
    """`OPENAI_BASE_URL` and `SSTAR_MODEL` serve where no flag is given."""
    server = serve(RIGHT)
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("SSTAR_MODEL", "tiny")
    assert sstar("eval", write_set(), "--n", "1", "--select", "first", *isolated).code == 0
    assert len(server.received) == 1


def test_token_budget_ends_with_4_and_goes_on_later(sstar, serve, write_set, isolated, folder):
    """No call is made beyond the budget; a larger one goes on where the first ended."""
    server = serve(lambda _: chat(RIGHT, usage=USAGE))
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "6", "--out", "run"]
    words += ["--max-in-flight", "1", "--select", "first", *isolated]
    spent = sstar(*words, "--max-tokens-total", "250")
    assert (spent.code, spent.out) == (4, "")
    assert spent.err.splitlines()[-1].startswith("sstar: the token budget is spent (300 of 250)")
    assert len(server.received) == 3
    again = sstar(*words, "--max-tokens-total", "300")
    assert (again.code, len(server.received)) == (4, 3)
    done = sstar(*words, "--max-tokens-total", "1000", "--json")
    assert (done.code, len(server.received)) == (0, 6)
    assert done.json["tokens"] == {
        "prompt": 360,
        "cached": None,
        "output": 240,
        "reasoning": None,
        "calls": 6,
        "unknown_calls": 0,
    }


def test_spent_budget_waits_for_what_is_under_way(sstar, serve, write_set, isolated):
    """A call that is being answered when the budget ends is kept, not paid for in vain."""

    def respond(body):
        slow = body["seed"] == 1
        return chat(RIGHT if slow else "no", usage=USAGE, delay_s=2.0 if slow else 0.0)

    server = serve(respond)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--rounds", "1"]
    words += ["--select", "first", *isolated]
    assert sstar(*words, "--max-tokens-total", "100").code == 4
    assert len(server.received) == 2
    assert sstar(*words).code == 0
    assert len(server.received) == 3


@pytest.mark.slow  # it waits for nine seconds; how spent budgets end is shown below
def test_time_budget_ends_with_4_and_goes_on_later(sstar, serve, write_set, isolated):
    """After the time no call is made, and what was answered is printed; the same command goes on."""
    server = serve(lambda _: chat(RIGHT, delay_s=9.0))
    words = ["solve", write_set() + "#double", "-m", "tiny", "--base-url", server.base_url, "--n", "2"]
    words += ["--max-in-flight", "1", "--select", "first", *isolated]
    spent = sstar(*words, "--max-seconds", "9")
    assert (spent.code, spent.out) == (4, "print(int(input()) * 2)\n")
    assert "time budget of 9 s is spent" in spent.err.splitlines()[-1]
    assert len(server.received) == 1
    server.respond = lambda _: chat(RIGHT)
    assert sstar(*words, "--max-seconds", "60").code == 0
    assert len(server.received) == 2


def test_record_then_replay_gives_the_same(sstar, serve, write_set, isolated, folder):
    """What was recorded answers in place of the server: the same choices, programs and numbers."""
    answers = (RIGHT, "```python\nprint(int(input()) ** 2)\n```", "```python\nprint(0)\n```")
    server = serve(lambda body: chat(answers[body["seed"] % 3], usage=USAGE))
    words = ["eval", write_set(), "--n", "3", "--rounds", "1", "--json", *isolated]
    model = ["-m", "tiny", "--base-url", server.base_url, "--record", "calls.jsonl"]
    first = sstar(*words, *model, "--out", "first")
    second = sstar(*words, "-m", "replay:calls.jsonl", "--out", "second")
    told = [ended.json for ended in (first, second)]
    for summary in told:  # what it took is measured
        summary["seconds"] = summary["selection"]["cpu_s"] = 0
    assert told[0] == told[1]
    for name in ("samples.jsonl", "candidates.jsonl", "lcb.json"):
        assert (folder / "first" / name).read_text() == (folder / "second" / name).read_text()
    assert "replayed by position" not in second.err
    calls = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    assert len(calls) == len(server.received)
