"""What the client makes of every way in which a server can fail."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from sstar_code.agent.models import (
    CallError,
    ContextError,
    ModelError,
    ModelUserError,
    OpenAIModel,
    RetryPolicy,
)
from sstar_code.agent.testing.server import Reply, ServerDouble, chat, failure
from tests.support.client import KEY, QUICK, ask_expecting, make_client, make_request, replies

pytestmark = pytest.mark.anyio


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
            assert (await model.ask(make_request())).text == "ok"
    assert len(server.received) == 2


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
async def test_the_servers_own_wait_is_obeyed(form, monkeypatch):
    """Retry-After in each of its forms sets the wait, up to the cap."""
    later = datetime.now(UTC) + timedelta(hours=1)
    headers = {
        "seconds": {"Retry-After": "3600"},
        "date": {"Retry-After": format_datetime(later, usegmt=True)},
        "milliseconds": {"Retry-After-Ms": "3600000"},
    }[form]
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("sstar_code.agent.models.retry.anyio.sleep", wait)
    with ServerDouble(replies(failure(429, headers=headers), chat("ok"))) as server:
        async with make_client(server) as model:
            await model.ask(make_request())
    (waited_s,) = waits
    assert QUICK.max_retry_after_s <= waited_s <= QUICK.max_retry_after_s + QUICK.first_wait_s


async def test_total_time_is_bounded():
    """No attempt begins after the total, however many are left: twelve waits of 25 ms fill it at the most."""
    policy = RetryPolicy(attempts=1000, first_wait_s=0.05, max_wait_s=0.05, total_s=0.3)
    with ServerDouble(lambda _: failure(503)) as server:
        await ask_expecting(ModelError, server, retry_policy=policy)
    assert len(server.received) <= 13


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


async def test_an_unknown_model_lists_those_served():
    """404 names what the server does serve, in `ask` and before a run in `check`."""
    with ServerDouble(lambda _: chat("ok"), models=("big", "small")) as server:
        message = await ask_expecting(ModelUserError, server)
        async with make_client(server) as model:
            with pytest.raises(ModelUserError, match=r"'tiny'.*big, small"):
                await model.check()
    assert message == f"{server.base_url} does not serve 'tiny'; it serves: big, small"


async def test_an_address_without_v1_is_explained():
    """A call says what is wrong with the path; the look before a run finds the path that is right."""
    with ServerDouble(lambda _: chat("ok")) as server:
        url = server.base_url.removesuffix("/v1")
        message = await ask_expecting(ModelUserError, server, base_url=url)
        async with make_client(server, base_url=url) as model:
            info = await model.check()
            assert (await model.ask(make_request())).text == "ok"
        async with make_client(server, base_url=f"{url}/nowhere") as model:
            with pytest.raises(ModelUserError, match="ends in /v1"):
                await model.check()
    assert "ends in /v1" in message
    assert (info.url, info.note) == (server.base_url, f"{url} has its API at /v1")


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
    """A refusal that no retry mends comes at once with what the server said, on one line.

    Where its words are not known, one short question tells whether it is about this prompt.
    """
    with ServerDouble(lambda _: reply) as server:
        message = await ask_expecting(error, server)
    assert text in message
    assert len(message) < 450
    unclear = "refused the request" in message
    assert [received.body["messages"][-1]["content"] for received in server.received[1:]] == [
        "Say ok."
    ] * unclear


async def test_a_refusal_of_one_prompt_fails_that_call_alone():
    """Where a short question is answered, or another call was, a refusal is about the prompt."""

    def respond(body):
        return failure(400, "no, not this") if "Add" in body["messages"][-1]["content"] else chat("ok")

    with ServerDouble(respond) as server:
        for _ in range(2):
            message = await ask_expecting(CallError, server)
            assert "this call alone has failed" in message
    assert len(server.received) == 4
