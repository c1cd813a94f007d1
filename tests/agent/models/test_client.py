"""The client against a real server on the loopback interface."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import threading

import anyio
import httpx2
import pytest

from sstar_code.agent.models import (
    Message,
    ModelError,
    ModelUserError,
    OpenAIModel,
    Purpose,
    Request,
    RetryPolicy,
    Stage,
)
from sstar_code.agent.models.openai import bounded_transport
from sstar_code.agent.models.openai.bounded_transport import BoundedTransport
from sstar_code.agent.testing.server import Reply, ServerDouble, chat, failure
from sstar_code.problems import SstarError
from tests.support.client import KEY, ask_expecting, make_client, make_request, replies

pytestmark = pytest.mark.anyio


async def test_sends_what_was_asked_and_reads_the_answer():
    """Every field of the request reaches the server, the purpose does not, and the counts come back."""
    usage = {
        "prompt_tokens": 14,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    with ServerDouble(lambda _: chat("4", usage=usage), api_key=KEY) as server:
        async with make_client(server, api_key=KEY) as model:
            answer = await model.ask(
                make_request(temperature=0.5, max_tokens=9, seed=7, stop=("END",), extra={"top_k": 3})
            )
    assert server.received[0].body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Add two numbers."},
        ],
        "temperature": 0.5,
        "max_tokens": 9,
        "seed": 7,
        "stop": ["END"],
        "top_k": 3,
    }
    assert (answer.text, answer.finish_reason, answer.model) == ("4", "stop", "tiny")
    counts = answer.usage
    assert (counts.prompt, counts.cached, counts.output, counts.reasoning) == (14, 8, 5, 3)
    assert answer.seconds > 0


async def test_leaves_out_what_is_not_set():
    """A temperature of None and the other unset fields are the server's to choose."""
    with ServerDouble(lambda _: chat("")) as server:
        async with make_client(server) as model:
            await model.ask(make_request(temperature=None))
    assert set(server.received[0].body) == {"model", "messages"}


_PACKED = {
    "endless": ({}, b" " * (17 << 20)),
    "packed": ({"Content-Encoding": "gzip"}, gzip.compress(b" " * (17 << 20))),
    "packed twice": ({"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(b" " * (17 << 20)))),
    "not packed as it says": ({"Content-Encoding": "gzip"}, b"{}"),
}


@pytest.mark.parametrize("name", _PACKED)
async def test_a_response_without_bound_is_a_broken_connection(name):
    """How much memory a response takes here is not the server's to decide, however it is packed."""
    (headers, body) = _PACKED[name]
    with ServerDouble(lambda _: Reply(body, 200, headers)) as server:
        told = await ask_expecting(ModelError, server, retry_policy=RetryPolicy(attempts=1))
    assert "broke the connection: its response" in told


@pytest.mark.parametrize("charset", ["idna", "punycode", "undefined", "utf-16"])
async def test_a_server_does_not_choose_how_its_words_are_decoded(charset):
    """Some of Python's codecs fail whatever they are told about errors, and one takes for ever."""
    (body, kind) = (failure(400, "x" * (1 << 20)).body, f"application/json; charset={charset}")
    with ServerDouble(lambda _: Reply(body, 400, {"Content-Type": kind})) as server:
        assert "(400): xxx" in await ask_expecting(SstarError, server)


async def test_an_answer_that_is_packed_all_the_same_is_read():
    """None is asked for, since it could unpack to any length; a proxy may pack it nevertheless."""
    packed = gzip.compress(chat("4").body)
    with ServerDouble(lambda _: Reply(packed, 200, {"Content-Encoding": "gzip"})) as server:
        async with make_client(server) as model:
            answer = await model.ask(make_request())
    assert answer.text == "4"


async def test_sixteen_slow_samples_are_in_flight_together():
    """By default sixteen samples are all at the server before the first of them is answered."""
    all_there = threading.Barrier(16, timeout=180)

    def respond(_):
        all_there.wait()
        return chat("ok")

    with ServerDouble(respond) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model:
            await model.check()
            async with anyio.create_task_group() as group:
                for sample in range(16):
                    group.start_soon(model.ask, make_request(sample, seed=sample))
    assert server.most_in_flight == 16
    assert sorted(item.body["seed"] for item in server.received) == list(range(16))


@pytest.mark.parametrize(
    ("priorities", "priority", "sent"), [(True, 3, 3), (True, None, None), (False, 3, None)]
)
async def test_priority_is_sent_to_a_server_that_has_priorities(priorities, priority, sent):
    """The order that a call was given reaches a vLLM with priorities, and no other server."""
    with ServerDouble(lambda _: chat("ok")) as server:
        async with make_client(server) as model:
            model.priorities = priorities
            await model.ask(make_request(priority=priority))
    assert server.received[0].body.get("priority") == sent


async def test_few_frames_lie_between_a_call_and_the_sdk(monkeypatch):
    """From `ask` to the SDK's request a call passes at most four of our functions."""
    from openai import AsyncOpenAI

    frames: list[str] = []
    post = AsyncOpenAI.post

    async def spy(self, *args, **options):
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_globals["__name__"].startswith("sstar_code."):
                frames.append(frame.f_code.co_name)
            frame = frame.f_back
        return await post(self, *args, **options)

    monkeypatch.setattr(AsyncOpenAI, "post", spy)
    with ServerDouble(lambda _: chat("ok")) as server:
        async with make_client(server) as model:
            await model.ask(make_request())
    assert frames[-1] == "ask"
    assert len(frames) <= 4


async def test_connections_are_used_again_and_closed_when_left_alone(monkeypatch):
    """Requests at once have one connection each, up to the bound; one left alone goes later."""
    with ServerDouble(lambda _: chat("ok", delay_s=0.05)) as server:
        transport = BoundedTransport(most=3)

        async def ask(count):
            async with anyio.create_task_group() as group:
                for _ in range(count):
                    request = httpx2.Request("POST", f"{server.base_url}/chat/completions", json={"n": 1})
                    group.start_soon(transport.handle_async_request, request)
            sockets = [one._pool.connections for one in transport._all]
            return sum(len(each) for each in sockets)

        assert await ask(5) == 3
        assert await ask(1) == 3
        monkeypatch.setattr(bounded_transport, "_IDLE_S", -1.0)
        assert [await ask(1) for _ in range(3)] == [2, 1, 0]
        await transport.aclose()


async def test_no_more_calls_in_flight_than_allowed():
    """The bound holds at every moment and every call is answered."""
    with ServerDouble(lambda _: chat("ok", delay_s=0.05)) as server:
        async with make_client(server, max_in_flight=3) as model, anyio.create_task_group() as group:
            for sample in range(10):
                group.start_soon(model.ask, make_request(sample))
    assert server.most_in_flight == 3
    assert len(server.received) == 10


async def test_a_key_that_the_server_repeats_is_blotted_out(caplog):
    """Neither errors, nor log lines, nor repr show a key, even where the server's message does."""
    caplog.set_level(logging.DEBUG)
    with ServerDouble(lambda _: failure(403, f"bad key {KEY}")) as server:
        message = await ask_expecting(ModelUserError, server, api_key=KEY)
        assert KEY not in repr(make_client(server, api_key=KEY))
    assert "bad key ***" in message
    assert KEY not in caplog.text


async def test_the_name_of_the_token_limit_is_learnt():
    """A server that refuses max_tokens is asked with max_completion_tokens, from then on at once."""

    def respond(body):
        if "max_tokens" in body:
            text = "Unsupported parameter: 'max_tokens' is not supported with this model."
            return failure(400, text, code="unsupported_parameter", param="max_tokens")
        return chat(str(body["max_completion_tokens"]))

    with ServerDouble(respond) as server:
        async with make_client(server) as model:
            assert [(await model.ask(make_request(max_tokens=9))).text for _ in range(2)] == ["9", "9"]
    assert len(server.received) == 3


@pytest.mark.parametrize("role", ["developer", "user"])
async def test_system_messages_go_where_the_model_takes_them(role):
    """A model without a system role gets the same text under another."""
    with ServerDouble(lambda _: chat("ok")) as server:
        async with make_client(server, system_role=role) as model:
            await model.ask(make_request())
    messages = server.received[0].body["messages"]
    if role == "developer":
        assert messages[0] == {"role": "developer", "content": "Be brief."}
    else:
        assert messages == [{"role": "user", "content": "Be brief.\n\nAdd two numbers."}]


async def test_half_characters_do_not_stop_a_call():
    """Lone surrogates, which programs print and models escape, are replaced on both ways."""
    with ServerDouble(lambda _: Reply(chat("x\ud800y").body)) as server:
        async with make_client(server) as model:
            request = Request((Message("user", "a\udcffb"),), Purpose("p", Stage.DEBUG))
            assert (await model.ask(request)).text == "x?y"
    assert server.received[0].body["messages"][0]["content"] == "a?b"


@pytest.mark.parametrize(
    "message", [{"content": None}, {"content": ""}, {"role": "assistant"}, {"content": [], "refusal": None}]
)
async def test_an_empty_answer_is_an_answer(message):
    """A model that ended without a word has answered; no count is made up as if the server had given it."""
    data = {"choices": [{"message": message, "finish_reason": "length"}], "usage": {"prompt_tokens": "many"}}
    with ServerDouble(lambda _: Reply(json.dumps(data).encode())) as server:
        async with make_client(server) as model:
            answer = await model.ask(make_request())
    assert answer.text == ""
    assert answer.usage.estimated


async def test_cancelling_frees_the_place_and_the_client():
    """A cancelled call ends at once, without a retry, and later calls find the client sound."""
    with ServerDouble(replies(chat("slow", delay_s=30), failure(503), chat("ok"))) as server:
        async with make_client(server, max_in_flight=1) as model:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(model.ask, make_request())
                    while not server.received:  # noqa: ASYNC110 - the server is in a thread
                        await anyio.sleep(0.01)
                    scope.cancel()
            assert scope.cancelled_caught
            assert (await model.ask(make_request())).text == "ok"
    assert len(server.received) == 3


async def test_check_tells_what_is_served():
    """The look before a run brings names, length, version and latency, and costs no call."""
    with ServerDouble(lambda _: chat("ok"), models=("other", "tiny"), api_key=KEY) as server:
        async with make_client(server, api_key=KEY) as model:
            info = await model.check()
    assert (info.url, info.models, info.max_model_len) == (server.base_url, ("other", "tiny"), 4096)
    assert info.version == "vllm 0.0.0"
    assert info.seconds > 0
    assert server.received == []


async def test_environment_of_the_sdk_does_not_leak(monkeypatch):
    """Ids and headers meant for another address are not sent to this one, nor through a proxy."""
    for name, value in {
        "OPENAI_API_KEY": KEY,
        "OPENAI_ORG_ID": "org",
        "OPENAI_PROJECT_ID": "project",
        "OPENAI_CUSTOM_HEADERS": f"Authorization: Bearer {KEY}",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    with ServerDouble(lambda _: chat("ok")) as server:
        async with make_client(server) as model:
            await model.ask(make_request())
    headers = server.received[0].headers
    assert headers["authorization"] == "Bearer EMPTY"
    assert not {"openai-organization", "openai-project"} & set(headers)
    assert KEY not in str(headers)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "", "ftp://x/v1", "http://", "http://x:port/v1"])
async def test_an_address_that_is_none_is_refused_at_once(url):
    """What is not an http address is a message, before any call."""
    with pytest.raises(ModelUserError, match="--base-url"):
        OpenAIModel("tiny", base_url=url)


async def test_a_password_in_the_address_is_not_shown():
    """Messages and repr name the address without its credentials."""
    model = OpenAIModel(
        "tiny", base_url="http://me:hidden@127.0.0.1:1/v1", retry_policy=RetryPolicy(attempts=1)
    )
    async with model:
        with pytest.raises(ModelError) as caught:
            await model.ask(make_request())
    assert "hidden" not in f"{caught.value} {model!r}"


async def test_a_key_with_strange_characters_is_refused():
    """A key that no header can carry is named by its variable, not by a traceback."""
    with pytest.raises(ModelUserError, match="OPENAI_API_KEY"):
        OpenAIModel("tiny", base_url="http://127.0.0.1:1/v1", api_key="sk-\u2013x")
