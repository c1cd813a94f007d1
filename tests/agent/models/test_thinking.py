"""Thinking that was cut is told from an answer, and a cap is claimed only where it was seen to hold."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.models import Message, OpenAIModel, Purpose, Request, Stage
from sstar_code.agent.models.openai.completion import read_answer
from sstar_code.agent.models.thinking import Cap, CappedModel, probe_cap
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.agent.testing.server import ServerDouble, chat, failure

pytestmark = pytest.mark.anyio

RIGHT = "```python\nprint(int(input()) * 2)\n```"
DRAFT = "```python\nprint('a draft')\n```"


def make_request(**fields) -> Request:
    return Request((Message("user", "x"),), Purpose("p", Stage.GENERATE), **{"max_tokens": 1000} | fields)


def count_words(body) -> int:
    return sum(len(message["content"].split()) for message in body["messages"])


def thinker(*, budget: str, shows: bool = True):
    """A model that would think for 5,000 words; `budget`: how the server takes the field."""

    def respond(body):
        limit = body.get("max_tokens", 10_000)
        if "thinking_token_budget" in body and budget == "refuses":
            return failure(400, "thinking_token_budget is set but reasoning_config is not configured")
        prompt = count_words(body) if shows else 3
        if body.get("continue_final_message"):
            assert body["add_generation_prompt"] is False
            usage = {"prompt_tokens": prompt, "completion_tokens": 5}
            return chat(RIGHT, usage=usage)
        wanted = 5000
        if budget == "keeps":
            wanted = min(wanted, body.get("thinking_token_budget", wanted))
        thought = min(wanted, limit)
        done = thought < limit
        text = "<think>" + "hm " * thought + ("</think>" + RIGHT if done else "")
        usage = {"prompt_tokens": prompt, "completion_tokens": thought + 5 * done}
        return chat(text, usage=usage, finish_reason="stop" if done else "length")

    return respond


async def see(respond) -> Cap:
    with ServerDouble(respond) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model:
            return await probe_cap(model.ask)


async def test_a_budget_that_holds_is_used():
    """Where the thinking that comes back is as short as asked, the server's budget is the way."""
    assert await see(thinker(budget="keeps")) is Cap.SERVER


@pytest.mark.parametrize("budget", ["ignores", "refuses"])
async def test_a_budget_that_is_ignored_or_refused_is_not_believed(budget):
    """A server that takes the field and thinks on is found out; its thinking is ended by asking again."""
    assert await see(thinker(budget=budget)) is Cap.CONTINUE


async def test_a_model_that_is_not_shown_its_thinking_cannot_be_capped():
    """A template that drops earlier thinking is found out by the length of the prompt."""
    assert await see(thinker(budget="ignores", shows=False)) is Cap.NONE


async def test_a_model_that_does_not_think_proves_nothing():
    """Without thinking in the answer no cap is claimed."""
    assert await see(lambda _: chat("There are 17.")) is Cap.UNSEEN


async def test_thinking_is_ended_by_asking_again():
    """The second call goes on after the thinking of the first; both are counted."""
    with ServerDouble(thinker(budget="ignores")) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model:
            answer = await CappedModel(model, Cap.CONTINUE, 50).ask(make_request())
    assert answer.text == RIGHT
    assert answer.reasoning.startswith("hm hm")
    assert (answer.usage.output, answer.usage.reasoning, answer.finish_reason) == (55, 50, "stop")
    first, second = (received.body for received in server.received)
    assert (first["max_tokens"], second["max_tokens"]) == (50, 950)
    last = second["messages"][-1]
    assert last["role"] == "assistant"
    assert last["content"].rstrip().endswith("</think>")


async def test_an_answer_without_thinking_is_gone_on_with():
    """A long answer that does not think is put together from both calls."""
    replies = [chat("one ", finish_reason="length", usage={}), chat("two", usage={})]
    with ServerDouble(lambda _: replies.pop(0)) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model:
            answer = await CappedModel(model, Cap.CONTINUE, 50).ask(make_request())
    assert answer.text == "one two"


@pytest.mark.parametrize("cap", list(Cap))
async def test_a_continuation_has_no_cap(cap):
    """An answer that goes on behind a given text has no thinking to end, and no other message behind it."""
    model = ScriptedModel(["rest"])
    request = Request(
        (Message("user", "x"), Message("assistant", "a")),
        Purpose("p", Stage.DEBUG),
        max_tokens=500,
        extra={"continue_final_message": True},
    )
    assert (await CappedModel(model, cap, 20).ask(request)).text == "rest"
    assert model.requests == [request]


@pytest.mark.parametrize(
    ("message", "finish", "opened"),
    [
        ({"content": f"<think>Let me try\n{DRAFT}"}, "length", False),
        ({"content": f"Let me try\n{DRAFT}\nno, wait"}, "length", True),
        ({"content": None, "reasoning": f"Let me try\n{DRAFT}"}, "length", False),
    ],
    ids=["tag", "template", "parser"],
)
def test_cut_thinking_is_no_answer(message, finish, opened):
    """A draft in thinking that never ended is not taken for the program, whoever opened it."""
    data = {"choices": [{"message": message, "finish_reason": finish}]}
    answer = read_answer(data, model="m", seconds=0.0, opened=opened)
    assert (answer.text, answer.is_cut_thinking) == ("", True)
    assert "a draft" in answer.reasoning


def test_what_ends_by_itself_is_an_answer():
    """A template that opens thinking does not make thinking of an answer that ended or closed it."""
    for text, finish in (("x = 1", "stop"), ("hm</think>x = 1", "length")):
        data = {"choices": [{"message": {"content": text}, "finish_reason": finish}]}
        assert read_answer(data, model="m", seconds=0.0, opened=True).text == "x = 1"


@pytest.mark.parametrize(
    ("end", "opens"), [(["<|a|>", "Ċ", "<th", "ink>", "Ċ"], True), (["assistant", "Ċ"], False)]
)
async def test_a_template_that_opens_thinking_is_seen(end, opens):
    """The server is asked for the prompt as the model sees it."""
    page = json.dumps({"count": 5, "token_strs": end})
    with ServerDouble(lambda _: chat("x"), posts={"/tokenize": page}) as server:
        async with OpenAIModel("tiny", base_url=server.base_url) as model:
            await model.check()
    assert model.opens_thinking is opens


def test_a_cap_is_told_or_the_command_ends(sstar, serve, write_set, isolated, folder):
    """`--max-thinking` says how it is kept, and ends the command with what to do where it cannot be."""
    words = ["eval", write_set(), "-m", "tiny", "--n", "1", "--max-thinking", "50", *isolated]
    kept = sstar(*words, "--base-url", serve(thinker(budget="keeps")).base_url, "--out", "run")
    assert "--max-thinking 50: the server ends thinking itself" in kept.err
    assert json.loads((folder / "run" / "manifest.json").read_text())["config"]["max_thinking"] == 50
    bad = serve(thinker(budget="ignores", shows=False))
    refused = sstar(*words, "--base-url", bad.base_url, "--out", "run2")
    assert refused.code == 2
    assert "--max-thinking 50: thinking cannot be capped here" in refused.err


def test_cut_thinking_is_counted(sstar, serve, write_set, isolated):
    """An evaluation says how many answers were cut while thinking."""
    server = serve(lambda _: chat("<think>hm", finish_reason="length"))
    words = ["eval", write_set(), "-m", "tiny", "--n", "2", "--rounds", "0", "--select", "first"]
    ended = sstar(*words, "--base-url", server.base_url, *isolated)
    assert "2 answers were cut while thinking: raise --max-tokens, or give --max-thinking" in ended.out
