"""Self-backtracking on a known program: what is kept of it, and what a server adds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.generation.prefix import Prefix
from sstar_code.agent.models.request import Answer, CallError, ModelUserError, UnclearRefusalError
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.table import choose_strategy
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.fake import FakeSandbox
from tests.agent.strategies.backtracking.test_trace import execute

pytestmark = pytest.mark.anyio
PROBLEM = Problem("p", "Print the sum of the integers.", Kind.STDIN, public_tests=(Test("1 2 3", "6"),))
WRONG = (
    "numbers = input().split()\ntotal = 0\nfor number in numbers:\n    total -= int(number)\nprint(total)\n"
)
KEPT = "numbers = input().split()\ntotal = 0\nfor number in numbers:"


async def backtrack(say, *, n=1, rounds=2, store=None):
    """The last sample, and the requests; `say` answers a continuation."""
    requests = []

    def respond(request):
        requests.append(request)
        if request.purpose.ordinal == "can-continue":
            return say(request) if say.__name__ == "probe" else " 6 7 8 9"
        return f"```python\n{WRONG}```" if request.purpose.ordinal != "continue" else say(request)

    settings = Settings(n=n, rounds=rounds, strategy="backtrack")
    model = StoredModel(ScriptedModel(respond), store or Store(), Budget(), max_in_flight=4)
    context = SolveContext(model, FakeSandbox(execute), Prompts(), settings)
    *_, sample = await choose_strategy(settings)(PROBLEM, context, lambda _: None)
    return sample, requests


async def test_a_program_is_continued_from_before_the_wrong_value():
    """The answer begins with what is kept, exactly, and the server is told to go on with it."""
    sample, requests = await backtrack(lambda _: "\n    total += int(number)\nprint(total)\n```")
    request = requests[-1]
    assert request.messages[-1].role == "assistant"
    assert request.messages[-1].content == f"```python\n{KEPT}"
    assert request.extra == {"continue_final_message": True, "add_generation_prompt": False}
    assert "Write no explanation" in request.messages[-2].content
    assert sample.survives
    assert sample.code == WRONG.replace("-=", "+=")
    assert len(requests) == 3


async def test_each_rollback_goes_further():
    """Without success the program is cut earlier the next time; nothing of this is asked twice."""
    store = Store()
    sample, requests = await backtrack(
        lambda _: "\n    total -= int(number) + 0\nprint(total)\n```", store=store
    )
    kept = [request.messages[-1].content for request in requests if request.purpose.ordinal == "continue"]
    assert kept == [f"```python\n{KEPT}", "```python\nnumbers = input().split()\ntotal = 0"]
    again, repeated = await backtrack(lambda _: "", store=store)
    assert repeated == []
    assert [made.code for made in again.rounds] == [made.code for made in sample.rounds]


async def test_samples_begin_at_different_statements():
    """The second sample is cut where the first would be cut the second time."""
    _, requests = await backtrack(lambda _: "\n    total -= 0\n```", n=2, rounds=1)
    kept = {
        request.purpose.sample: request.messages[-1].content
        for request in requests
        if request.purpose.ordinal == "continue"
    }
    assert kept == {0: f"```python\n{KEPT}", 1: "```python\nnumbers = input().split()\ntotal = 0"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CallError("http://x refused the request (400): extra inputs"), "extra inputs"),
        (UnclearRefusalError("http://x refused the request (400): extra inputs"), "extra inputs"),
        ("1 2 3 4 5 6", "it begins a new one"),
    ],
)
async def test_a_server_that_cannot_is_told_of_in_one_line(error, told):
    """It refuses, or begins anew; what was answered stays in the store."""

    def probe(_):
        if isinstance(error, str):
            return error
        raise error

    store = Store()
    with pytest.raises((ModelUserError, ExceptionGroup)) as raised:
        await backtrack(probe, store=store)
    cause = raised.value
    while isinstance(cause, ExceptionGroup):
        (cause,) = cause.exceptions
    assert isinstance(cause, ModelUserError)
    assert "--strategy backtrack: the server does not continue an answer" in str(cause)
    assert told in str(cause)
    assert len(store.calls("p")) == (2 if isinstance(error, str) else 1)


PREFIX = Prefix("def f(x):\n    if x:", "        ")


@pytest.mark.parametrize(
    ("added", "program"),
    [
        ("\n        return 1\n```", "def f(x):\n    if x:\n        return 1"),
        ("        return 1\n```\nDone.", "def f(x):\n    if x:        return 1"),
        ("return 1\n    return 2", "def f(x):\n    if x:return 1\n    return 2"),
        ("x += 1\n        return x", "def f(x):\n    if x:\n        x += 1\n        return x"),
    ],
)
def test_what_is_added_is_put_behind_what_is_kept(added, program):
    """Also where the server took a line end away."""
    whole = PREFIX.complete(Answer(added)).text
    assert whole.startswith(f"```python\n{program}")
    assert whole.count("```") == 2


@pytest.mark.parametrize("added", ["```python\ndef f(x):\n    return 1\n```", "def f(x):\n    return 1\n"])
def test_an_answer_that_begins_anew_stands_for_itself(added):
    """It is not put behind the prefix."""
    assert PREFIX.complete(Answer(added)) == Answer(added)


def test_a_continuation_taken_for_thinking_is_the_answer():
    """A server with a thinking parser sees no end of thinking in it."""
    whole = PREFIX.complete(Answer("", reasoning="\n        return 1\n```"))
    assert whole == PREFIX.complete(Answer("\n        return 1\n```"))


def test_a_cut_continuation_stays_open():
    """So that it is seen that it was cut."""
    cut = replace(Answer("\n        return"), finish_reason="length")
    assert PREFIX.complete(cut).text.count("```") == 1
