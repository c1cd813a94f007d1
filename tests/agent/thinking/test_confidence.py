"""Samples that the model is unsure of are given up while they come; the others vote by their confidence."""

from __future__ import annotations

import json

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.generation.develop import has_ended
from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.models import Answer, ModelUserError, OpenAIModel
from sstar_code.agent.models.openai.watch import StreamWatcher
from sstar_code.agent.models.request import UNSURE, Purpose, Stage, Watch, request_key
from sstar_code.agent.run.store import Store
from sstar_code.agent.testing.token_server import TokenServer
from sstar_code.agent.thinking.confidence import choose_least
from sstar_code.agent.thinking.lead import LedModel
from sstar_code.agent.thinking.options import Confidence, Thinking, read_thinking
from sstar_code.problems import UserError
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.selection import Candidate
from sstar_code.selection.methods.baselines import select_majority
from sstar_code.selection.pool import Pool
from tests.agent.thinking.scripts import DOUBLE, PROBLEM, SQUARE, make_request, run_program

PLAN = Thinking(confidence=Confidence(0.5, 2, 4))
LEVELS = {"good": 9.0, "fair": 5.0, "poor": 1.0}


def level_of(token):
    """The confidence of a token: that of the word, and much where it is no word of ours."""
    return LEVELS.get(token.strip(), 9.0)


async def ask_all(server, samples, *, store=None, order=None):
    """The answers of so many first samples, asked at once in this order, and their store."""
    store, answers = store or Store(), {}
    async with OpenAIModel("tiny", base_url=server.base_url) as model:
        stored = StoredModel(model, store, Budget(), max_in_flight=8)
        led = LedModel(stored, PROBLEM, FakeSandbox(run_program), PLAN, samples=samples)

        async def ask(number):
            request = make_request(seed=number)
            purpose = Purpose("p", Stage.GENERATE, number)
            answers[number] = await led.ask(
                type(request)(request.messages, purpose, seed=number, max_tokens=request.max_tokens)
            )

        async with anyio.create_task_group() as group:
            for number in order or range(samples):
                group.start_soon(ask, number)
    return [answers[number] for number in range(samples)], store


def scripted(*texts):
    """A server whose k-th seed writes the k-th text."""
    server = TokenServer(lambda _: "", opens=False)
    answer_chat = server.answer_chat

    def choose(body, cut_after):
        server.write = lambda _: texts[body["seed"]]
        return answer_chat(body, cut_after)

    server.answer_chat = choose
    server.sureness = level_of
    return server


@pytest.mark.anyio
async def test_a_sample_below_the_least_is_given_up_on_the_way():
    """Two samples set the least; of the later two one is cut where its window falls below, the other ends."""
    sure, fair = "good " * 8 + DOUBLE, "fair " * 8 + DOUBLE
    poor = "good " * 5 + "poor " * 100_000  # more than sockets hold, however late we read
    with scripted(sure, fair, sure, poor) as server:
        answers, store = await ask_all(server, 4, order=[3, 2, 1, 0])
        assert [answer.confidence for answer in answers[:3]] == [9.0, 5.0, 9.0]
        assert [answer.text for answer in answers[:3]] == [sure, fair, sure]
        assert (answers[3].finish_reason, answers[3].text) == (UNSURE, "")
        assert answers[3].reasoning == "good " * 5 + "poor poor"
        assert answers[3].usage.output == 7, "counted up to the end, as the server says"
        assert answers[3].usage.prompt is not None
        assert not answers[3].usage.estimated
        kept = {request.purpose.sample: request for request, _ in store.calls("p")}
        assert [kept[number].watch for number in range(4)] == [Watch(4)] * 2 + [Watch(4, 7.0)] * 2
        body = server.bodies[0]
        assert (body["stream"], body["logprobs"], body["top_logprobs"]) == (True, True, 20)
        before = len(server.bodies)
        again, _ = await ask_all(server, 4, store=store)
        assert len(server.bodies) == before, "nothing is asked twice"
        assert [(item.text, item.reasoning) for item in again] == [
            (item.text, item.reasoning) for item in answers
        ]
        with anyio.fail_after(60):
            while server.left != 1:  # noqa: ASYNC110 - of a thread, which stops writing when we leave
                await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_a_server_without_probabilities_is_told_of():
    """One line says what is missing."""
    with scripted(DOUBLE) as server:
        server.sureness = None
        with pytest.raises((ModelUserError, ExceptionGroup)) as told:
            await ask_all(server, 1)
    error = told.value.exceptions[0] if isinstance(told.value, ExceptionGroup) else told.value
    assert "--confidence: the server gives no log probabilities" in str(error)


def test_a_sample_that_was_given_up_has_ended():
    """It holds no program, whatever is in it, and is not repaired."""
    answer = Answer("", reasoning=DOUBLE, finish_reason=UNSURE)
    found = extract_code(answer, PROBLEM)
    assert found.code is None
    assert found.why.startswith("given up")
    assert has_ended(Lineage(0, (Round(0, finish_reason=UNSURE),)), PROBLEM)
    assert not has_ended(Lineage(0, (Round(0, code="x", verdict=Verdict.WA, finish_reason="stop"),)), PROBLEM)


def test_the_least_is_a_quantile():
    """Nine of ten have it or more with keep=0.9; without two samples there is none."""
    assert choose_least([float(number) for number in range(11)], 0.9) == pytest.approx(1.0)
    assert choose_least([3.0, 1.0], 0.5) == 2.0
    assert choose_least([1.0], 0.9) is None


@pytest.mark.anyio
async def test_votes_have_the_weight_of_their_confidence():
    """Two programs of little confidence are outvoted by one of much; else the larger cluster wins."""

    def choose(weights):
        programs = (SQUARE, SQUARE.replace("int(input())", "int( input() )"), DOUBLE)
        codes = [text.split("\n")[1] for text in programs]
        candidates = tuple(
            Candidate(code, 1, 1, weight=weight) for code, weight in zip(codes, weights, strict=True)
        )
        return select_majority(Pool(PROBLEM, candidates, FakeSandbox(run_program)))

    assert (await choose((1.0, 1.0, 1.0))).chosen == 0
    assert (await choose((1.0, 1.0, 3.0))).chosen == 2


def event(text, *levels):
    entries = [{"token": "x", "top_logprobs": [{"logprob": -level}]} for level in levels]
    choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": entries}}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


@given(st.lists(st.integers(1, 60), max_size=20), st.integers(1, 6))
def test_a_stream_is_read_alike_however_it_is_cut(cuts, window):
    """Pieces may end anywhere, several tokens may come at once, and other lines stay as they are."""
    whole = b": ping\n\n" + event("a", 9.0) + event("bc", 5.0, 7.0) + b"data: {broken\n\n" + event("d", 1.0)
    expected = StreamWatcher(Watch(window))
    read = expected.feed(whole) + expected.end()
    watcher, got, place = StreamWatcher(Watch(window)), b"", 0
    for cut in [*cuts, len(whole)]:
        got += watcher.feed(whole[place : place + cut])
        place += cut
    assert got + watcher.end() == read
    assert (watcher.tokens, watcher.confidence) == (4, expected.confidence)
    assert b"logprob" not in read
    assert b"data: {broken" in read


@given(st.binary(max_size=200))
def test_no_stream_breaks_the_watcher(data):
    """Whatever a server sends goes on to those who tell what it is."""
    watcher = StreamWatcher(Watch(3, 1.0))
    watcher.feed(b"data: " + data + b"\n")
    watcher.feed(data)
    watcher.end()


def test_a_request_that_is_not_watched_has_the_key_it_always_had():
    """Stores and recordings of before are found."""
    assert request_key(make_request()) == ("9a2a20f208316e7d54239c71f5caade0944439d195de5e31de8b9f7366c5e112")
    assert request_key(make_request(watch=Watch(3))) != request_key(make_request())


@pytest.mark.parametrize("text", ["0.9", "keep=1", "keep=0", "keep=0.9,warmup=1", "keep=0.9,x=1", "window=3"])
def test_a_wrong_confidence_is_told(text):
    """The form is said."""
    with pytest.raises(UserError, match=r"--confidence .*: it must be keep=SHARE"):
        read_thinking(None, None, confidence=text)


def test_confidence_and_led_thinking_do_not_go_together():
    """The one watches a call, the other makes many of it."""
    with pytest.raises(UserError, match="leave the options that lead it out"):
        read_thinking(None, None, "1", confidence="keep=0.9")
