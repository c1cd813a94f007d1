"""Reading answers and refusals, without a server."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.models import CallError, ContextError, Message, ModelUserError, Purpose, Request, Stage
from sstar_code.agent.models.openai.adjustments import Adjustments, find_refused
from sstar_code.agent.models.openai.completion import read_answer
from sstar_code.agent.models.openai.refusal import explain, read_refusal
from sstar_code.agent.models.request import Answer, Tokens, Usage, Watch, as_plain
from sstar_code.agent.models.retry import read_retry_after
from sstar_code.agent.models.scrub import scrub
from sstar_code.sandbox import Execution, Failure, Status
from tests.support.growth import assert_linear

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "reasoning", "usage", "text", "prompt_tokens_details"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thinking_that_the_server_parsed_is_kept_apart(name):
    """A reasoning field wins, and then the content is not searched for tags."""
    message = {"content": "about </think> tags", name: "hm"}
    answer = read_answer({"choices": [{"message": message}]}, model="m", seconds=1.5)
    assert (answer.text, answer.reasoning) == ("about </think> tags", "hm")
    assert (answer.model, answer.seconds, answer.finish_reason) == ("m", 1.5, "unknown")


def test_thinking_cut_by_the_limit_leaves_no_text():
    """A model that spent its whole limit thinking has answered nothing, and the reason is kept."""
    for message in ({"content": "<think>so much"}, {"content": None, "reasoning": "so much"}):
        answer = read_answer(
            {"choices": [{"message": message, "finish_reason": "length"}]}, model="m", seconds=0
        )
        assert (answer.text, answer.reasoning, answer.finish_reason) == ("", "so much", "length")


def test_what_a_server_gives_beside_content_is_read():
    """Parts of thinking, the arguments of tools, and a refusal, which is its own reason for ending."""

    def read(message):
        return read_answer({"choices": [{"message": message}]}, model="m", seconds=0)

    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]
    answer = read({"content": parts})
    assert (answer.text, answer.reasoning) == ("a", "hm")
    calls = [{"function": {"arguments": '{"code": "1"}'}}, {"function": {"arguments": {"n": 2}}}, "?", {}]
    assert read({"content": None, "tool_calls": calls}).text == '{"code": "1"}\n{"n": 2}'
    assert read({"content": "a", "tool_calls": calls}).text == "a"
    answer = read({"content": None, "refusal": "I can't."})
    assert (answer.text, answer.finish_reason) == ("I can't.", "refusal")


def test_content_in_parts_is_joined():
    """Servers that answer in parts are read as well."""
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, "?", {"type": "text", "text": "b"}]
    assert read_answer({"choices": [{"message": {"content": parts}}]}, model="m", seconds=0).text == "ab"


@given(st.dictionaries(st.sampled_from(["choices", "usage", "model"]), JSON))
def test_no_shape_of_answer_crashes_the_reader(data):
    """Any JSON object is read as some answer."""
    answer = read_answer(data, model="m", seconds=0)
    assert isinstance(answer.text, str)


@given(JSON.map(lambda value: value), st.integers(300, 599))
def test_no_shape_of_refusal_crashes_the_reader(data, status):
    """Any body is read as one capped line, without the key."""
    import json

    refusal = read_refusal(status, json.dumps(data) + "secret-key", secret="secret-key")
    assert "\n" not in refusal.message
    assert len(refusal.message) <= 300
    assert "secret-key" not in refusal.message


def test_system_text_without_a_user_message_becomes_one():
    """No text is lost when a model without a system role gets nothing but system messages."""
    request = Request((Message("system", "a"), Message("system", "b")), Purpose("p", Stage.JUDGE))
    body = Adjustments("user").build_body(request, "m")
    assert body["messages"] == [{"role": "user", "content": "a\n\nb"}]


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 4096),
        ("Requested token count exceeds the model's maximum context length of 4096 tokens.", 4096),
        ("max_tokens=5000 cannot be greater than max_model_len=4096.", 4096),
        ("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.", 4096),
    ],
)
def test_the_length_is_found_in_each_servers_words(message, limit):
    """The model's length is read from the message, and decides whether call or setting is at fault."""
    refusal = read_refusal(400, f'{{"error": {{"message": "{message}"}}}}')
    context = {"url": "u", "key_name": "K", "has_key": False}
    fault = explain(refusal, max_tokens=100, **context)
    assert isinstance(fault, ContextError)
    assert fault.max_length == limit
    assert isinstance(explain(refusal, max_tokens=limit, **context), ModelUserError)


def test_a_field_that_is_refused_for_its_value_is_not_unknown():
    """Too large a limit is not mistaken for a server that calls it something else."""
    large = read_refusal(400, '{"error": {"message": "max_tokens or max_completion_tokens is too large: 9"}}')
    assert find_refused(large, {"max_tokens": 9}) is None


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7.0),
    ],
)
def test_every_form_of_retry_after_is_read(headers, wait_s):
    """Seconds, dates and milliseconds are read, nonsense is ignored, the past is now."""
    assert read_retry_after(headers, now_s=10.0) == wait_s


FIELDS = ("temperature", "seed", "max_tokens", "max_completion_tokens", "top_p", "stop", "system", "n")
WORDS = (
    "not supported",
    "unknown",
    "is deprecated",
    "must be between 0 and 1",
    "extra inputs",
    "only",
    "too large",
)


@given(
    st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3), st.sampled_from(WORDS), st.integers(400, 501)
)
def test_adjusting_to_a_server_that_never_agrees_comes_to_an_end(names, words, status):
    """Whatever a server says again and again, what can be left out of a call runs out."""
    refusal = read_refusal(status, f"{' and '.join(names)} {words}")
    adjustments = Adjustments()
    messages = (Message("system", "s"), Message("user", "u"))
    request = Request(
        messages,
        Purpose("p", Stage.JUDGE),
        temperature=0.0,
        max_tokens=9,
        seed=1,
        stop=("x",),
        extra={"n": 1},
    )
    bodies = []
    for _ in range(12):
        bodies.append(adjustments.build_body(request, "m", {"top_p": 0.9}))
        if adjustments.learn(refusal, bodies[-1]) is None:
            break
    assert len(bodies) < 12
    assert all({"model", "messages"} <= set(body) for body in bodies)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Total length of prompt (5000) + max_tokens exceeds max_seq_len 9", ContextError),
        ("tokens in request more than max tokens allowed", ContextError),
        ("Requested tokens (5000) exceed context window of 9999", ContextError),
        ("prompt rejected by safety", CallError),
        ("The content contains illegal information", CallError),
        ("model `x` is not found", ModelUserError),
    ],
)
def test_words_that_are_in_no_situation(message, kind):
    """The kind is read from the words, not from the sentence."""
    refusal = read_refusal(400, f'{{"error": {{"message": "{message}"}}}}')
    assert type(explain(refusal, url="u", key_name="K", has_key=True, max_tokens=8, name="x")) is kind


@pytest.mark.parametrize("letters", ["a", "a-", "secret", "<title", "sk-", "u://", "password ", "\n"])
def test_a_long_refusal_is_read_in_proportion_to_its_length(letters):
    """A server says what it likes, and as much: the search for secrets in it must not hold the run up."""
    assert_linear(lambda size: scrub(letters * (size // len(letters))), 4_000)
    for start in ("", "<html>"):
        refusal = read_refusal(400, start + letters * (1 << 20))
        assert len(refusal.message) <= 300


@pytest.mark.parametrize(
    "record",
    [
        Request((), Purpose("p", Stage.JUDGE)),
        Request(
            (Message("user", "a"), Message("system", "b\ud800")),
            Purpose("p", Stage.DEBUG, 1, 2, "x"),
            0.5,
            stop=("\n",),
            extra={"logit_bias": {"1": -1.0}, "prompt": [1, "a"], "n": None},
            watch=Watch(3, 0.5),
        ),
        Answer(
            "t",
            "r",
            usage=Usage(1, 2, 3, 4, estimated=True),
            tokens=Tokens((1, 2), (3,), "4"),
            confidence=1.5,
        ),
        Execution(Status.RE, failure=Failure("ValueError", "m", 3), cpu_s=0.25),
    ],
)
def test_records_are_written_as_the_library_writes_them(record):
    """What is stored, and what a call's key is made of, is the JSON of `dataclasses.asdict`."""
    assert json.dumps(as_plain(record), sort_keys=True) == json.dumps(asdict(record), sort_keys=True)
