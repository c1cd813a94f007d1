"""Tasks that are solved: what a client gets, what it costs, and how it ends."""

from __future__ import annotations

import json
import socket
import threading

import anyio
import pytest

from sstar_code.agent.serving import solver
from sstar_code.agent.serving.limits import Limits
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.testing import FakeSandbox
from sstar_code.agent.testing.server import chat, failure
from tests.support.servers.served import (
    PATIENCE_S,
    RIGHT,
    SQUARE,
    TASK,
    TESTS,
    USAGE,
    answer_right,
    fenced,
    run_known,
)


def alternate():
    """A model that is right every second time."""
    lock, codes = threading.Lock(), [SQUARE, RIGHT]

    def respond(_body):
        with lock:
            codes.append(codes.pop(0))
            return chat(fenced(codes[-1]), usage=USAGE)

    return respond


def test_the_answer_is_a_program_with_its_evidence(start):
    """A program in a fence, a sentence, the report on the choice, and the usage of all calls."""
    served = start(alternate(), settings=Settings(n=4, rounds=0))
    tests = [{"input": "3\n", "output": "6"}]
    status, body = served.solve(sstar={"tests": tests})
    assert status == 200
    (choice,) = body["choices"]
    why = "This program passes all 1 tests, 2 of 2 candidates behave like it, confidence not known."
    assert choice["message"]["content"] == f"{fenced(RIGHT)}\n\n{why}"
    assert (body["model"], choice["finish_reason"]) == ("sstar-tiny", "stop")
    report = choice["sstar"]
    assert (report["candidates"], report["passing"]) == (4, 2)
    assert report["tests"] == {"from": "sstar.tests", "passed": 1, "total": 1}
    assert report["calls"] == 4
    assert report["tokens"] == body["usage"]["total_tokens"] == 60
    assert body["usage"]["completion_tokens"] == 20


def test_without_tests_the_report_says_so_and_tells_what_told_apart(start):
    """Two behaviours, no test: the input on which they differ is there, and no certainty is claimed."""
    served = start(alternate(), settings=Settings(n=4, rounds=0))
    _, body = served.solve()
    report = body["choices"][0]["sstar"]
    assert report["tests"] == {"from": "none", "passed": 0, "total": 0}
    assert sorted(report["clusters"]) == [2, 2]
    assert len(set(report["telling_input"]["outputs"].values())) == 2
    assert report["confidence"] < 0.9
    assert "without any test" in body["choices"][0]["message"]["content"]


def test_examples_of_the_message_are_its_tests(start):
    """The statement reader finds them, and the wrong program falls."""
    served = start(alternate(), settings=Settings(n=2, rounds=0))
    text = f"{TASK}\n\n## Example\n\nInput:\n```\n3\n```\nOutput:\n```\n6\n```\n"
    report = served.solve(text)[1]["choices"][0]["sstar"]
    assert report["tests"] == {"from": "message", "passed": 1, "total": 1}


def read_events(served, **more):
    """The events of a stream, comments as texts."""
    connection = served.connect()
    body = {"model": "sstar-tiny", "messages": [{"role": "user", "content": TASK}], "stream": True, **more}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    response = connection.getresponse()
    assert response.getheader("content-type").startswith("text/event-stream")
    blocks = response.read().decode().strip().split("\n\n")
    connection.close()
    return [json.loads(block[6:]) if block.startswith("data: {") else block for block in blocks]


@pytest.mark.parametrize("form", ["reasoning", "comments", "none"])
def test_a_stream_tells_of_the_work_in_the_form_that_was_asked_for(start, form):
    """As reasoning, as comments that clients do not show, or not at all; then come answer and report."""
    served = start(progress=form)
    events = read_events(served, stream_options={"include_usage": True})
    assert events[-1] == "data: [DONE]"
    assert events[-2]["usage"]["total_tokens"] == 30
    assert events[-3]["choices"][0]["sstar"]["candidates"] == 2
    assert events[-4]["choices"][0]["delta"]["content"].startswith(fenced(RIGHT))
    told = events[1:-4]
    lines = [
        line if isinstance(line, str) else line["choices"][0]["delta"]["reasoning_content"] for line in told
    ]
    first = "candidate 1 of at most 2: a program"
    expected = {"reasoning": f"{first}\n", "comments": f": {first}", "none": None}[form]
    assert (lines[0] if lines else None) == expected


def test_a_request_may_choose_the_form_itself(start):
    """Its own field counts before the server's setting."""
    events = read_events(start(), sstar={"progress": "none"})
    assert len(events) == 4


def test_the_technique_is_named_in_the_address_or_the_message(start):
    """Either names the strategy, with settings; the tag is no part of the task."""
    served = start()
    path = "/sstar/beam:width=2/v1/chat/completions"
    assert served.solve(path=path)[1]["choices"][0]["sstar"]["strategy"] == "beam:width=2"
    asked = len(served.upstream.received)
    tagged = f"<sstar>tree</sstar>\n{TASK}"
    assert served.solve(tagged)[1]["choices"][0]["sstar"]["strategy"] == "tree"
    assert "<sstar>" not in json.dumps(served.upstream.received[asked].body)


def test_a_plain_model_with_a_technique_is_solved_too(start):
    """The field alone is enough; another model than the server's is refused by name."""
    served = start()
    status, body = served.solve(model="tiny", sstar=True)
    assert (status, body["model"]) == (200, "tiny")
    status, body = served.solve(model="sstar-other")
    assert (status, body["error"]["code"]) == (404, "model_not_found")
    assert "sstar-tiny" in body["error"]["message"]


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"sstar": {"strategy": "bem"}}, 400, "unknown_technique"),
        ({"sstar": {"tests": TESTS}, "tools": [{"type": "function"}]}, 400, "invalid_request"),
        ({"n": 3}, 400, "invalid_request"),
    ],
    ids=["technique", "tests with tools", "several answers"],
)
def test_what_cannot_be_is_refused_before_anything_is_paid_for(start, more, status, code):
    """An error of the API; no call was made."""
    served = start()
    got, body = served.solve(**more)
    assert (got, body["error"]["code"]) == (status, code)
    assert served.upstream.received == []


def test_a_model_that_fails_is_an_error_of_the_api(start):
    """Whole: a status. In a stream: an event that clients raise. The address behind is not told."""
    served = start(lambda _body: failure(401, "wrong key"))
    status, body = served.solve()
    assert (status, body["error"]["code"]) == (502, "upstream_failed")
    assert "127.0.0.1" not in body["error"]["message"]
    events = read_events(served)
    assert (events[-2]["error"]["code"], events[-1]) == ("upstream_failed", "data: [DONE]")


def test_answers_without_a_program_are_an_error(start):
    """Nothing is made up."""
    status, body = start(lambda _body: chat("I cannot.", usage=USAGE)).solve()
    assert (status, body["error"]["code"]) == (502, "no_program")


def test_tokens_of_a_request_end_it(start):
    """When they are spent no further call is made."""
    served = start(
        lambda _body: chat(fenced(SQUARE), usage=USAGE),
        limits=Limits(max_tokens_request=30),
        settings=Settings(n=1, rounds=8),
    )
    status, body = served.solve(sstar={"tests": [{"input": "3\n", "output": "6"}]})
    assert (status, body["error"]["code"]) == (504, "limit_reached")
    assert len(served.upstream.received) == 2


def once_then(second):
    """A model that is right in its first call; further calls are answered by `second`."""
    lock, asked = threading.Lock(), []

    def respond(body):
        with lock:
            asked.append(body)
            first = len(asked) == 1
        return answer_right(body) if first else second()

    return respond


class Stuck(FakeSandbox):
    """Runs the test of these requests, and never ends with an input that selection has made up."""

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        if list(inputs) != ["2\n"]:
            await anyio.sleep_forever()
        return await super().run(program, inputs, limits, stop_on_failure=stop_on_failure)


@pytest.mark.parametrize(
    ("second", "limits", "wish", "stopped"),
    [
        (lambda: chat("late", delay_s=PATIENCE_S), Limits(), {"max_seconds": 1}, "seconds"),
        (lambda: chat(fenced(SQUARE), usage=USAGE), Limits(max_tokens_request=30), {}, "tokens"),
        (lambda: failure(401, "wrong key"), Limits(), {}, "failure"),
    ],
    ids=["seconds", "tokens", "failure"],
)
def test_a_program_that_passed_before_a_limit_is_the_answer(start, second, limits, wish, stopped):
    """It is answered, not lost, and the answer says what ended the work."""
    served = start(once_then(second), limits=limits, settings=Settings(n=2, rounds=2))
    status, body = served.solve(sstar={"tests": [{"input": "3\n", "output": "6"}], **wish})
    assert status == 200
    (choice,) = body["choices"]
    assert choice["message"]["content"].startswith(fenced(RIGHT))
    assert choice["sstar"]["stopped"] == stopped
    assert choice["finish_reason"] == ("stop" if stopped == "failure" else "length")


def test_choosing_that_does_not_end_leaves_the_first_that_passed(start, monkeypatch):
    """When the time for choosing is over too, a program that passed is answered in each form of the API."""
    monkeypatch.setattr(solver, "_GRACE_S", 0.5)
    served = start(alternate(), sandbox=Stuck(run_known, workers=2))
    wish = {"tests": TESTS, "max_seconds": 1}
    status, body = served.solve(sstar=wish)
    assert (status, body["choices"][0]["finish_reason"]) == (200, "length")
    assert body["choices"][0]["sstar"]["stopped"] == "seconds"
    status, body = served.post("/v1/responses", {"model": "sstar-tiny", "input": TASK, "sstar": wish})
    assert (status, body["status"]) == (200, "incomplete")
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["output"][-1]["content"][0]["text"].startswith("```python\nprint(int(input()) *")


def test_seconds_of_a_request_end_a_call_that_hangs(start):
    """A model that does not answer is not waited for beyond them."""
    served = start(lambda _body: chat("late", delay_s=PATIENCE_S))
    status, body = served.solve(sstar={"max_seconds": 1})
    assert (status, body["error"]["code"]) == (504, "limit_reached")


def test_no_room_is_429_with_a_time_to_come_back(start):
    """One place, taken: the next request is refused, and served when the first has gone."""
    go = threading.Event()

    def respond(body):
        assert go.wait(PATIENCE_S)
        return answer_right(body)

    served = start(respond, limits=Limits(max_solving=1))
    first = threading.Thread(target=served.solve)
    first.start()
    served.wait_for_metric('sstar_requests_in_flight{kind="solved"}', "1")
    status, headers, content = served.ask(
        "POST",
        "/v1/chat/completions",
        {"model": "sstar-tiny", "messages": [{"role": "user", "content": TASK}]},
    )
    assert (status, json.loads(content)["error"]["code"]) == (429, "too_many_requests")
    assert int(headers["retry-after"]) >= 1
    go.set()
    first.join()
    assert served.solve()[0] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_stops_the_calls(start, stream):
    """What is in flight is cancelled, and its place is free."""
    asked = threading.Event()

    def respond(_body):
        asked.set()
        return chat("late", delay_s=PATIENCE_S)

    served = start(respond)
    connection = served.connect()
    body = {"model": "sstar-tiny", "messages": [{"role": "user", "content": TASK}], "stream": stream}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    assert asked.wait(PATIENCE_S)
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    served.wait_for_metric('sstar_requests_in_flight{kind="solved"}', "0")
    served.wait_for_metric('sstar_requests_total{kind="solved",outcome="aborted"}', "1")


def test_requests_at_the_same_time_see_nothing_of_each_other(start):
    """Each prompt holds its own task alone, and each answer is for its own request."""

    def respond(body):
        text = json.dumps(body["messages"])
        names = [name for name in ("alpha", "beta", "gamma", "delta") if name in text]
        return chat(fenced(f"{RIGHT}  # {' '.join(names)}"), usage=USAGE)

    served, found = start(respond), {}

    def work(name):
        _, body = served.solve(f"{TASK} Call it {name}.", sstar={"tests": TESTS})
        found[name] = body["choices"][0]["message"]["content"]

    threads = [threading.Thread(target=work, args=[name]) for name in ("alpha", "beta", "gamma", "delta")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: f"# {name}\n" in text for name, text in found.items()} == dict.fromkeys(found, True)
    assert len(found) == 4
