"""A problem, models that think by a script, and what asks them through a store."""

from __future__ import annotations

import re

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.models import Message, OpenAIModel, Purpose, Request, Stage
from sstar_code.agent.run.store import Store
from sstar_code.agent.thinking.lead import LedModel
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.fake import FakeSandbox

PROBLEM = Problem(
    "p", "Print twice the number.", Kind.STDIN, public_tests=(Test("3\n", "6"), Test("5\n", "10"))
)
SQUARE = "```python\nprint(int(input()) ** 2)\n```"
DOUBLE = "```python\nprint(int(input()) * 2)\n```"
ASKED = "How many primes"
"""The beginning of the question that finds out whether a model thinks."""


def run_program(program, text):
    """What programs with one formula print."""
    number = int(text)
    return str(number**2 if "** 2" in program.code else number * 2)


class Script:
    """Writes `stages[k]` behind the k-th text that was written for the model, which `marker` matches."""

    def __init__(self, *stages, marker=r"Wait"):
        self.stages, self.marker = stages, marker

    def __call__(self, written):
        parts = re.split(self.marker, written)
        stage = self.stages[len(parts) - 1]
        assert stage.startswith(parts[-1]), (stage, parts[-1])
        return stage[len(parts[-1]) :]


def make_request(**fields):
    return Request(
        (Message("user", "x"),), Purpose("p", Stage.GENERATE, 2), **{"max_tokens": 1000, "seed": 7} | fields
    )


async def ask(server, thinking, request=None, *, store=None, budget=None, problem=PROBLEM):
    """The answer of a led model behind `server`, and the stored model between them."""
    async with OpenAIModel("tiny", base_url=server.base_url) as model:
        stored = StoredModel(model, store or Store(), budget or Budget(), max_in_flight=4)
        led = LedModel(stored, problem, FakeSandbox(run_program), thinking)
        return await led.ask(request or make_request()), stored


def drop_probes(bodies):
    """The bodies of calls that are not about what the server can do."""
    return [
        body
        for body in bodies
        if not (body.get("messages") and body["messages"][0]["content"].startswith(ASKED))
        and not ("prompt" in body and body["max_tokens"] == 1)
    ]
