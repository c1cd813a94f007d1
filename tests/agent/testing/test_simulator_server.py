"""The simulated server over HTTP: whole and streamed answers, its own load, and faults on demand."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import replace

import anyio
import pytest

from sstar_code.agent.models import Message, ModelError, OpenAIModel, Purpose, Request, RetryPolicy, Stage
from sstar_code.agent.models.load import read_load
from sstar_code.agent.testing.server import ServerDouble, chat
from sstar_code.agent.testing.simulator import EngineSpec, Fault, Planned, Simulator

QUICK = EngineSpec(base_s=0.001, per_sequence_s=0.0, per_prompt_token_s=0.0, max_num_seqs=4)
SLOW = EngineSpec(base_s=0.01, per_sequence_s=0.0, per_prompt_token_s=0.0, max_num_seqs=2)
POLICY = RetryPolicy(attempts=3, first_wait_s=0.02, max_wait_s=0.05, max_busy_wait_s=0.05)


def plan(body):
    """Ten words, a token each."""
    return Planned(f"seed {body.get('seed')} one two three four five six seven eight", 10)


def make_request(sample: int = 0) -> Request:
    return Request((Message("user", "Count."),), Purpose("p", Stage.GENERATE, sample), seed=sample)


def make_client(server: ServerDouble, **options) -> OpenAIModel:
    given = {"retry_policy": POLICY, "on_retry": lambda _: None, **options}
    return OpenAIModel("tiny", base_url=server.base_url, **given)


async def wait_until(condition) -> None:
    """Wait for what happens in the server's thread."""
    with anyio.fail_after(180):
        while not condition():  # noqa: ASYNC110 - of another thread
            await anyio.sleep(0.01)


def fetch(server: Simulator, path: str, body=None) -> bytes:
    url = server.base_url.removesuffix("/v1") + path
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=180) as page:
        return page.read()


def post_chat(server: Simulator, **fields) -> bytes:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Count."}], **fields}
    return fetch(server, "/v1/chat/completions", body)


def read_events(text: bytes) -> list[str]:
    return [line.removeprefix("data: ") for line in text.decode().split("\n\n") if line]


@pytest.mark.anyio
async def test_the_client_gets_text_and_counts():
    """Through the real client: the planned text, prompt, cached and output tokens, a cut where asked."""
    with Simulator(QUICK, plan) as server:
        async with make_client(server) as model:
            info = await model.check()
            answer = await model.ask(make_request(7))
            short = await model.ask(Request(make_request().messages, make_request().purpose, max_tokens=3))
    assert info.models == ("tiny",)
    assert answer.text.startswith("seed 7 one")
    assert (answer.usage.output, answer.finish_reason) == (10, "stop")
    assert (short.usage.output, short.finish_reason) == (3, "length")


def test_streamed_samples_add_up_to_the_whole():
    """With n=2 and a stream, events of both interleave, end with a reason, and usage comes last."""
    with Simulator(SLOW, plan) as server:
        whole = json.loads(post_chat(server, n=2, seed=3))
        fields = {"n": 2, "seed": 3, "stream": True, "stream_options": {"include_usage": True}}
        *events, usage, done = read_events(post_chat(server, **fields))
    assert done == "[DONE]"
    texts, reasons, order = ["", ""], [None, None], []
    for event in map(json.loads, events):
        (choice,) = event["choices"]
        texts[choice["index"]] += choice["delta"].get("content", "")
        reasons[choice["index"]] = choice["finish_reason"]
        order.append(choice["index"])
    assert texts == [choice["message"]["content"] for choice in whole["choices"]]
    assert texts[0].startswith("seed 3")
    assert texts[1].startswith("seed 4")
    assert reasons == ["stop", "stop"]
    assert order != sorted(order)
    assert json.loads(usage)["usage"]["completion_tokens"] == 20


@pytest.mark.anyio
async def test_metrics_say_what_runs_and_waits():
    """With room for two, five requests are two running and three waiting; clients that go leave nothing."""
    with Simulator(SLOW, lambda _: Planned("x" * 100, 100)) as server:
        async with make_client(server) as model, anyio.create_task_group() as group:
            for sample in range(5):
                group.start_soon(model.ask, make_request(sample))
            await wait_until(lambda: (len(server.engine.running), len(server.engine.waiting)) == (2, 3))
            page = (await anyio.to_thread.run_sync(fetch, server, "/metrics")).decode()
            for load in (read_load(page), await model.read_load()):
                assert load is not None
                assert (load.running, load.waiting) == (2, 3)
            assert "vllm:kv_cache_usage_perc{" in page
            assert "vllm:prefix_cache_queries_total{" in page
            group.cancel_scope.cancel()
        await wait_until(lambda: not server.engine.running)
        assert (fetch(server, "/health"), json.loads(fetch(server, "/version"))["version"]) == (
            b"",
            "simulated",
        )


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fault",
    [
        Fault("refuse", status=429, retry_after_s=0.01),
        Fault("refuse", status=500),
        Fault("refuse", status=503),
        Fault("garbage"),
        Fault("cut", tokens=3),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
@pytest.mark.parametrize("engine", ["simulated", "scripted"])
async def test_after_a_fault_the_same_call_is_answered(fault, engine):
    """Each fault that passes costs an attempt and no answer, whatever writes the answers."""
    faults = [replace(fault)]
    with (
        Simulator(QUICK, plan, faults=faults)
        if engine == "simulated"
        else ServerDouble(lambda body: chat(plan(body).text), faults=faults)
    ) as server:
        async with make_client(server) as model:
            assert (await model.ask(make_request())).text.startswith("seed 0")
        assert len(server.received) == 2
        assert server.faults.met == [fault.kind]


def test_what_is_no_chat_request_is_refused():
    """A body that is not JSON, or has no messages, is answered 400 and counts as no request."""
    with Simulator(QUICK, plan) as server:
        for body in ([], {"model": "tiny"}, "text"):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                fetch(server, "/v1/chat/completions", body)
        assert server.received == []


@pytest.mark.anyio
async def test_a_cut_stream_ends_in_the_middle():
    """A stream that is cut has sent its first tokens and not its end; faults can be sent over HTTP."""
    with Simulator(SLOW, plan) as server:
        fetch(server, "/faults", {"kind": "cut", "tokens": 5})
        with pytest.raises((OSError, urllib.error.URLError, ValueError, Exception)) as broken:
            post_chat(server, stream=True)
        assert b"[DONE]" not in getattr(broken.value, "partial", b"")
        with pytest.raises(urllib.error.HTTPError, match="400"):
            fetch(server, "/faults", {"kind": "no such"})


@pytest.mark.anyio
async def test_death_refuses_connections():
    """A server that died in the middle of an answer is not there any more."""
    with Simulator(QUICK, plan, faults=[Fault("death", tokens=2)]) as server:
        async with make_client(server) as model:
            with pytest.raises(ModelError, match="no server answers"):
                await model.ask(make_request())
        assert server.dead.is_set()


@pytest.mark.anyio
async def test_a_full_line_is_refused_as_vllm_does():
    """503 without Retry-After where more wait than allowed; while others are answered no call is lost."""
    spec = EngineSpec(0.002, 0.0, 0.0, max_num_seqs=2, max_num_queued_reqs=1)
    with Simulator(spec, plan) as server:
        answers = []
        async with make_client(server) as model, anyio.create_task_group() as group:

            async def ask(sample):
                answers.append(await model.ask(make_request(sample)))

            for sample in range(20):
                group.start_soon(ask, sample)
    assert len(answers) == 20
    assert len(server.received) > 20
