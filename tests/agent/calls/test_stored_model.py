"""Answers are stored before they are used, shared while in flight, and counted against the budget."""

from __future__ import annotations

import anyio
import pytest

from sstar_code.agent.calls.budget import Budget, BudgetSpentError
from sstar_code.agent.calls.stored_model import StoredModel, WithdrawnError
from sstar_code.agent.models import Answer, Message, Purpose, Request, Stage, Usage
from sstar_code.agent.run.store import Store


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


class Gated:
    """Answers when told to; remembers in which order it was asked."""

    name = "gated"

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.gate = anyio.Event()

    async def ask(self, request):
        self.requests.append(request)
        await self.gate.wait()
        return Answer("done", usage=Usage(prompt=1, output=1))


def call(problem: str, stage: Stage, sample: int = 0) -> Request:
    text = f"{problem} {stage} {sample}"
    return Request((Message("user", text),), Purpose(problem, stage, sample, int(stage is Stage.DEBUG)))


@pytest.mark.anyio
async def test_calls_are_asked_by_stage_then_by_age_of_the_problem():
    """One at a time: selection, repairs, first samples; the problem begun first before the others."""
    model = Gated()
    stored = StoredModel(model, Store(), Budget(), max_in_flight=1)
    asked = [
        call("old", Stage.GENERATE),
        call("old", Stage.GENERATE, 1),
        call("new", Stage.GENERATE),
        call("new", Stage.DEBUG),
        call("old", Stage.DEBUG),
        call("new", Stage.JUDGE),
    ]
    async with anyio.create_task_group() as group:
        for request in asked:
            group.start_soon(stored.ask, request)
            await anyio.sleep(0.001)
        model.gate.set()
    order = [asked.index(request) for request in model.requests]
    assert order == [0, 5, 4, 3, 1, 2]
    assert all(request.priority is None for request in model.requests)


@pytest.mark.anyio
async def test_a_server_with_priorities_is_told_and_the_answer_is_known_without_them():
    """The place in line goes with the request, and is no part of what it is known by."""
    model, store = Slow(), Store()
    sent = []
    stored = StoredModel(model, store, Budget(), max_num_seqs=4, priorities=True)
    answer = model.ask

    async def ask(request):
        sent.append(request)
        return await answer(request)

    model.ask = ask
    for stage in (Stage.GENERATE, Stage.DEBUG, Stage.JUDGE):
        await stored.ask(call("p", stage))
    ranks = [request.priority for request in sent]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == 3
    assert store.get_answer(call("p", Stage.DEBUG)) is not None


@pytest.mark.anyio
async def test_withdrawn_calls_end_and_others_go_on():
    """Calls of a problem that no longer matter are failed calls; the rest is answered, also a twin's."""
    model = Gated()
    stored = StoredModel(model, Store(), Budget(), max_in_flight=2)
    ended: dict[str, str] = {}

    async def ask(name, request):
        try:
            ended[name] = (await stored.ask(request)).text
        except WithdrawnError as error:
            ended[name] = str(error)

    twin = Request(call("a", Stage.GENERATE, 1).messages, Purpose("b", Stage.GENERATE, 1))
    async with anyio.create_task_group() as group:
        for name, request in {
            "under way": call("a", Stage.GENERATE, 0),
            "shared": call("a", Stage.GENERATE, 1),
            "twin": twin,
            "waiting": call("a", Stage.GENERATE, 2),
            "kept": call("a", Stage.GENERATE, 3),
            "other": call("b", Stage.GENERATE, 0),
        }.items():
            group.start_soon(ask, name, request)
            await anyio.sleep(0.001)
        assert stored.cancel("a", samples={0, 1, 2}) == 3
        await anyio.sleep(0.001)
        assert sorted(ended) == ["shared", "under way", "waiting"]
        model.gate.set()
    assert {name: ended[name] for name in ("twin", "kept", "other")} == dict.fromkeys(
        ("twin", "kept", "other"), "done"
    )
    assert "withdrawn" in ended["waiting"]
    assert (stored.limiter.taken, stored.limiter.waiting) == (0, 0)
    assert (stored.asked, stored.withdrawn, len(model.requests)) == (3, 2, 5)
