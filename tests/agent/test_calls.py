"""Answers are stored before they are used, shared while in flight, and counted against the budget."""

from __future__ import annotations

import anyio
import pytest

from agent.budget import Budget, BudgetSpentError
from agent.calls import StoredModel
from agent.models import Answer, Message, Purpose, Request, Stage, Usage
from agent.store import Store


class Slow:
    """Answers after a moment and counts."""

    name = "slow"

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, request):
        self.asked += 1
        await anyio.sleep(0.01)
        return Answer(f"answer {self.asked}", usage=Usage(prompt=10, output=5))


def make_request(text: str, ordinal: str = "") -> Request:
    return Request((Message("user", text),), Purpose("p", Stage.JUDGE, ordinal=ordinal))


@pytest.mark.anyio
async def test_equal_requests_in_flight_are_one_call():
    """The same question asked by two at once is paid for once."""
    model = Slow()
    stored = StoredModel(model, Store(), Budget())
    answers = []

    async def ask(ordinal: str) -> None:
        answers.append(await stored.ask(make_request("q", ordinal)))

    async with anyio.create_task_group() as group:
        group.start_soon(ask, "a")
        group.start_soon(ask, "b")
    assert model.asked == 1
    assert [answer.text for answer in answers] == ["answer 1"] * 2


@pytest.mark.anyio
async def test_next_start_asks_nothing_twice(tmp_path):
    """A new start over the same store answers from it and counts what earlier starts spent."""
    first = Store(tmp_path / "run.db")
    await StoredModel(Slow(), first, Budget()).ask(make_request("q"))
    first.close()
    model, budget, second = Slow(), Budget(), Store(tmp_path / "run.db")
    stored = StoredModel(model, second, budget)
    assert (await stored.ask(make_request("q"))).text == "answer 1"
    assert (model.asked, budget.tokens, stored.tally.tokens) == (0, 15, 15)
    second.close()


@pytest.mark.anyio
async def test_spent_budget_makes_no_new_call_but_gives_what_is_stored():
    """With nothing left to spend, stored answers still come and new calls do not."""
    model = Slow()
    store = Store()
    stored = StoredModel(model, store, Budget(max_tokens_total=15))
    await stored.ask(make_request("q"))
    await stored.ask(make_request("q"))
    with pytest.raises(BudgetSpentError, match="max-tokens-total"):
        await stored.ask(make_request("other"))
    assert model.asked == 1
