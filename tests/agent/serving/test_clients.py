"""The openai SDK, unchanged, with another address: passed through and solved."""

from __future__ import annotations

import json

import openai
import pytest

from sstar_code.agent.testing.server import Reply, chat
from tests.support.servers.served import RIGHT, TASK, TESTS, USAGE, fenced

SSTAR = {"sstar": {"tests": TESTS}}
ASKED = [{"role": "user", "content": TASK}]


def route(method, path, headers, content):
    """The pages that the double does not have: responses and text completions, whole or as a stream."""
    if method != "POST" or path not in ("/v1/responses", "/v1/completions"):
        return None
    if path == "/v1/completions":
        row = {"id": "c", "object": "text_completion", "created": 0, "model": "tiny"}
        choice = {"index": 0, "text": "plain", "finish_reason": "stop", "logprobs": None}
        return Reply(json.dumps({**row, "choices": [choice]}).encode())
    return Reply(json.dumps({"id": "r", "object": "response", "output": [], "model": "tiny"}).encode())


@pytest.fixture
def client(start):
    served = start(route=route)
    with openai.OpenAI(base_url=served.url, api_key="none", max_retries=0) as made:
        yield made


def test_chat(client):
    """The answer, its metadata and the usage are where the SDK looks for them."""
    made = client.chat.completions.create(model="sstar-tiny", messages=ASKED, extra_body=SSTAR)
    assert made.choices[0].message.content.startswith(fenced(RIGHT))
    assert made.choices[0].finish_reason == "stop"
    assert made.choices[0].sstar["tests"] == {"from": "sstar.tests", "passed": 1, "total": 1}
    assert made.usage.total_tokens == 30
    plain = client.chat.completions.create(model="tiny", messages=ASKED)
    assert plain.choices[0].message.content == fenced(RIGHT)


def test_chat_stream(client):
    """The pieces add up to the answer; progress comes as reasoning, usage last."""
    stream = client.chat.completions.create(
        model="sstar-tiny", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas).startswith(fenced(RIGHT))
    assert "candidate 1" in "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert chunks[-1].usage.total_tokens == 30
    (report,) = [
        chunk.choices[0].sstar for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason
    ]
    assert report["candidates"] == 2


def test_chat_stream_helper(client):
    """The helper that collects a stream does so."""
    with client.chat.completions.stream(model="sstar-tiny", messages=ASKED) as stream:
        for _ in stream:
            pass
        made = stream.get_final_completion()
    assert made.choices[0].message.content.startswith(fenced(RIGHT))


def test_responses(client):
    """`output_text` is the answer, the message has the metadata."""
    made = client.responses.create(model="sstar-tiny", input=TASK, extra_body=SSTAR)
    assert made.output_text.startswith(fenced(RIGHT))
    assert (made.status, made.usage.total_tokens) == ("completed", 30)
    assert made.output[-1].sstar["candidates"] == 2
    parts = [{"role": "user", "content": [{"type": "input_text", "text": TASK}]}]
    assert client.responses.create(model="sstar-tiny", input=parts).output_text.startswith(fenced(RIGHT))
    assert client.responses.create(model="tiny", input="hello").id == "r"


def test_responses_stream(client):
    """The events are those that the SDK collects into a response."""
    with client.responses.stream(model="sstar-tiny", input=TASK) as stream:
        kinds = [event.type for event in stream]
        made = stream.get_final_response()
    assert made.output_text.startswith(fenced(RIGHT))
    assert made.output[0].summary[0].text.startswith("candidate 1")
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_text_completions(client):
    """The older form has the program too."""
    made = client.completions.create(model="sstar-tiny", prompt=TASK)
    assert made.choices[0].text.startswith(fenced(RIGHT))
    pieces = client.completions.create(model="sstar-tiny", prompt=TASK, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces).startswith(fenced(RIGHT))
    assert client.completions.create(model="tiny", prompt="hello").choices[0].text == "plain"


def test_tools_are_the_models_own(start):
    """A request with tools, also one for `sstar-tiny`, gets the model's tool call."""
    function = {"name": "read_file", "arguments": '{"path": "a.py"}'}
    call = {"id": "call-1", "type": "function", "function": function}
    served = start(
        lambda _: chat(None, message={"tool_calls": [call]}, finish_reason="tool_calls", usage=USAGE)
    )
    tools = [{"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}]
    with openai.OpenAI(base_url=served.url, api_key="none", max_retries=0) as client:
        made = client.chat.completions.create(model="sstar-tiny", messages=ASKED, tools=tools)
    assert made.choices[0].message.tool_calls[0].function.name == "read_file"
    assert served.upstream.received[-1].body["tools"] == tools


def test_errors_are_those_of_the_sdk(client, start):
    """A technique that there is not, a model that fails in the middle of a stream, a wrong key."""
    with pytest.raises(openai.BadRequestError, match="did you mean 'beam'"):
        client.chat.completions.create(model="sstar-tiny", messages=ASKED, extra_body={"sstar": "bem"})
    with pytest.raises(openai.NotFoundError, match="sstar-tiny"):
        client.chat.completions.create(model="sstar-other", messages=ASKED)
    served = start(lambda _body: chat("no program", usage=USAGE), key="secret-of-this-server")
    wrong = openai.OpenAI(base_url=served.url, api_key="wrong", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError):
        wrong.models.list()
    with openai.OpenAI(base_url=served.url, api_key="secret-of-this-server", max_retries=0) as other:
        with pytest.raises(openai.APIError, match="held a program"):
            list(other.chat.completions.create(model="sstar-tiny", messages=ASKED, stream=True))
        assert [model.id for model in other.models.list()] == ["tiny", "sstar-tiny"]
