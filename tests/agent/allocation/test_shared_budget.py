"""A budget of tokens spread over the problems of a set."""

from __future__ import annotations

import anyio
import pytest

from sstar_code.agent.allocation.plan import SharedBudget
from sstar_code.agent.calls.budget import Budget

pytestmark = pytest.mark.anyio


async def ask_all(spread, offers):
    """Put the offers {problem: (value, tokens)} in order; those granted, and what is refused."""
    answers = {}

    async def ask(problem_id, value, tokens):
        answers[problem_id] = await spread.ask(problem_id, value, tokens, 10.0)
        if answers[problem_id]:
            spread.run_budget.tokens += tokens
        spread.end(problem_id)

    with anyio.fail_after(180):
        async with anyio.create_task_group() as group:
            for problem_id, (value, tokens) in offers.items():
                group.start_soon(ask, problem_id, value, tokens)
    return [name for name, granted in answers.items() if granted], [
        name for name, granted in answers.items() if not granted
    ]


async def test_without_a_total_everything_is_granted():
    """There is nothing to spread."""
    assert await ask_all(SharedBudget(Budget(), 2, 2), {"a": (0.0, 1e9), "b": (1.0, 1e9)}) == (["a", "b"], [])


async def test_what_fits_is_granted_at_once():
    """Nobody waits for anybody while the tokens reach for all."""
    spread = SharedBudget(Budget(max_tokens_total=10_000), 100, 2)
    with anyio.fail_after(180):
        assert await spread.ask("early", 0.1, 20, 10.0)


async def test_scarce_tokens_go_to_the_best_offers():
    """The offers of most value a token are granted, the others refused, and the total is kept to."""
    budget = Budget(max_tokens_total=300)
    spread = SharedBudget(budget, 4, 2)
    offers = {"a": (0.1, 90), "b": (0.4, 90), "c": (0.3, 90), "d": (0.2, 90)}
    granted, refused = await ask_all(spread, offers)
    assert sorted(granted) == ["b", "c"]
    assert sorted(refused) == ["a", "d"]
    assert budget.tokens <= 300


async def test_scarce_tokens_wait_for_every_first_sample():
    """An offer that is good waits for problems that have not been seen yet: they may have a better one."""
    spread = SharedBudget(Budget(max_tokens_total=200), 2, 2)
    answers = []

    async def early():
        answers.append(("early", await spread.ask("early", 0.5, 110, 10.0)))

    async with anyio.create_task_group() as group:
        group.start_soon(early)
        await anyio.sleep(0.01)
        spread.run_budget.tokens = 60
        assert answers == []
        answers.append(("late", await spread.ask("late", 0.9, 90, 10.0)))
        spread.run_budget.tokens += 90
        spread.end("late")
    assert answers == [("late", True), ("early", False)]


async def test_a_problem_that_is_chosen_for_gives_back_what_was_kept():
    """What is kept for choosing is free again when the problem is closed."""
    spread = SharedBudget(Budget(max_tokens_total=130), 2, 0)
    spread._begun = {"done": 10.0}
    spread.end("done")
    spread.close("done")
    with anyio.fail_after(180):
        assert await spread.ask("other", 0.5, 105, 10.0)
