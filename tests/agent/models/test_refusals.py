"""What each status and word of a server means, and how long is waited for another try."""

from __future__ import annotations

import json
from types import SimpleNamespace

import anyio
import pytest

from sstar_code.agent.models import (
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
from sstar_code.agent.models.openai import address
from sstar_code.agent.models.openai.adjustments import Adjustments, find_refused
from sstar_code.agent.models.openai.completion import NoCompletionError, read_answer, read_completion
from sstar_code.agent.models.openai.refusal import explain, explain_missing, read_refusal
from sstar_code.agent.models.openai.served import read_models, serves
from sstar_code.agent.models.request import UnclearRefusalError
from sstar_code.agent.models.retry import TransientError, is_transient

URL = "http://127.0.0.1:8000/v1"


def refusal(status, message="no", **fields):
    return read_refusal(status, json.dumps({"error": {"message": message, **fields}}))


def why(status, message="no", *, has_key=True, max_tokens=None, **fields):
    return explain(
        refusal(status, message, **fields), url="u", key_name="K", has_key=has_key, max_tokens=max_tokens
    )


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        ('{"error": {"message": "a\\n b", "code": 7, "param": "p"}}', "a b", "7", "p"),
        ('{"error": {"detail": "d"}}', "d", "", ""),
        ('{"detail": "d"}', "d", "", ""),
        ('{"message": "m", "code": null}', "m", "", ""),
        ('{"error": "text"}', "text", "", ""),
        ("[1]", "[1]", "", ""),
        ("<html>\nx", "<html> x", "", ""),
        (" ", "no message", "", ""),
        ("x" * 300, "x" * 300, "", ""),
        ("x" * 301, "x" * 299 + "…", "", ""),
    ],
)
def test_a_refusal_is_read_from_any_body(body, message, code, param):
    """OpenAI's error object, FastAPI's detail, or any text, in one line of at most 300 letters."""
    found = read_refusal(400, body)
    assert (found.message, found.code, found.param) == (message, code, param)


@pytest.mark.parametrize(
    ("status", "fields", "refuses"),
    [
        (400, {"code": "unsupported_parameter", "param": "stop"}, True),
        (422, {"code": "unsupported_parameter", "param": "stop"}, True),
        (400, {"code": "unsupported_parameter", "param": "seed"}, False),
        (404, {"code": "unsupported_parameter", "param": "stop"}, False),
        (400, {"message": "'stop' is not supported"}, True),
        (400, {"message": "stop is not supported"}, True),
        (400, {"message": "stop: too many"}, False),
        (500, {"message": "stop is not supported"}, True),
        (503, {"message": "stop is not supported"}, False),
    ],
)
def test_a_field_that_is_not_known(status, fields, refuses):
    """Said by code or in words, with the status of a bad request."""
    found = find_refused(refusal(status, **{"message": "no"} | fields), {"model": "m", "stop": ["x"]})
    assert (found == "stop") is refuses


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (why(401), ModelUserError, "u answered 401: the key in K is wrong or may not use this model (no)"),
        (why(403, has_key=False), ModelUserError, "u answered 403: it wants a key: set K (no)"),
        (why(402), ModelUserError, "u answered 402: no quota left for the key in K (no)"),
        (
            why(429, code="insufficient_quota"),
            ModelUserError,
            "u answered 429: no quota left for the key in K (no)",
        ),
        (why(400, code="content_filter"), CallError, "u refused the prompt: no"),
        (why(300), ModelUserError, "u answered 300, a redirect: give the address it leads to as --base-url"),
        (why(399), ModelUserError, "u answered 399, a redirect: give the address it leads to as --base-url"),
        (why(400), UnclearRefusalError, "u refused the request (400): no"),
        (
            why(413),
            ContextError,
            ("prompt too long: longer than the model takes; lower --max-tokens or --rounds, or serve "
            "the model with a larger --max-model-len (no)"),
        ),
        (
            why(400, param="input_tokens", max_tokens=5),
            ContextError,
            ("prompt too long with --max-tokens 5: longer than the model takes; lower --max-tokens or "
            "--rounds, or serve the model with a larger --max-model-len (no)"),
        ),
        (
            why(422, "context size: 99", max_tokens=98),
            ContextError,
            ("prompt too long with --max-tokens 98: the model takes 99 tokens; lower --max-tokens or "
            "--rounds, or serve the model with a larger --max-model-len (context size: 99)"),
        ),
        (
            why(400, "context size: 99", max_tokens=99),
            UnclearRefusalError,
            ("u: the model takes 99 tokens, prompt and answer together, and 99 are asked for the answer "
            "alone: lower --max-tokens or serve the model with a larger --max-model-len"),
        ),
        (why(409, "context size: 99"), UnclearRefusalError, "u refused the request (409): context size: 99"),
    ],
)  # fmt: skip
def test_each_refusal_says_what_to_do(fault, kind, words):
    """Whether the call, the key, the address or a setting is at fault."""
    assert type(fault) is kind
    assert str(fault) == words


def test_codes_for_too_long_a_prompt():
    """Whatever the status."""
    for code in ("context_length_exceeded", "exceed_context_size_error"):
        assert isinstance(why(404, code=code), ContextError)
    assert why(413).max_length is None
    assert why(422, "context size: 99").max_length == 99


def test_models_that_are_served_are_listed():
    """Twenty at most, with the number of the others."""
    names = tuple(f"m{number}" for number in range(22))
    missing = refusal(404)
    assert explain_missing(missing, "u", "x", names[:20]).endswith(", m19")
    assert explain_missing(missing, "u", "x", names[:21]).endswith(", m19 and 1 more")
    assert explain_missing(missing, "u", "x", names).endswith(", m19 and 2 more")
    assert explain_missing(missing, "u", "x", ()) == (
        "u answered 404 (no): wrong model name 'x', or not the address of an OpenAI-compatible server, "
        "which mostly ends in /v1"
    )


@pytest.mark.parametrize(
    ("name", "known", "is_served"),
    [
        ("m", "m", True),
        ("m:free", "m", True),
        ("m", "org/m", True),
        ("m", "org-m", False),
        ("org/m", "m", False),
        ("m", "m2", False),
    ],
)
def test_a_model_is_served_under_a_gateways_name_too(name, known, is_served):
    """With a prefix, or without a variant's suffix."""
    assert serves(name, ["other", known]) is is_served


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"data": {}}', '{"data": [1, {"id": 2}, {}]}'])
def test_no_list_of_models(body):
    """What is no list of models names none."""
    assert read_models(body) == {}
    assert list(read_models('{"data": [{"id": "a"}, {"id": "b"}]}')) == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "loopback", "private"),
    [
        ("http://localhost:8000/v1", True, True),
        ("http://a.localhost/v1", True, True),
        ("http://127.0.0.2/v1", True, True),
        ("http://[::1]:1/v1", True, True),
        ("http://10.0.0.1/v1", False, True),
        ("http://8.8.8.8/v1", False, False),
        ("http://gpu/v1", False, True),
        ("http://gpu.lan/v1", False, True),
        ("http://gpu.internal/v1", False, True),
        ("https://api.example.com/v1", False, False),
    ],
)
def test_where_an_address_leads(url, loopback, private):
    """To this machine, or to its own network."""
    assert (address.is_loopback(url), address.is_private(url)) == (loopback, private)
    assert address.show_url("http://me:secret@h:1/v1?key=x#y") == "http://h:1/v1"


@pytest.mark.parametrize(
    ("role", "roles", "first"),
    [
        ("system", ["system", "user"], "s"),
        ("developer", ["developer", "user"], "s"),
        ("user", ["user"], "s\n\nu"),
    ],
)
def test_a_body_holds_what_was_asked(role, roles, first):
    """Zero is a temperature and a seed; nothing that was not given is sent."""
    messages = (Message("system", "s"), Message("user", "u"))
    request = Request(messages, Purpose("p", Stage.DEBUG), temperature=0.0, seed=0, max_tokens=1)
    body = Adjustments(role, "max_completion_tokens").build_body(request, "m")
    assert [message["role"] for message in body["messages"]] == roles
    assert body["messages"][0]["content"] == first
    assert {name: value for name, value in body.items() if name != "messages"} == {
        "model": "m",
        "temperature": 0.0,
        "seed": 0,
        "max_completion_tokens": 1,
    }
    lone = Request((Message("user", "u"),), Purpose("p", Stage.DEBUG))
    assert Adjustments(role).build_body(lone, "m") == {
        "model": "m",
        "messages": [{"role": "user", "content": "u"}],
    }


@pytest.mark.parametrize(
    ("content", "finish", "opened", "text", "reasoning"),
    [
        ("all of it", "length", True, "", "all of it"),
        ("  <think>all of it", "length", True, "", "all of it"),
        ("all of it", "stop", True, "all of it", ""),
        ("all of it", "length", False, "all of it", ""),
        ("hm</think>done", "length", True, "done", "hm"),
    ],
)
def test_thinking_that_the_template_opened(content, finish, opened, text, reasoning):
    """An answer that was cut before any end of its thinking is all thinking."""
    data = {"choices": [{"message": {"content": content}, "finish_reason": finish}]}
    answer = read_answer(data, model="m", seconds=0, opened=opened)
    assert (answer.text, answer.reasoning) == (text, reasoning)


def test_counts_that_are_none_are_not_known():
    """True is no number of tokens; 0 is one."""
    details = {"cached_tokens": True}
    usage = {"prompt_tokens": 0, "completion_tokens": "5", "prompt_tokens_details": details}
    counts = read_answer({"usage": usage}, model="m", seconds=0).usage
    assert (counts.prompt, counts.cached, counts.output, counts.reasoning) == (0, None, None, None)


@pytest.mark.parametrize(
    ("status", "transient", "outage", "busy"),
    [
        (400, False, False, False),
        (404, False, False, False),
        (408, True, False, False),
        (409, True, False, False),
        (425, True, False, False),
        (429, True, False, True),
        (499, False, False, False),
        (500, True, True, False),
        (501, True, False, False),
        (502, True, True, False),
        (503, True, False, True),
        (504, True, True, False),
    ],
)
def test_what_a_status_says(status, transient, outage, busy):
    """Whether another try may help, the server is ending, or it has no room."""
    fault = TransientError("x", status=status)
    assert (is_transient(status), fault.is_outage, fault.is_busy) == (transient, outage, busy)


def test_a_connection_that_ends_is_an_outage():
    """So is one that nobody takes; a time-out is not."""
    assert TransientError("x", unreachable=True).is_outage
    assert TransientError("x", broken=True).is_outage
    assert not TransientError("x").is_outage
    assert (TransientError("x").wait_s, TransientError("x").unreachable) == (0.0, False)


@pytest.mark.parametrize(
    ("attempt", "busy", "dice", "retry_after_s", "wait_s"),
    [
        (1, False, 1.0, None, 0.5),
        (1, False, 0.0, None, 0.25),
        (2, False, 1.0, None, 1.0),
        (6, False, 1.0, None, 16.0),
        (7, False, 1.0, None, 30.0),
        (9999, False, 0.5, None, 22.5),
        (7, True, 1.0, None, 4.0),
        (1, False, 0.0, 3.0, 3.0),
        (1, False, 1.0, 3.0, 3.5),
        (1, True, 0.0, 500.0, 120.0),
    ],
)
def test_waits_double_up_to_a_limit(attempt, busy, dice, retry_after_s, wait_s):
    """By default from half a second to half a minute, less among others; the server's own wins."""
    fault = TransientError("x", retry_after_s=retry_after_s)
    assert RetryPolicy().choose_wait_s(fault, attempt, busy=busy, dice=dice) == wait_s


def test_a_policy_of_short_waits_stays_short():
    """A busy server is not waited for longer than the policy allows."""
    policy = RetryPolicy(max_wait_s=1.0, max_busy_wait_s=4.0)
    assert policy.choose_wait_s(TransientError("x"), 9, busy=True, dice=1.0) == 1.0
    assert (RetryPolicy().attempts, RetryPolicy().total_s) == (7, 900.0)


MODELS = json.dumps({"data": [{"id": "tiny", "context_length": 512, "owned_by": "me"}, {"id": "b"}]})


def look(status, text="{}", *, base_url=URL, **options):
    """What the look before a run finds where the server answers so."""

    async def run():
        model = OpenAIModel("tiny", base_url=base_url)

        async def send(*_, **__):
            await anyio.lowlevel.checkpoint()
            return SimpleNamespace(status_code=status, text=text, headers={})

        model._connection.send = send
        info = await model.check(**options)
        assert model.describe() == [info.as_json()]
        return info

    return anyio.run(run)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422, 500])
def test_a_server_that_does_not_list_its_models_passes(status):
    """The first call will tell."""
    info = look(status)
    assert (info.models, info.max_model_len, info.version) == ((), None, None)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (300, ModelUserError, "a redirect"),
        (401, ModelUserError, "answered 401"),
        (429, ModelError, "is not ready: it answered 429"),
        (502, ModelError, "is not ready: it answered 502"),
    ],
)
def test_a_server_that_is_not_ready_or_refuses(status, kind, words):
    """Says which of the two it is."""
    with pytest.raises(kind, match=words):
        look(status)


def test_an_address_without_a_version_is_none():
    """A page that is missing there is no server that lists nothing."""
    with pytest.raises(ModelUserError, match="mostly ends in /v1"):
        look(404, base_url="http://127.0.0.1:8000/api")


def test_a_list_of_models_is_believed():
    """The length is that of the model asked for; another model is refused unless any will do."""
    info = look(200, MODELS)
    assert (info.models, info.max_model_len, info.version) == (("tiny", "b"), 512, None)
    other = json.dumps({"data": [{"id": "b"}]})
    with pytest.raises(ModelUserError, match="does not serve 'tiny'; it serves: b"):
        look(200, other)
    assert look(200, other, any_model=True).models == ("b",)


@pytest.mark.parametrize(("length", "shown"), [(99, 99), (100, 100), (101, 100)])
def test_garbage_is_shown_by_its_beginning(length, shown):
    """A hundred letters tell what sits at the address."""
    with pytest.raises(NoCompletionError, match="is not a chat completion") as caught:
        read_completion(b"x" * length)
    assert str(caught.value).count("x") == shown


@pytest.mark.parametrize(
    ("data", "opens"),
    [
        ({"token_strs": ["a", "<think>"]}, True),
        ({"token_strs": ["<think>", "\u010a", "\u0120"]}, True),
        ({"token_strs": ["<", "th", "ink", ">", "\n"]}, True),
        ({"token_strs": ["<think>", *[" "] * 15]}, True),
        ({"token_strs": ["<think>", *[" "] * 16]}, False),
        ({"token_strs": ["<think>", "x"]}, False),
        ({"token_strs": ["<think>", 7]}, True),
        ({"token_strs": "<think>"}, False),
        ([], False),
    ],
)
def test_a_template_that_opens_thinking(data, opens):
    """The last sixteen pieces of the prompt tell, however blanks are written."""

    async def run():
        model = OpenAIModel("tiny", base_url=URL)

        async def read_page(path, body):
            await anyio.lowlevel.checkpoint()
            assert (path, body["return_token_strs"], body["add_generation_prompt"]) == (
                "/tokenize",
                True,
                True,
            )
            return json.dumps(data)

        model.read_page = read_page
        return await model._asks_to_think()

    assert anyio.run(run) is opens
