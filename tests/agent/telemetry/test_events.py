"""The log of a run: which events, with which ids, and never a secret."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.telemetry.events import about, find_secrets, log_event, mask_secrets, open_log
from sstar_code.agent.testing.server import chat, failure
from sstar_code.problems import InfrastructureError

RIGHT = "```python\nprint(int(input()) * 2)\n```"
WRONG = "```python\nprint(int(input()) + 100)\n```"
KEY = "sk-very-secret-0123456789"


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_carry_the_ids_they_happen_in(tmp_path):
    """An event names its run and what it is about; outside of a log nothing is written."""
    log_event("nobody.hears")
    with open_log(tmp_path / "log", run="r", say=print), about(problem="p"), about(candidate=3):
        log_event("call.asked", stage="debug")
    log_event("nobody.hears")
    (event,) = read(tmp_path / "log")
    assert event.pop("timestamp")
    assert event == {"run": "r", "event": "call.asked", "problem": "p", "candidate": 3, "stage": "debug"}


def test_log_that_cannot_be_opened_is_one_line(tmp_path):
    """A log file in no folder ends the command before it begins."""
    with (
        pytest.raises(InfrastructureError, match="--log-file"),
        open_log(tmp_path / "no" / "log", run="r", say=print),
    ):
        raise AssertionError("not reached")


def test_full_disk_ends_the_log_and_not_the_run():
    """What cannot be logged is told once."""
    from pathlib import Path

    said = []
    with open_log(Path("/dev/full"), run="r", say=said.append):
        log_event("one")
        log_event("two")
    assert len(said) == 1
    assert "no more is logged" in said[0]


@given(secret=st.text("abcxyz0189-_", min_size=8), around=st.text())
def test_secrets_of_the_environment_are_blotted_out(secret, around):
    """Wherever a key stands in a text, it does not come out."""
    secrets = find_secrets({"OPENAI_API_KEY": secret, "PATH": "/usr/bin:/bin", "HF_TOKEN": "short"})
    assert secrets == (secret,)
    masked = mask_secrets(around + secret + around, secrets)
    assert secret not in masked or secret in around


def test_user_in_an_address_is_blotted_out():
    """User and password of a URL do not come out; the rest of it does."""
    text = "http://me:pass@host:80/v1 and http://host/a@b"
    assert mask_secrets(text, ()) == "http://***@host:80/v1 and http://host/a@b"


@pytest.fixture
def key(folder, monkeypatch):
    """The key that the endpoint wants."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.usefixtures("key")
def test_run_is_logged_from_end_to_end(sstar, serve, write_set, isolated, folder):
    """Every stage of a run leaves its events, with problem and candidate; the key is in none of its files."""

    def answer(body):
        if "Find out why and repair it" in body["messages"][-1]["content"]:
            return failure(400, f"no {KEY}", code="content_filter")
        return chat((RIGHT, WRONG)[body["seed"] % 2], usage={"prompt_tokens": 7, "completion_tokens": 5})

    server = serve(answer, api_key=KEY)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--rounds", "1"]
    ended = sstar(*words, "--out", "run", "--log-file", "log.jsonl", *isolated)
    assert ended.code == 0
    events = read(folder / "log.jsonl")
    names = {event["event"] for event in events}
    assert names == {
        "problem.begun",
        "call.asked",
        "call.answered",
        "call.failed",
        "batch.run",
        "selection.made",
        "problem.finished",
    }
    assert {event["run"] for event in events} == {"run"}
    assert {event["problem"] for event in events} == {"double"}
    asked = [(event["stage"], event["candidate"]) for event in events if event["event"] == "call.asked"]
    assert sorted(asked) == [("debug", 1), ("generate", 0), ("generate", 1)]
    tried = [event for event in events if event["event"] == "batch.run" and event["stage"] == "generate"]
    assert {event["candidate"] for event in tried} == {0, 1}
    assert {event["problem"] for event in tried} == {"double"}
    (failed,) = [event for event in events if event["event"] == "call.failed"]
    assert failed["error"].endswith("no ***")
    for path in (folder / "run").iterdir():
        assert KEY.encode() not in path.read_bytes(), path
    assert KEY not in (folder / "log.jsonl").read_text() + ended.err + ended.out


def test_retries_are_logged(sstar, serve, write_set, isolated, folder):
    """Each attempt that failed leaves an event with its reason."""
    answers = iter([failure(503, "busy", headers={"retry-after-ms": "1"}), *[chat(RIGHT)] * 9])
    server = serve(lambda _: next(answers))
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--out", "run"]
    assert sstar(*words, "--log-file", "log.jsonl", *isolated).code == 0
    retried = [event for event in read(folder / "log.jsonl") if event["event"] == "call.retried"]
    assert len(retried) == 1
    assert "busy" in retried[0]["why"]
    assert retried[0]["problem"] == "double"
