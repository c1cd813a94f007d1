"""The client against a real server on the loopback interface that fails on demand."""

from __future__ import annotations

import json
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import pytest

from agent.models import (
    CallError,
    ContextError,
    Message,
    ModelError,
    ModelUserError,
    OpenAIModel,
    Purpose,
    Request,
    RetryPolicy,
    Stage,
)
from agent.models.testserver import Reply, ServerDouble, chat, failure

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(attempts=4, first_wait_s=0.01, max_wait_s=0.02, max_retry_after_s=0.3)
KEY = "sk-very-secret"


def make_request(sample: int = 0, **fields) -> Request:
    messages = (Message("system", "Be brief."), Message("user", "Add two numbers."))
    return Request(messages, Purpose("p", Stage.GENERATE, sample), **fields)


def make_client(server: ServerDouble, **options) -> OpenAIModel:
    return OpenAIModel(
        "tiny", **{"base_url": server.base_url, "retry_policy": QUICK, "on_retry": lambda _: None} | options
    )


def replies(*given: Reply):
    """Each reply once, in order."""
    left = list(given)
    return lambda body: left.pop(0)


async def ask_expecting(error: type[Exception], server: ServerDouble, **options) -> str:
    async with make_client(server, **options) as model:
        with pytest.raises(error) as caught:
            await model.ask(make_request(max_tokens=16))
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
    assert 0 < answer.seconds < 5


async def test_leaves_out_what_is_not_set():
    """A temperature of None and the other unset fields are the server's to choose."""
    with ServerDouble(lambda _: chat("")) as server:
        async with make_client(server) as model:
            await model.ask(make_request(temperature=None))
    assert set(server.received[0].body) == {"model", "messages"}


async def test_sixteen_slow_samples_are_in_flight_together():
    """Sixteen answers of one second each take less than two seconds by default."""
    with ServerDouble(lambda _: chat("ok", delay_s=1.0)) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model:
            await model.check()
            started = time.perf_counter()
            async with anyio.create_task_group() as group:
                for sample in range(16):
                    group.start_soon(model.ask, make_request(sample, seed=sample))
            seconds = time.perf_counter() - started
    assert server.most_in_flight == 16
    assert seconds < 2.0
    assert sorted(item.body["seed"] for item in server.received) == list(range(16))


async def test_no_more_calls_in_flight_than_allowed():
    """The bound holds at every moment and every call is answered."""
    with ServerDouble(lambda _: chat("ok", delay_s=0.05)) as server:
        async with make_client(server, max_in_flight=3) as model, anyio.create_task_group() as group:
            for sample in range(10):
                group.start_soon(model.ask, make_request(sample))
    assert server.most_in_flight == 3
    assert len(server.received) == 10


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
async def test_passing_faults_are_tried_again(status):
    """A status that may pass is retried, with one line a retry, and the answer arrives."""
    lines: list[str] = []
    with ServerDouble(replies(failure(status, "busy"), failure(status, "busy"), chat("ok"))) as server:
        async with make_client(server, on_retry=lines.append) as model:
            answer = await model.ask(make_request())
    assert answer.text == "ok"
    assert len(lines) == 2
    assert all(f"answered {status}: busy" in line and "\n" not in line for line in lines)
    assert "attempt 2 of 4" in lines[0]


@pytest.mark.parametrize(
    "broken",
    [
        chat("a text that is long enough to be cut in the middle"),
        Reply(b"<html><body>Bad gateway</body></html>", headers={"content-type": "text/html"}),
        Reply(b'{"choices": [{"mess'),
        Reply(b"[]"),
        Reply(b"\xff\xfe\x00garbage"),
        Reply(b'{"error": {"message": "provider is down", "code": 502}}'),
    ],
    ids=["cut", "html", "half JSON", "list", "bytes", "error with 200"],
)
async def test_broken_answers_are_tried_again(broken):
    """A cut connection or a body that is no chat completion is a fault of the way, not an answer."""
    if broken.body.startswith(b'{"id"'):
        broken = Reply(broken.body, cut=True)
    with ServerDouble(replies(broken, chat("ok"))) as server:
        async with make_client(server) as model:
            assert (await model.ask(make_request())).text == "ok"
    assert len(server.received) == 2


async def test_garbage_for_good_names_the_address_and_what_came():
    """When every attempt brings a proxy's page, the error shows its beginning and where it came from."""
    with ServerDouble(lambda _: Reply(b"<html>\nPlease log in" + b"." * 500)) as server:
        message = await ask_expecting(ModelError, server)
    assert server.base_url in message
    assert "<html> Please log in" in message
    assert len(message) < 300
    assert len(server.received) == QUICK.attempts


async def test_an_attempt_that_takes_too_long_is_given_up():
    """The wall limit ends a silent attempt, and the next one may answer."""
    with ServerDouble(replies(chat("late", delay_s=30), chat("ok"))) as server:
        async with make_client(server, timeout_s=0.3) as model:
            started = time.perf_counter()
            assert (await model.ask(make_request())).text == "ok"
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
async def test_the_servers_own_wait_is_obeyed(form):
    """Retry-After in each of its forms sets the wait, up to the cap."""
    later = datetime.now(UTC) + timedelta(hours=1)
    headers = {
        "seconds": {"Retry-After": "3600"},
        "date": {"Retry-After": format_datetime(later, usegmt=True)},
        "milliseconds": {"Retry-After-Ms": "3600000"},
    }[form]
    with ServerDouble(replies(failure(429, headers=headers), chat("ok"))) as server:
        async with make_client(server) as model:
            started = time.perf_counter()
            await model.ask(make_request())
    assert 0.3 <= time.perf_counter() - started < 2


async def test_total_time_is_bounded():
    """No attempt begins after the total, however many are left."""
    policy = RetryPolicy(attempts=1000, first_wait_s=0.05, max_wait_s=0.05, total_s=0.3)
    with ServerDouble(lambda _: failure(503)) as server:
        started = time.perf_counter()
        await ask_expecting(ModelError, server, retry_policy=policy)
        assert time.perf_counter() - started < 3
    assert len(server.received) < 20


async def test_nobody_listening_says_how_to_start_a_server():
    """A refused connection ends as an infrastructure error with the command that helps."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        async with OpenAIModel("tiny", base_url=url, retry_policy=QUICK, on_retry=lambda _: None) as model:
            for call in (lambda: model.ask(make_request()), model.check):
                with pytest.raises(ModelError, match=r"no server answers at .*vllm serve tiny.*--base-url"):
                    await call()


@pytest.mark.parametrize(
    ("key", "advice"), [(KEY, "key in OPENAI_API_KEY is wrong"), (None, "set OPENAI_API_KEY")]
)
async def test_a_wrong_key_names_the_variable(key, advice):
    """401 is the user's to mend, is not retried, and does not show the key."""
    with ServerDouble(lambda _: chat("ok"), api_key="another") as server:
        message = await ask_expecting(ModelUserError, server, api_key=key)
        async with make_client(server, api_key=key) as model:
            with pytest.raises(ModelUserError, match="OPENAI_API_KEY"):
                await model.check()
    assert advice in message
    assert KEY not in message


async def test_a_key_that_the_server_repeats_is_blotted_out(caplog):
    """Neither errors, nor log lines, nor repr show a key, even where the server's message does."""
    caplog.set_level(logging.DEBUG)
    with ServerDouble(lambda _: failure(403, f"bad key {KEY}")) as server:
        message = await ask_expecting(ModelUserError, server, api_key=KEY)
        assert KEY not in repr(make_client(server, api_key=KEY))
    assert "bad key ***" in message
    assert KEY not in caplog.text


async def test_an_unknown_model_lists_those_served():
    """404 names what the server does serve, in `ask` and before a run in `check`."""
    with ServerDouble(lambda _: chat("ok"), models=("big", "small")) as server:
        message = await ask_expecting(ModelUserError, server)
        async with make_client(server) as model:
            with pytest.raises(ModelUserError, match=r"'tiny'.*big, small"):
                await model.check()
    assert message == f"{server.base_url} does not serve 'tiny'; it serves: big, small"


async def test_an_address_without_v1_is_explained():
    """A base URL whose path is wrong says so before a run and in a call."""
    with ServerDouble(lambda _: chat("ok")) as server:
        url = server.base_url.removesuffix("/v1")
        message = await ask_expecting(ModelUserError, server, base_url=url)
        async with make_client(server, base_url=url) as model:
            with pytest.raises(ModelUserError, match="ends in /v1"):
                await model.check()
    assert "ends in /v1" in message


VLLM_TOO_LONG = (
    "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input "
    "tokens, which exceeds this limit even without any output tokens. (parameter=input_tokens, value=4097)"
)


@pytest.mark.parametrize(
    ("reply", "length"),
    [
        (failure(400, VLLM_TOO_LONG, param="input_tokens"), 4096),
        (failure(400, "maximum context length of 8192 tokens", code="context_length_exceeded"), 8192),
        (
            failure(400, "the request exceeds the available context size", code="exceed_context_size_error"),
            None,
        ),
        (failure(413, "too large"), None),
    ],
    ids=["vllm", "openai", "llama.cpp", "413"],
)
async def test_an_over_long_prompt_fails_its_call_alone(reply, length):
    """The error knows the model's length, says what to lower, and is one of this call."""
    with ServerDouble(lambda _: reply) as server:
        async with make_client(server) as model:
            with pytest.raises(ContextError, match="lower --max-tokens") as caught:
                await model.ask(make_request(max_tokens=16))
    assert caught.value.max_length == length
    assert isinstance(caught.value, CallError)
    assert len(server.received) == 1


async def test_an_answer_limit_beyond_the_model_is_the_users_to_lower():
    """Where no prompt at all could fit, the setting is wrong, not the call."""
    text = "max_tokens=16 cannot be greater than max_model_len=16. (parameter=max_tokens, value=16)"
    with ServerDouble(lambda _: failure(400, text, param="max_tokens")) as server:
        assert "lower --max-tokens" in await ask_expecting(ModelUserError, server)


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (
            failure(400, "temperature must be non-negative"),
            ModelUserError,
            "temperature must be non-negative",
        ),
        (Reply(b'{"detail": "Field required"}', 422), ModelUserError, "Field required"),
        (Reply(b"nope " * 200, 400), ModelUserError, "nope"),
        (Reply(b"", 301, {"location": "https://127.0.0.1/v1"}), ModelUserError, "redirect"),
        (failure(429, "quota", code="insufficient_quota"), ModelUserError, "no quota left"),
        (failure(400, "filtered", code="content_filter"), CallError, "filtered"),
    ],
    ids=["400", "422", "text", "redirect", "quota", "filter"],
)
async def test_other_refusals_carry_the_servers_words(reply, error, text):
    """A refusal that no retry mends comes at once with what the server said, on one line."""
    with ServerDouble(lambda _: reply) as server:
        message = await ask_expecting(error, server)
    assert text in message
    assert len(message) < 450
    assert len(server.received) == 1


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
    "data",
    [
        {},
        {"choices": []},
        {"choices": [{"message": {"content": None}, "finish_reason": "length"}], "usage": None},
        {"choices": [{"message": None}], "usage": {"prompt_tokens": "many"}},
        {"choices": ["?"]},
    ],
)
async def test_an_empty_answer_is_an_answer(data):
    """No choice, no message or no content is an empty text."""
    with ServerDouble(lambda _: Reply(json.dumps(data).encode())) as server:
        async with make_client(server) as model:
            answer = await model.ask(make_request())
    assert answer.text == ""
    assert answer.usage.prompt is None


async def test_cancelling_frees_the_place_and_the_client():
    """A cancelled call ends at once, without a retry, and later calls find the client sound."""
    with ServerDouble(replies(chat("slow", delay_s=30), failure(503), chat("ok"))) as server:
        async with make_client(server, max_in_flight=1) as model:
            with anyio.move_on_after(0.2) as scope:
                await model.ask(make_request())
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
    assert 0 < info.seconds < 5
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
