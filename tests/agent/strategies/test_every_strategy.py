"""What holds for each strategy: one question is asked once, a kill loses nothing, budgets hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sstar_code.agent.calls.budget import Budget, BudgetSpentError, main_cause
from sstar_code.agent.run.store import Store
from sstar_code.agent.strategies.table import STRATEGIES
from tests.agent.strategies.known import COST, KilledError, KnownModel, assert_asked_once, grow

pytestmark = pytest.mark.anyio
HARD = {
    "0.0": "1000",
    "1.0": "0110",
    "3.0": "0100",
    "2.1": "1101",
    "1.1": "1100",
    "0.2": "1111",
    "1.2": "1110",
    "2.2": "1111",
}


def settings_of(name):
    """A few samples, in the form that the strategy takes."""
    return {"n": 4, "rounds": 2} | ({"least": 2} if name == "waves" else {})


def timeless(samples):
    """The rounds of each sample, without the seconds that their calls took."""
    return [[replace(made, seconds=0.0) for made in sample.rounds] for sample in samples]


@pytest.mark.parametrize("name", STRATEGIES)
async def test_a_kill_at_any_call_loses_nothing(name):
    """Killed at call 1, 2, ... and gone on with: the same samples, and only what is not stored is asked."""
    whole = KnownModel(HARD)
    expected = timeless(await grow(whole, name, **settings_of(name)))
    assert_asked_once(whole.requests)
    for call in range(1, len(whole.requests) + 1):
        store, killed = Store(), KnownModel(HARD, dies_at=call)
        with pytest.raises((KilledError, BaseExceptionGroup)):
            await grow(killed, name, store=store, **settings_of(name))
        stored = {request.purpose for request, _ in store.calls("p")}
        again = KnownModel(HARD)
        assert timeless(await grow(again, name, store=store, **settings_of(name))) == expected, call
        assert not stored & {request.purpose for request in again.requests}
        assert_asked_once(again.requests)
        assert len(stored) + len(again.requests) == len(whole.requests)


@pytest.mark.parametrize("name", STRATEGIES)
async def test_budgets_hold(name):
    """The total ends the run; tokens of the problem end its calls, and it is finished with what it has."""
    model, causes = KnownModel(HARD), []
    try:
        await grow(model, name, budget=Budget(max_tokens_total=3 * COST), **settings_of(name))
    except (BudgetSpentError, ExceptionGroup) as error:
        causes.append(type(main_cause(error)))
    assert causes == ([] if name == "waves" else [BudgetSpentError]), "waves ask for what is left, others end"
    assert len(model.requests) <= 3 + 7, "eight calls are under way at once at most"
    model = KnownModel(HARD)
    samples = await grow(model, name, budget=Budget(max_tokens_problem=3 * COST), **settings_of(name))
    assert len(model.requests) <= 3 + 7
    assert any(sample.code for sample in samples)


@pytest.mark.parametrize("name", STRATEGIES)
async def test_no_more_programs_than_sampling_with_repair(name):
    """At most n * (rounds + 1) programs, whatever happens, and round 0 of a sample is a first sample."""
    samples = await grow(KnownModel({}), name, **settings_of(name))
    assert sum(len(sample.rounds) for sample in samples) <= 4 * 3
    assert all(sample.rounds[0].base is None for sample in samples)
    assert [sample.sample for sample in samples] == list(range(len(samples)))
