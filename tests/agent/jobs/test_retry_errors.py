"""What failed is tried again, with `--retry errors` or by itself; the rest is kept."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from sstar_code.agent.jobs import session
from sstar_code.agent.testing.server import chat, failure
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.sandbox.workers.classify import lost

RIGHT = "```python\nprint(int(input()) * 2)\n```"
PUBLIC_ONLY = "```python\nprint(int(input()) ** 2)\n```"
JUDGED = "```json\n[3, 4, 5]\n```\nThe first."


def make_problem(name):
    return {
        "id": name,
        "statement": f"{name}: read an integer and print twice its value.",
        "kind": "stdin",
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}],
    }


def asks(body, text):
    return any(text in message["content"] for message in body["messages"])


def is_sample(body):
    return asks(body, "one complete Python program")


def bodies(server):
    return Counter(json.dumps(received.body, sort_keys=True) for received in server.received)


@pytest.fixture
def words(write_set, isolated):
    spec = write_set(make_problem("good"), make_problem("bad"))
    return ["eval", spec, "-m", "tiny", "--n", "2", "--out", "run", "--json", *isolated]


def test_failed_samples_are_asked_again_and_nothing_else(sstar, serve, words, folder):
    """A refused sample stays refused when the same command resumes; with --retry errors it alone is asked."""
    refused = failure(400, "not now", code="content_filter")
    server = serve(lambda body: refused if asks(body, "bad:") and body["seed"] == 1 else chat(RIGHT))
    words += ["--base-url", server.base_url]
    assert "1 of 4 samples ended with a failed model call" in sstar(*words).err
    server.received.clear()
    server.respond = lambda _: chat(RIGHT)
    assert "1 of 4 samples ended with a failed model call" in sstar(*words).err
    assert len(server.received) == 0
    ended = sstar(*words, "--retry", "errors")
    assert ended.code == 0
    assert "1 finished problems have failed calls or errors; working on those again" in ended.err
    assert "samples ended" not in ended.err
    ((body, count),) = bodies(server).items()
    assert (json.loads(body)["seed"], count) == (1, 1)
    assert len((folder / "run" / "candidates.jsonl").read_text().splitlines()) == 4
    assert "0 finished problems" in sstar(*words, "--retry", "errors").err
    assert len(server.received) == 1


def test_failed_question_of_selection_is_asked_again(sstar, serve, words):
    """A question that the model refused while choosing is asked again too."""

    def answer(body):
        return chat((RIGHT, PUBLIC_ONLY)[body["seed"] % 2] if is_sample(body) else JUDGED)

    server = serve(
        lambda body: answer(body) if is_sample(body) else failure(400, "not now", code="content_filter")
    )
    words += ["--base-url", server.base_url, "--select", "sstar"]
    assert sstar(*words).code == 0
    failed = [body for body in bodies(server) if not is_sample(json.loads(body))]
    assert failed
    server.received.clear()
    server.respond = answer
    ended = sstar(*words, "--retry", "errors")
    assert ended.code == 0
    assert "2 finished problems have failed calls" in ended.err
    asked = bodies(server)
    assert set(failed) & set(asked)
    assert not any(is_sample(json.loads(body)) for body in asked), "samples were answered before"
    assert "0 finished problems" in sstar(*words, "--retry", "errors").err


def test_endpoint_down_reopens_nothing(sstar, serve, words, folder):
    """Where nobody answers, what was finished stays finished."""
    server = serve(
        lambda body: failure(400, "not now", code="content_filter") if asks(body, "bad:") else chat(RIGHT)
    )
    assert sstar(*words, "--base-url", server.base_url).code == 0
    before = json.loads((folder / "run" / "summary.json").read_text())
    server.__exit__(None, None, None)
    assert sstar(*words, "--base-url", server.base_url, "--retry", "errors").code == 3
    after = json.loads((folder / "run" / "summary.json").read_text())
    assert after | {"seconds": 0} == before | {"seconds": 0}


def test_unknown_word_is_a_usage_error(sstar, words):
    """`--retry` takes one word."""
    ended = sstar(*words, "--retry", "all")
    assert (ended.code, ended.err) == (2, "sstar: --retry 'all': the only value is `errors`\n")


class _Losing(FakeSandbox):
    """Doubles numbers, and loses the first `times` runs on the input `lost_text`."""

    def __init__(self, lost_text, times):
        self._lost_text = lost_text
        self._times = times
        super().__init__(self._play)

    def _play(self, program, text):
        if text == self._lost_text and self._times:
            self._times -= 1
            return lost("gone")
        return str(int(text) * 2)


@pytest.mark.parametrize(("text", "times", "code"), [("2\n", 1, 0), ("5\n", 1, 0), ("5\n", 2, 3)])
@pytest.mark.parametrize("command", ["eval", "select", "grade"])
def test_what_the_sandbox_lost_is_tried_once_more_at_the_end(
    command, text, times, code, *, sstar, serve, write_set, folder, monkeypatch
):
    """A run that was lost once costs no second command; one that is lost twice is an error of the machine."""
    monkeypatch.setattr(session, "make_chosen", lambda *_: _Losing(text, times))
    spec = write_set(make_problem("good"))
    (folder / "samples.jsonl").write_text(json.dumps({"task_id": "good", "solution": "print(1)"}) + "\n")
    model = ("-m", "tiny", "--base-url", serve(RIGHT).base_url, "--n", "1")
    words = model if command == "eval" else ("samples.jsonl",)
    ended = sstar(command, spec, *words, "--out", "run", "--json")
    assert ended.code == code, ended.err


@pytest.mark.parametrize(("times", "code", "shown"), [(1, 0, "samples 1/1"), (2, 3, "samples 1/1")])
def test_solve_tries_a_lost_run_once_more(times, code, shown, *, sstar, serve, folder, monkeypatch):
    """One lost run changes nothing of what `solve` prints; a second one is an error of the machine."""
    monkeypatch.setattr(session, "make_chosen", lambda *_: _Losing("2\n", times))
    (folder / "problem.json").write_text(json.dumps(make_problem("good")))
    server = serve(RIGHT)
    ended = sstar("solve", "problem.json", "-m", "tiny", "--base-url", server.base_url, "--n", "1")
    assert (ended.code, ended.out.strip()) == (code, "print(int(input()) * 2)"), ended.err
    assert shown in ended.err
    assert ("the sandbox lost a run (IE); run the same command again" in ended.err) == (code == 3)
    assert len([received for received in server.received if received.body]) == 1
