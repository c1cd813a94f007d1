"""Thinking that is led piece by piece, against a real vLLM: it is what one call would write."""

from __future__ import annotations

import json
import os
from pathlib import Path

import anyio
import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.generation.written import Written, write_on
from sstar_code.agent.models import Message, OpenAIModel, Purpose, Request, Stage
from sstar_code.agent.models.request import UNSURE, Watch
from sstar_code.agent.run.store import Store
from sstar_code.agent.thinking import switch, uncertainty
from sstar_code.agent.thinking.continuing import Draft, find_way
from sstar_code.agent.thinking.options import Mur, SwitchPenalty
from sstar_code.agent.thinking.switch import find_switch_tokens, think_on
from sstar_code.agent.thinking.uncertainty import ScaledSteps

URL = os.environ.get("SSTAR_LIVE_URL", "")
ALPHA, REPETITION = 3.0, 4.0
ROUNDING = float(os.environ.get("SSTAR_LIVE_ROUNDING", "0.02"))
"""What the logits of a server of 16 bits may be off."""

pytestmark = [
    pytest.mark.live,
    pytest.mark.anyio,
    pytest.mark.skipif(not URL, reason="no live server: run make test-live"),
]


def make_client() -> OpenAIModel:
    """A client under which the model's template opens thinking."""
    more = {"chat_template_kwargs": {"enable_thinking": True}}
    return OpenAIModel("tiny", base_url=URL, api_key=os.environ.get("SSTAR_LIVE_KEY", ""), more=more)


def make_request(**fields) -> Request:
    """Greedy; the penalty counts prompt and answer alike, and keeps a random model from one token."""
    extra = {"repetition_penalty": REPETITION}
    options = {"temperature": 0.0, "max_tokens": 90, "seed": 5, "extra": extra} | fields
    return Request((Message("user", "def add(a, b):"),), Purpose("p", Stage.GENERATE), **options)


async def think_in(model, pieces, request):
    """The tokens of thinking that is written in so many pieces of equal length."""
    way = await find_way(model, "p")
    assert way.is_exact
    draft = Draft(model, request, way)
    for _ in range(pieces):
        await draft.think(request.max_tokens // pieces)
    return [token for answer in draft.answers for token in answer.tokens.output]


async def test_what_is_continued_is_what_one_call_writes():
    """Token for token, in one piece, three or nine, at temperature 0 with a seed."""
    async with make_client() as model:
        stored = StoredModel(model, Store(), Budget(), max_in_flight=2)
        whole = await think_in(stored, 1, make_request())
        assert len(whole) == 90
        for pieces in (3, 9):
            assert await think_in(stored, pieces, make_request()) == whole


async def test_a_text_that_is_put_in_leaves_what_was_written():
    """The tokens before it stay as they are."""
    async with make_client() as model:
        way = await find_way(model, "p")
        draft = Draft(model, make_request(), way)
        first = await draft.think(20)
        draft.write("\nWait, x = 1\n")
        prompt = list(draft.pieces)
        await draft.think(20)
        assert draft.pieces[: len(prompt)] == prompt
        assert tuple(prompt[-21:-1]) == first.tokens.output


async def test_a_bias_of_nothing_changes_no_token():
    """The pieces of a switch penalty are those of one call where it penalises tokens that do not come."""
    async with make_client() as model:
        way = await find_way(model, "p")
        whole = await think_in(model, 1, make_request())
        tokens = await find_switch_tokens(model, "p", way)
        assert tokens
        penalty = SwitchPenalty(3.0, 20)
        never = tuple(token for token in range(900, 1_000) if token not in whole)[:4]
        draft = Draft(model, make_request(), way)
        await think_on(draft, 90, penalty, never)
        assert [token for answer in draft.answers for token in answer.tokens.output] == whole
        assert len(draft.answers) == 2


async def test_a_stream_tells_how_sure_the_model_is():
    """The confidence of a whole answer is measured; with a least above it the answer is given up early."""
    async with make_client() as model:
        request = make_request(temperature=1.0, extra={"ignore_eos": True}, watch=Watch(8))
        whole = await model.ask(request)
        assert whole.confidence is not None
        assert whole.confidence > 0
        assert whole.usage.output == 90
        cut = await model.ask(make_request(temperature=1.0, watch=Watch(8, 1e6)))
        assert cut.finish_reason == UNSURE
        assert 8 <= cut.usage.output < 90


@pytest.mark.parametrize("stop", ["\n\n", "\n"])
async def test_steps_are_what_one_call_writes(stop):
    """The steps of `beam:steps`, each up to a stop word, have the tokens and the text of one call.

    Also where the stop word stands in the middle of a token.
    """
    async with make_client() as model:
        request = make_request(max_tokens=200)
        whole = await write_on(model, request, Written(), request.purpose, flag="steps")
        written, pieces = Written(), 0
        while written.goes_on:
            stops = (stop, "e")
            written = await write_on(model, request, written, request.purpose, stops=stops, flag="steps")
            pieces += 1
            assert written.logprob < 0
    assert pieces > 2
    assert (written.output, written.text) == (whole.output, whole.text)
    assert len(written.output) == 200


async def test_steps_that_are_sure_are_what_one_call_writes(monkeypatch):
    """Under `--mur` an answer none of whose steps is scaled is that of one call, in more calls than one.

    Its steps end at an `e`, too: whether random weights write a line's end is chance.
    """
    monkeypatch.setattr(uncertainty, "_STOPS", (*uncertainty._STOPS, "e"))
    async with make_client() as model:
        store = Store()
        stored = StoredModel(model, store, Budget(), max_in_flight=2)
        request = make_request(max_tokens=200)
        answer = await ScaledSteps(stored, request, Mur(1e-9)).ask()
        whole = await write_on(model, request, Written(), request.purpose, flag="mur")
        assert len(list(store.answers())) > 1
    assert (answer.text, answer.usage.output) == (whole.as_answer().text, 200)


async def test_the_switch_penalty_is_that_of_a_logits_processor(monkeypatch):
    """Every token is what transformers choose with a processor that knows each token's age.

    The words are some that the model writes without a penalty: with it they come late, or once a thought is
    old, and begin another one. The engine rounds to 16 bits, so logits as near as that may change places; the
    penalty is a hundred times that.
    """
    async with make_client() as model:
        way = await find_way(model, "p")
        request = make_request(max_tokens=120)
        plain = await write_on(model, request, Written(), request.purpose, flag="plain")
        tokens, words = [], []
        for token in plain.output[8:]:
            text = json.loads(await model.read_page("/detokenize", {"tokens": [token]}))["prompt"].strip()
            if text.isalpha() and text.isascii() and len(text) > 3 and len(words) < 4:
                tokens.append(token)
                words.append(text)
        monkeypatch.setattr(switch, "WORDS", tuple(words))
        draft = Draft(model, request, way)
        await think_on(draft, 120, SwitchPenalty(ALPHA, 12), tuple(tokens))
    written = [token for answer in draft.answers for token in answer.tokens.output]
    assert len(written) == 120
    assert written != list(plain.output), "the penalty changes something"
    stops = {answer.tokens.stopped_by for answer in draft.answers}
    assert len(stops & set(words)) >= 2, "some thoughts began"
    told = {"tokens": tokens, "words": words, "alpha": ALPHA, "age": 12, "repetition": REPETITION}
    asked = json.dumps({"prompt": plain.prompt, "written": written, **told}).encode()
    python = Path(os.environ["SSTAR_LIVE_VLLM"]).with_name("python")
    command = [python, Path(__file__).with_name("penalize.py"), os.environ["SSTAR_LIVE_MODEL"]]
    ended = await anyio.run_process(command, input=asked, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    distances = json.loads(ended.stdout)
    assert max(distances) < ROUNDING
    assert sum(distance > 0 for distance in distances) < 12, "most are the largest"
