"""The client, and the whole evaluation, against a real vLLM. `.ci/live` starts one and runs this."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import anyio
import pytest

from sstar_code.agent.models import (
    Answer,
    ContextError,
    Message,
    ModelUserError,
    OpenAIModel,
    Purpose,
    Recorder,
    ReplayModel,
    Request,
    Stage,
)

URL = os.environ.get("SSTAR_LIVE_URL", "")
KEY = os.environ.get("SSTAR_LIVE_KEY", "")
MAX_LENGTH = int(os.environ.get("SSTAR_LIVE_MAX_LENGTH", "0"))

pytestmark = [
    pytest.mark.live,
    pytest.mark.anyio,
    pytest.mark.skipif(not URL, reason="no live server: run make test-live"),
]


def make_request(sample: int = 0, prompt: str = "def add(a, b):", **fields) -> Request:
    options = {"temperature": 1.0, "max_tokens": 24, "seed": sample, "extra": {"ignore_eos": True}} | fields
    return Request((Message("user", prompt),), Purpose("p", Stage.GENERATE, sample), **options)


def make_client(**options) -> OpenAIModel:
    return OpenAIModel("tiny", **{"base_url": URL, "api_key": KEY} | options)


async def ask_all(model, requests: list[Request]) -> list[Answer]:
    """Answers in the order of `requests`, all asked at once."""
    answers: dict[int, Answer] = {}

    async def ask(index: int) -> None:
        answers[index] = await model.ask(requests[index])

    async with anyio.create_task_group() as group:
        for index in range(len(requests)):
            group.start_soon(ask, index)
    return [answers[index] for index in range(len(requests))]


async def test_check_reads_what_vllm_says_of_itself():
    """Model, length and version come from the server."""
    async with make_client() as model:
        info = await model.check()
    assert info.models == ("tiny",)
    assert info.max_model_len == MAX_LENGTH
    assert info.version is not None
    assert info.version.startswith("vllm 0.")


async def test_sixteen_samples_differ_and_repeat_by_seed():
    """Sixteen samples asked at once differ by seed, and the same seeds give the same texts again."""
    requests = [make_request(sample) for sample in range(16)]
    async with make_client() as model:
        first = await ask_all(model, requests)
        second = await ask_all(model, requests)
    assert [answer.text for answer in first] == [answer.text for answer in second]
    assert len({answer.text for answer in first}) == 16


def read_running() -> int:
    """How many requests vLLM says it is running, by its own metrics."""
    with urllib.request.urlopen(URL.removesuffix("/v1") + "/metrics", timeout=60) as answer:
        page = answer.read().decode()
    return sum(
        int(float(count))
        for count in re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", page, re.MULTILINE)
    )


async def test_sixteen_samples_are_served_together():
    """Sixteen samples run at once, as vLLM itself counts them: none waits for the end of another."""
    requests = [make_request(sample, max_tokens=2048) for sample in range(16)]
    counts = []

    async with make_client() as model, anyio.create_task_group() as group:
        group.start_soon(ask_all, model, requests)
        with anyio.move_on_after(120):
            while 16 not in counts:
                counts.append(await anyio.to_thread.run_sync(read_running))
                await anyio.sleep(0.02)  # who asks without a rest keeps the server from its work
        group.cancel_scope.cancel()
    assert max(counts) == 16


async def test_no_temperature_is_greedy_only_when_asked():
    """Temperature 0 gives one text whatever the seed."""
    async with make_client() as model:
        answers = await ask_all(model, [make_request(sample, temperature=0.0) for sample in range(3)])
    assert len({answer.text for answer in answers}) == 1


async def test_length_and_counts_are_told():
    """An answer that was cut says so, and tokens are counted, cached ones included."""
    async with make_client() as model:
        request = make_request(prompt="x = 1\n" * 300, max_tokens=5)
        await model.ask(request)
        answer = await model.ask(request)
    assert answer.finish_reason == "length"
    assert answer.usage.output == 5
    assert answer.usage.prompt is not None
    assert answer.usage.prompt > 300
    assert answer.usage.cached is not None
    assert 0 < answer.usage.cached < answer.usage.prompt


async def test_a_stop_text_ends_the_answer():
    """The answer ends before the stop text that it would have contained."""
    async with make_client() as model:
        whole = await model.ask(make_request(3, max_tokens=60))
        stop = whole.text[len(whole.text) // 2 :][:2]
        answer = await model.ask(make_request(3, max_tokens=60, stop=(stop,)))
    assert answer.finish_reason == "stop"
    assert answer.text == whole.text[: whole.text.index(stop)]


async def test_the_servers_stream_says_the_same():
    """The same request streamed brings the same text in pieces: the server's seeds hold either way."""
    import openai

    request = make_request(5)
    async with make_client() as model:
        whole = await model.ask(request)
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0) as client:
        pieces: list[str] = []
        stream = await client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": request.messages[0].content}],
            temperature=1.0,
            max_tokens=24,
            seed=5,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        async for chunk in stream:
            pieces.extend(choice.delta.content or "" for choice in chunk.choices)
    assert len(pieces) > 2
    assert "".join(pieces) == whole.text


async def test_an_unknown_model_lists_those_served():
    """The server's 404 ends as a message with the names it serves."""
    async with OpenAIModel("nobody", base_url=URL, api_key=KEY) as model:
        with pytest.raises(ModelUserError, match="does not serve 'nobody'; it serves: tiny"):
            await model.ask(make_request())


async def test_a_wrong_key_is_refused():
    """The server's 401 names the variable, with a wrong key and with none."""
    for key in ("wrong", None):
        async with make_client(api_key=key) as model:
            with pytest.raises(ModelUserError, match=r"401: .*OPENAI_API_KEY"):
                await model.ask(make_request())


async def test_an_over_long_prompt_fails_its_call_alone():
    """The server's 400 is understood, as the call's fault or as the setting's, and the server goes on."""
    async with make_client() as model:
        with pytest.raises(ContextError, match="lower --max-tokens") as caught:
            await model.ask(make_request(prompt="x = 1\n" * MAX_LENGTH))
        assert caught.value.max_length == MAX_LENGTH
        with pytest.raises(ModelUserError, match="lower --max-tokens"):
            await model.ask(make_request(max_tokens=MAX_LENGTH * 2))
        with pytest.raises(ModelUserError, match="temperature"):
            await model.ask(make_request(temperature=-1.0))
        assert (await model.ask(make_request())).text


async def test_an_answer_that_does_not_fit_is_cut():
    """Where the prompt leaves less room than was asked for, the answer is cut and says so."""
    async with make_client() as model:
        short, long = await ask_all(model, [make_request(prompt="x = 1\n" * lines) for lines in (100, 200)])
        assert short.usage.prompt is not None
        assert long.usage.prompt is not None
        a_line = (long.usage.prompt - short.usage.prompt) / 100
        lines = 100 + int((MAX_LENGTH - 40 - short.usage.prompt) / a_line)
        answer = await model.ask(make_request(prompt="x = 1\n" * lines, max_tokens=1000))
    assert answer.finish_reason == "length"
    assert answer.usage.prompt is not None
    assert answer.usage.output is not None
    assert answer.usage.prompt + answer.usage.output == MAX_LENGTH


async def test_cancelled_calls_leave_the_server_free():
    """Calls given up in the middle do not hold the next one back."""
    async with make_client() as model:
        with anyio.move_on_after(0.3):
            await ask_all(model, [make_request(sample, max_tokens=4000) for sample in range(32)])
        assert (await model.ask(make_request())).text


async def test_real_answers_play_back(tmp_path):
    """What vLLM answered is played back to the letter."""
    requests = [make_request(sample) for sample in range(4)]
    path = tmp_path / "calls.jsonl"
    async with make_client() as model:
        with Recorder(model, path) as recorder:
            asked = await ask_all(recorder, requests)
    assert await ask_all(ReplayModel(path), requests) == asked


@pytest.mark.parametrize("method", ["adaptive", "sstar"])
def test_a_whole_evaluation_of_garbage_is_unsolved_and_no_error(tmp_path, method):
    """Three problems by a model of random weights: every one unsolved, none an error, whatever the method."""
    command = Path(sys.executable).parent / "sstar"
    run = tmp_path / "run"
    options = f"eval examples --limit 3 -m tiny --base-url {URL} --n 4 --rounds 1 --max-tokens 128 --json"
    done = subprocess.run(
        [command, *options.split(), "--select", method, "--out", str(run)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": KEY},
        cwd=tmp_path,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # an evaluation that ran to its end is done, whatever the score
    result = json.loads(done.stdout)
    assert (result["problems"], result["errors"]) == (3, 0)
    assert result["pass@1"] == result["selected@1"] == result["oracle"] == 0
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["errors"], summary["public_solved"], summary["unfinished"]) == (0, 0, 0)
    assert (run / "manifest.json").exists()
    assert KEY not in (run / "manifest.json").read_text()
