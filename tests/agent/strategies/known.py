"""A problem with four public tests, and a model whose programs pass those that they are written to pass.

A program is a line that says which tests it passes (`1101`) and, in a comment, which call wrote it: `0.2` is
round 2 of sample 0. Prompts of repairs show the program, so which one a call repairs can be read off them.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio

from sstar_code.agent.allocation.plan import plan_allocation
from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import StoredModel
from sstar_code.agent.models import Answer, Usage, request_key
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.table import choose_strategy
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox.fake import FakeSandbox

PROBLEM = Problem(
    "p", "Print the number.", Kind.STDIN, public_tests=tuple(Test(f"{n}\n", f"right {n}") for n in range(4))
)
PROMPTS = Prompts()
COST = 100


class KilledError(BaseException):
    """Stands for kill -9: nothing after it is written, and no part of the product catches it."""


def happen(program, text):
    """What a program does on one of the four inputs; on any other, what its last digit says."""
    passes = re.search(r'"([01]{4})"', program.code)[1]
    place = int(re.match(r"-?\d+", text)[0]) if re.match(r"[0-3]\n$", text) else -1
    return f"right {place}" if place >= 0 and passes[place] == "1" else f"wrong {passes[-1]}"


def name_call(purpose):
    """`0.2`, and what tells it apart from others of its sample and round."""
    return f"{purpose.sample}.{purpose.round}" + (f" {purpose.ordinal}" if purpose.ordinal else "")


class KnownModel:
    """Writes programs by the table {`sample.round`: `1101`}; other calls of strategies get a text.

    Args:
        table: what each call's program passes; a call that is not in it, `rest`, or an exception to raise.
        dies_at: the number of the call at which the process is killed.
        delay: seconds that a call takes, by its purpose.
    """

    name = "known"

    def __init__(self, table, rest="0000", *, dies_at=None, delay=lambda _: 0.0):
        self.requests = []
        self._table, self._rest, self._dies_at, self._delay = table, rest, dies_at, delay

    async def ask(self, request):
        self.requests.append(request)
        if len(self.requests) == self._dies_at:
            raise KilledError
        await anyio.sleep(self._delay(request.purpose))
        said = self._table.get(name_call(request.purpose), self._rest)
        if isinstance(said, Exception):
            raise said
        if re.fullmatch("[01]{4}", said):
            said = f'```python\nPASSES = "{said}"  # {name_call(request.purpose)}\n```'
        return Answer(said, usage=Usage(prompt=COST // 2, output=COST // 2))

    @property
    def visits(self):
        """(call, the program that it repairs), in the order of asking; None for a first sample."""
        return [(name_call(request.purpose), read_parent(request)) for request in self.requests]


def read_parent(request):
    """The call that wrote the program which is to be repaired."""
    _, found, rest = request.messages[-1].content.partition("# The program to repair\n")
    return re.search(r"# (\d+\.\d+)", rest)[1] if found else None


class KnownAdapters:
    """Adapters that exist by name alone; keeps what each would be trained on."""

    def __init__(self):
        self.trainings, self.open = [], 0

    @asynccontextmanager
    async def hold(self, training):
        self.trainings.append(training)
        self.open += 1
        try:
            yield training.name
        finally:
            self.open -= 1


async def grow(model, strategy="", *, store=None, budget=None, problem=PROBLEM, adapters=None, **settings):
    """The samples that a strategy makes, over a store of answers."""
    settings = Settings(strategy=strategy, **settings)
    store, budget, told = store or Store(), budget or Budget(), []
    stored = StoredModel(model, store, budget, max_in_flight=8)
    adapters = adapters or KnownAdapters()
    context = SolveContext(stored, FakeSandbox(happen), PROMPTS, settings, adapters=adapters)
    context = replace(context, allocation=plan_allocation(settings, budget, store, 1))
    lineages = await choose_strategy(settings)(problem, context, told.append)
    assert sorted(told, key=lambda item: item.sample) == list(lineages), "each is told once, as it ended"
    return lineages


def assert_asked_once(requests):
    """No purpose and no question occurs twice."""
    for kind in ([item.purpose for item in requests], [request_key(item) for item in requests]):
        assert [what for what, times in Counter(kind).items() if times > 1] == []
