"""Requests that are passed through: nothing of them or of their responses is changed."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from http.client import IncompleteRead

import pytest

from sstar_code.agent.serving import run
from sstar_code.agent.testing.server import Reply, ServerDouble, failure
from tests.support.servers.served import PATIENCE_S, TASK, answer_right

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}


class Recorder:
    """An upstream that keeps what it gets and answers what it is told."""

    def __init__(self, reply=None):
        self.reply = reply or Reply(b'{"made": "up"}')
        self.got = []

    def __call__(self, method, path, headers, content):
        if method != "POST" or not path.startswith("/v1/"):
            return None
        self.got.append((method, path, headers, content))
        return self.reply


@pytest.mark.parametrize("page", ["chat/completions", "completions", "responses", "embeddings"])
def test_a_request_and_its_response_go_through_byte_for_byte(start, page):
    """Body, status, headers and content are the upstream's, whatever they hold."""
    recorder = Recorder(Reply(b'{"odd" :  [1,2]}\n', 418, {"x-odd": "yes", "retry-after": "7"}))
    served = start(route=recorder)
    sent = b'{ "model":"tiny",  "tools":[{"a":1}], "x": 1e2, "messages":[] }\n'
    status, headers, content = served.ask("POST", f"/v1/{page}", sent)
    assert (status, content) == (418, b'{"odd" :  [1,2]}\n')
    assert (headers["x-odd"], headers["retry-after"]) == ("yes", "7")
    ((method, path, _, got),) = recorder.got
    assert (method, path, got) == ("POST", f"/v1/{page}", sent)


def test_a_body_that_is_no_json_is_judged_by_the_upstream(start):
    """The error is the one that the upstream gives."""
    recorder = Recorder(failure(400, "what is this?"))
    served = start(route=recorder)
    status, body = served.post("/v1/chat/completions", b"not json")
    assert (status, body["error"]["message"]) == (400, "what is this?")
    assert recorder.got[0][3] == b"not json"


def test_a_stream_arrives_as_it_is_written(start):
    """The first piece is there before the upstream writes the second."""
    seen = threading.Event()

    def pieces():
        yield b"data: one\n\n"
        assert seen.wait(PATIENCE_S)
        yield b"data: [DONE]\n\n"

    served = start(route=Recorder(Reply(pieces(), headers={"content-type": "text/event-stream"})))
    connection = served.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}))
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream"
    assert response.readline() == b"data: one\n"
    seen.set()
    assert response.read() == b"\ndata: [DONE]\n\n"
    connection.close()


def test_a_client_that_hangs_up_ends_the_request_behind(start):
    """The upstream sees that its client is gone, and the place is free again."""
    ended = threading.Event()

    def pieces():
        try:
            yield b"data: one\n\n"
            while True:
                yield b""
                threading.Event().wait(0.01)
        finally:
            ended.set()

    served = start(route=Recorder(Reply(pieces())))
    connection = served.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps(CHAT))
    assert connection.getresponse().readline() == b"data: one\n"
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    assert ended.wait(PATIENCE_S)
    served.wait_for_metric('sstar_requests_in_flight{kind="passed"}', "0")
    served.wait_for_metric('sstar_requests_total{kind="passed",outcome="aborted"}', "1")


def test_an_upstream_that_breaks_off_breaks_the_response_off(start):
    """A client is not told that a response is whole when it is not."""
    served = start(route=Recorder(Reply(iter_pieces(), cut=True)))
    connection = served.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps(CHAT))
    with pytest.raises((ConnectionError, IncompleteRead)):
        connection.getresponse().read()
    connection.close()


def iter_pieces():
    yield b"data: one\n\n"


def test_an_upstream_that_dies_and_comes_back(start):
    """While it is gone a client is told so in a word of the API; then it is served again."""
    served = start()
    port = int(served.upstream.base_url.rpartition(":")[2].removesuffix("/v1"))
    assert served.post("/v1/chat/completions", CHAT)[0] == 200
    served.upstream._stop_listening()
    served.upstream._server.server_close()
    status, body = served.post("/v1/chat/completions", CHAT)
    assert (status, body["error"]["code"]) == (502, "upstream_failed")
    with ServerDouble(answer_right, port=port):
        assert served.post("/v1/chat/completions", CHAT)[0] == 200


def test_a_connection_that_ends_as_it_is_used_again_loses_no_request(start):
    """A server that closes idle connections may do so just then: the request goes over another one."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    served = start()
    seen = []

    def work(listening):
        while len(seen) < 3:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                got = b""
                while len(seen) < 3 and (piece := connection.recv(65536)):
                    got += piece
                    if not got.endswith(json.dumps(CHAT).encode()):
                        continue
                    seen.append(got)
                    got = b""
                    if len(seen) == 2:
                        break  # the second request of this connection gets no response
                    connection.sendall(answer)

    port = int(served.upstream.base_url.rpartition(":")[2].removesuffix("/v1"))
    served.upstream._stop_listening()
    served.upstream._server.server_close()
    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=work, args=[listening])
        thread.start()
        assert [served.post("/v1/chat/completions", CHAT)[0] for _ in range(2)] == [200, 200]
        thread.join()
    assert len(seen) == 3


def test_no_key_or_cookie_of_a_client_goes_on_and_none_comes_back(start, monkeypatch):
    """The upstream gets our key; the client's key, cookies and address stay here, and so do our cookies."""
    ours = {"set-cookie": "session=ours", "connection": "x-private", "x-private": "1"}
    recorder = Recorder(Reply(b"{}", headers=ours))
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-upstream")
    served = start(route=recorder)
    told = {
        "authorization": "Bearer client-key",
        "cookie": "a=b",
        "x-forwarded-for": "10.0.0.1",
        "forwarded": "for=10.0.0.1",
        "host": "localhost",
        "openai-beta": "x=1",
        "user-agent": "test",
    }
    _, headers, _ = served.ask("POST", "/v1/chat/completions", CHAT, told)
    got = recorder.got[0][2]
    assert got["authorization"] == "Bearer key-of-the-upstream"
    assert not {"cookie", "x-forwarded-for", "forwarded"} & set(got)
    assert (got["openai-beta"], got["user-agent"]) == ("x=1", "test")
    assert not {"set-cookie", "x-private"} & set(headers)


OURS = "key-of-the-upstream"
REFUSAL = json.dumps({"error": {"message": f"Incorrect API key provided: {OURS}"}}).encode()


def in_pieces():
    yield REFUSAL[:-12]
    yield REFUSAL[-12:]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Reply(REFUSAL, 401),
        lambda: Reply(in_pieces(), 401),
        lambda: Reply(REFUSAL, 200),
        lambda: Reply(gzip.compress(REFUSAL), 401, {"content-encoding": "gzip"}),
        lambda: Reply(b"{}", 401, {"www-authenticate": f'Bearer error="{OURS}"'}),
    ],
    ids=["whole", "pieces", "success", "packed", "header"],
)
@pytest.mark.parametrize("page", ["/v1/chat/completions", "/v1/embeddings", "/v1/models", "/v1/models/x"])
def test_our_key_does_not_come_back(start, monkeypatch, make, page):
    """A server that repeats it, in whatever form, gets stars or a refusal of ours to the client."""
    monkeypatch.setenv("OPENAI_API_KEY", OURS)
    asked = []

    def route(method, path, _headers, _content):
        asked.append(path)
        return make() if (method, path) != ("GET", "/v1/models") or len(asked) > 1 else None

    served = start(route=route)
    method = "GET" if "models" in page else "POST"
    told = {"accept-encoding": "gzip"}
    asked.append("the list of the start is over")
    status, headers, content = served.ask(method, page, CHAT if method == "POST" else None, told)
    assert page in asked
    assert OURS.encode() not in content
    assert headers.get("content-encoding") is None
    assert OURS not in str(headers)
    assert status in (200, 401, 502)


def test_a_technique_of_any_name_changes_no_page(start):
    """The path behind is one of ours, also for a technique that is called like a part of it."""
    recorder = Recorder()
    served = start(route=recorder)
    served.post("/sstar/v1/v1/embeddings", CHAT)
    assert recorder.got[0][1] == "/v1/embeddings"
    assert served.post("/sstar/v1/v1/chat/completions", CHAT)[0] in (400, 404)
    assert served.said == []


AGENT = "Answer with one command in a fence, like this:\n\n```my_bash_command\nls -la\n```"
TOLD = {"role": "user", "content": f"# USER: {TASK}"}
COMMIT = {"role": "system", "content": "Generate a one-line commit message for those changes."}
SUMMARY = {"role": "system", "content": "*Briefly* summarize this partial conversation about programming."}


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"logprobs": True},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": TASK}, {"type": "image_url"}]}]},
        {"messages": [{"role": "user", "content": TASK}, {"role": "assistant", "content": "def"}]},
        {"messages": [{"role": "user", "content": "What does this mean?"}]},
        {"sstar": False},
        {"messages": [{"role": "system", "content": AGENT}, {"role": "user", "content": TASK}]},
        {"messages": [{"role": "user", "content": f"Solve this issue: {TASK}\n\n{AGENT}"}]},
        {"messages": [COMMIT, TOLD]},
        {"messages": [SUMMARY, TOLD]},
    ],
    ids=[
        "tools",
        "logprobs",
        "json",
        "image",
        "prefilled",
        "question",
        "not wanted",
        "agent",
        "agent's task",
        "commit message",
        "summary",
    ],
)
def test_what_is_no_task_goes_to_the_model_itself(start, more):
    """A request for `sstar-tiny` that holds no task goes on with its name changed and nothing else."""
    recorder = Recorder()
    served = start(route=recorder)
    body = {"model": "sstar-tiny", "messages": [{"role": "user", "content": TASK}], "seed": 3, **more}
    assert served.post("/v1/chat/completions", body) == (200, {"made": "up"})
    expected = {**body, "model": "tiny"}
    expected.pop("sstar", None)
    assert json.loads(recorder.got[0][3]) == expected


def test_models_are_those_behind_and_ours(start):
    """The list has both; each can be looked up by name."""
    served = start()
    listed = json.loads(served.ask("GET", "/v1/models")[2])["data"]
    assert [row["id"] for row in listed] == ["tiny", "sstar-tiny"]
    assert json.loads(served.ask("GET", "/v1/models/sstar-tiny")[2])["owned_by"] == "sstar"
    assert served.ask("GET", "/v1/models/tiny")[0] == 404  # as the double says of a page it does not have


def test_a_redirect_is_not_followed_nor_handed_on(start):
    """A key, ours or the client's, goes to no other address."""
    served = start(route=Recorder(Reply(b"", 307, {"location": "http://example.org/"})))
    status, headers, content = served.ask("POST", "/v1/chat/completions", CHAT)
    assert (status, "location" in headers) == (502, False)
    assert b"redirect" in content


def test_health_and_metrics(start):
    """Both are there; a request is counted by its kind and outcome."""
    served = start()
    assert served.ask("GET", "/health")[2] == b'{"status": "ok"}'
    served.post("/v1/chat/completions", CHAT)
    assert served.metric('sstar_requests_total{kind="passed",outcome="2xx"}') == "1"


def test_pieces_are_sent_at_once():
    """The event loop turns off the delay of small pieces for sockets alone that say they are TCP."""
    with run.listen("127.0.0.1", 0) as made:
        assert made.proto == socket.IPPROTO_TCP
