"""Beam search over the steps of a plan, on a known tree of tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.models import Answer, Usage
from sstar_code.agent.models.request import ModelUserError, Tokens
from sstar_code.agent.run.store import Store
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.table import choose_strategy, parse_strategy
from sstar_code.problems import UserError
from tests.agent.strategies.known import KilledError, assert_asked_once, grow, name_call

pytestmark = pytest.mark.anyio
PROMPT = (900, 901)
STRATEGY = "beam:steps=40,width=2"
TREE = {
    "0.0 step-0": (1, -1.0),
    "1.0 step-0": (2, -0.2),
    "2.0 step-0": (3, -0.5),
    "3.0 step-0": (4, -3.0),
    # the best two of four are 2 and 3
    "0.0 step-1": (5, -2.0),
    "1.0 step-1": (6, -0.1),
    "2.0 step-1": ("```", -9.0),
    "3.0 step-1": (8, -0.3),
    # beam 2 has its plan; of three states two are kept: those of 1 and 3
    "0.0 step-2": ("```", -1.0),
    "1.0 step-2": ("", -1.0),
    "3.0 step-2": (9, -1.0),
    "3.0 step-3": ("```", -1.0),
}
PROGRAMS = {"0.0": "1000", "2.0": "1111", "3.0": "0000", "0.1": "1111"}


class StepModel:
    """Writes steps by the table {call: (its token or how the answer goes on, its log probability)}.

    A step is one token, whose text is `step N`; a fence is 7, and an answer that ends is 10.
    """

    name = "steps"

    def __init__(self, tree=TREE, *, dies_at=None):
        self.requests, self.visits = [], []
        self._tree, self._dies_at = tree, dies_at

    async def ask(self, request):
        self.requests.append(request)
        if len(self.requests) == self._dies_at:
            raise KilledError
        call = name_call(request.purpose)
        ids = request.extra.get("prompt", PROMPT)
        assert tuple(ids[:2]) == PROMPT
        self.visits.append((call, *ids[2:]))
        usage = Usage(prompt=len(ids), output=1)
        if call not in self._tree:
            code = f'python\nPASSES = "{PROGRAMS.get(call, "0000")}"  # {call}\n```'
            code = code if "prompt" in request.extra else f"```{code}"
            return Answer(code, usage=usage, tokens=Tokens(PROMPT, (11,), "", -0.5))
        assert request.extra["stop"] == ["\n\n", "```"]
        token, logprob = self._tree[call]
        if token == "":
            code = '```python\nPASSES = "1100"\n```'
            return Answer(code, usage=usage, tokens=Tokens(PROMPT, (10,), "", logprob))
        text, stop = ("```", "```") if token == "```" else (f"step {token}\n\n", "\n\n")
        made = Tokens(PROMPT, (7 if token == "```" else token,), stop, logprob, text)
        return Answer(text, usage=usage, tokens=made)


def timeless(samples):
    return [[replace(made, seconds=0.0) for made in sample.rounds] for sample in samples]


async def test_the_likeliest_steps_are_gone_on_with():
    """N/M states are kept by their last step; finished plans are set aside and written to their end."""
    model = StepModel()
    samples = await grow(model, STRATEGY, n=4, rounds=1)
    assert model.visits == [
        *((f"{beam}.0 step-0",) for beam in range(4)),
        *(("0.0 step-1", 2), ("1.0 step-1", 3), ("2.0 step-1", 2), ("3.0 step-1", 3)),
        *(("0.0 step-2", 3, 6), ("1.0 step-2", 3, 8), ("3.0 step-2", 3, 6)),
        ("3.0 step-3", 3, 6, 9),
        # whole programs, of those plans that have not ended with one
        *(("0.0", 3, 6, 7), ("2.0", 2, 7), ("3.0", 3, 6, 9, 7)),
        *(("0.1",), ("1.1",), ("3.1",)),
    ]
    assert [sample.best.passed for sample in samples] == [4, 2, 4, 0]
    assert [sample.rounds[0].usage.output for sample in samples] == [4, 3, 3, 5]
    assert_asked_once(model.requests)


async def test_equal_states_count_once_and_subtrees_do_not_compete():
    """Two beams that wrote the same are one state; with `dvts` each subtree keeps its best, however bad."""
    tree = {f"{beam}.0 step-{step}": (1 + (beam > 1), -1.0 - beam) for beam in range(4) for step in range(2)}
    model = StepModel(tree)
    await grow(model, "beam:steps=3,width=2", n=4, rounds=0)
    assert {visit[1:] for visit in model.visits if "step-1" in visit[0]} == {(1,), (2,)}
    model = StepModel(tree)
    await grow(model, "beam:steps=3,width=2,dvts=yes", n=4, rounds=0)
    second = sorted(visit for visit in model.visits if "step-1" in visit[0])
    assert second == [("0.0 step-1", 1), ("1.0 step-1", 1), ("2.0 step-1", 2), ("3.0 step-1", 2)]


async def test_lookahead_scores_by_the_step_to_come():
    """A state counts by a step at temperature 0 behind it, which is not kept."""
    tree = {
        "0.0 step-0": (1, -0.1),
        "0.0 step-0/ahead-0": (5, -4.0),
        "1.0 step-0": (2, -3.0),
        "1.0 step-0/ahead-0": (6, -0.1),
    }
    model = StepModel(tree)
    await grow(model, "beam:steps=2,width=2,lookahead=1", n=2, rounds=0)
    cold = {name_call(request.purpose) for request in model.requests if request.temperature == 0.0}
    assert cold == {"0.0 step-0/ahead-0", "1.0 step-0/ahead-0"}
    assert sorted(model.visits[-2:]) == [("0.0", 2), ("1.0", 2)]


async def test_a_kill_at_any_call_loses_nothing():
    """Killed at each call and gone on with: the same samples, and only what is not stored is asked."""
    whole = StepModel()
    expected = timeless(await grow(whole, STRATEGY, n=4, rounds=1))
    for call in range(1, len(whole.requests) + 1):
        store = Store()
        with pytest.raises((KilledError, BaseExceptionGroup)):
            await grow(StepModel(dies_at=call), STRATEGY, store=store, n=4, rounds=1)
        stored = {request.purpose for request, _ in store.calls("p")}
        again = StepModel()
        assert timeless(await grow(again, STRATEGY, store=store, n=4, rounds=1)) == expected, call
        assert not stored & {request.purpose for request in again.requests}
        assert len(stored) + len(again.requests) == len(whole.requests)


async def test_budgets_hold():
    """Tokens of the problem end its calls, and a beam without a program says why."""
    model = StepModel()
    samples = await grow(model, STRATEGY, n=4, rounds=1, budget=Budget(max_tokens_problem=20))
    assert 1 < len(model.requests) <= 20 // 3 + 7
    assert all("its tokens" in sample.rounds[-1].error for sample in samples)
    model = StepModel()
    samples = await grow(model, STRATEGY, n=4, rounds=0, max_tokens=2)
    assert max(len(visit) for visit in model.visits) == 2, "no answer is longer than --max-tokens"
    assert [sample.rounds[0].finish_reason for sample in samples] == ["length"] * 4
    assert parse_strategy("beam:steps=3,lookahead=1").most_calls(Settings(n=2, rounds=1)) == 2 * (4 + 2)


async def test_a_server_that_does_not_tell_is_told_of():
    """Without ids or log probabilities there is nothing to go on with or to score by."""

    class Plain:
        name = "plain"

        async def ask(self, request):
            return Answer("x", usage=Usage(prompt=1, output=1), tokens=Tokens(PROMPT, (1,)))

    with pytest.raises(ExceptionGroup) as raised:
        await grow(Plain(), STRATEGY, n=2)
    assert raised.group_contains(ModelUserError, match="beam:steps: the server gives no token ids with log")


def test_it_does_not_go_with_led_thinking():
    """Both write an answer in pieces."""
    with pytest.raises(UserError, match="beam:steps=40,width=2: it writes each answer in pieces of its own"):
        choose_strategy(Settings(strategy=STRATEGY, think_wait="2"))
