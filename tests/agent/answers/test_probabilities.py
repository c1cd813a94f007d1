"""How likely a judge's answer was: read where the server tells, and asked for no more where it refuses."""

from __future__ import annotations

import json

import anyio
import pytest

from sstar_code.agent.models import Message, ModelUserError, OpenAIModel, Purpose, Request, Stage, request_key
from sstar_code.agent.models.openai.completion import read_answer
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.solving.context import Asking
from sstar_code.agent.testing.server import Reply, ServerDouble, chat, failure
from sstar_code.problems import Kind, Problem, Test
from sstar_code.selection import Question

WORDS = ("A", "B", "neither", "several", "invalid")
REQUEST = Request((Message("user", "?"),), Purpose("p", Stage.JUDGE), options=WORDS)


def token(text, **others):
    """A token of the answer with others in its place; `_` stands for a blank."""
    top = [{"token": name.replace("_", " "), "logprob": value} for name, value in others.items()]
    return {"token": text, "logprob": -0.1, "top_logprobs": top}


def completion(*tokens):
    choice = {
        "message": {"content": "ANSWER: B"},
        "finish_reason": "stop",
        "logprobs": {"content": list(tokens)},
    }
    return {"choices": [choice]}


def read(data):
    return read_answer(data, model="m", seconds=0.0, options=WORDS).likely


START = [token("A is 1.\n"), token("ANS"), token("WER"), token(":")]


@pytest.mark.parametrize(
    ("end", "likely"),
    [
        ([token(" B", _B=-0.1, _A=-2.5, _C=-9)], {"B": 0.905, "A": 0.082}),
        ([token(" "), token("**"), token("B", B=-0.1, A=-2.5), token("**")], {"B": 0.905, "A": 0.082}),
        ([token(" ne", _ne=-0.1, _neither=-3, _A=-4), token("ither")], {"neither": 0.955, "A": 0.018}),
        ([token(" B"), token("\nANSWER:"), token(" A", _A=-1.0)], {"A": 0.368}),
        ([token(" a", _a=-1.0, _the=-1.0)], None),
        ([token(" B", _B=float("nan"))], None),
        ([{"token": " B"}], None),
        ([{"token": " B", "top_logprobs": "none", "logprob": -0.1}], {"B": 0.905}),
        ([{"token": None}, 3], None),
    ],
)
def test_the_token_that_names_the_answer_is_read(end, likely):
    """The first token of the word behind the last `ANSWER:`, whatever stands around it; else nothing."""
    assert read(completion(*START, *end)) == (None if likely is None else pytest.approx(likely, abs=0.001))


@pytest.mark.parametrize("logprobs", [None, 3, {}, {"content": None}, {"content": [token("nothing")]}])
def test_no_probabilities_are_no_error(logprobs):
    """Servers that give none, or something else, leave the answer as it is."""
    data = completion(token("ANSWER: A"))
    data["choices"][0]["logprobs"] = logprobs
    assert read(data) is None
    assert read_answer(completion(*START, token(" B", _B=-0.1)), model="m", seconds=0.0).likely is None


def test_asking_for_them_makes_no_other_call():
    """The answer is the same, so what is stored is found with and without them."""
    plain = Request(REQUEST.messages, REQUEST.purpose)
    assert request_key(plain) == request_key(REQUEST)


def ask_twice(respond):
    """Both answers, the bodies that came, and what was noted."""
    bodies, notes = [], []

    def answer(body):
        bodies.append(body)
        return respond(body)

    async def run():
        with ServerDouble(answer) as server:
            async with OpenAIModel("tiny", base_url=server.base_url) as model:
                model.on_note = lambda line, **_: notes.append(line)
                return [await model.ask(REQUEST), await model.ask(REQUEST)]

    return anyio.run(run), bodies, notes


def test_a_server_that_tells_is_asked():
    """Two fields go with the question, and what comes back is in the answer."""
    body = json.dumps(completion(*START, token(" B", _B=-0.1)))
    answers, bodies, _ = ask_twice(lambda _: Reply(body.encode()))
    assert answers[0].likely == pytest.approx({"B": 0.905}, abs=0.001)
    assert all(body["logprobs"] is True and body["top_logprobs"] == 5 for body in bodies)


@pytest.mark.parametrize(
    "message",
    [
        "Unsupported parameter: 'top_logprobs'",
        "Unsupported parameter: 'logprobs'",
        "logprobs: Input should be a valid integer",
        "bad request",
    ],
)
def test_a_server_that_refuses_is_asked_without_them(message):
    """Whatever words it has for it: once refused, said in one line, never sent again, and the text counts."""
    answers, bodies, notes = ask_twice(
        lambda body: failure(400, message) if "top_logprobs" in body else chat("ANSWER: A")
    )
    assert [answer.text for answer in answers] == ["ANSWER: A"] * 2
    assert [answer.likely for answer in answers] == [None] * 2
    assert ["top_logprobs" in body for body in bodies] == [True, False, False]
    assert len(notes) == 1 or "token counts" in notes[-1]
    assert "is not sent" in notes[0] or "probabilities of answers are not asked for" in notes[0]


def test_what_is_refused_for_another_reason_is_told_as_before():
    """Where leaving them out does not help, the server's words reach the user."""
    with pytest.raises(ModelUserError, match="bad request"):
        ask_twice(lambda _: failure(400, "bad request"))


def test_they_are_asked_for_of_the_judge_alone():
    """The question which output is right names the words that the answer may be; no other does."""
    problem = Problem("p", "S", Kind.FUNCTION, "f", public_tests=(Test("1", "1"),))
    body = json.dumps(completion(*START, token(" B", _B=-0.1))).encode()
    bodies = []

    def answer(body_of):
        bodies.append(body_of)
        return Reply(body)

    async def run():
        with ServerDouble(answer) as server:
            async with OpenAIModel("tiny", base_url=server.base_url) as model:
                asking = Asking(model, Prompts(), 0, 100)
                told = await asking(Question.CHOOSE, problem, "0", input="f(1)", outputs=["1", "2"])
                other = await asking(Question.REFERENCE, problem, "reference")
                return told, other

    told, other = anyio.run(run)
    assert told.likely == pytest.approx({"B": 0.905}, abs=0.001)
    assert other.likely is None
    assert ["logprobs" in one for one in bodies] == [True, False]
