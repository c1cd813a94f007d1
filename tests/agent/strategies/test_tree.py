"""Adaptive branching tree search, on known trees."""

from __future__ import annotations

import random

import pytest

from sstar_code.problems import Kind, Problem
from tests.agent.strategies.known import KnownModel, grow

pytestmark = pytest.mark.anyio


async def test_visits_where_a_draw_is_the_mean(monkeypatch):
    """Wider while its mean is not below that of deeper, else to the child of the best mean: by hand."""
    monkeypatch.setattr(random.Random, "betavariate", lambda _, a, b: a / (a + b))
    model = KnownModel({"0.0": "1000", "0.1": "1110", "0.2": "0000", "0.3": "1111", "1.0": "1111"})
    samples = await grow(model, "tree:batch=1", n=2, rounds=4)
    assert model.visits == [
        ("0.0", None),  # an empty tree
        ("0.1", "0.0"),  # wider 0.75/2 < deeper 0.5/1
        ("0.2", "0.0"),  # root: 0.375 < 1.25/2; at 0.0: 1.25/2 >= 0.5
        ("0.3", "0.1"),  # root: 0.375 < 1.25/3; at 0.0: 1.25/3 < 0.5, and 0.1 has 0.625, 0.2 has 0.25
        ("1.0", None),  # sample 0 has passed: nothing is repaired below it
    ]
    assert [sample.survives for sample in samples] == [True, True]
    assert [made.base for made in samples[0].rounds] == [None, 0, 0, 1]


async def test_a_search_is_a_function_of_the_seed_and_the_answers():
    """The order in which answers arrive changes nothing; another seed searches otherwise."""
    searches = []
    for seed, slow in ((0, 0), (0, 1), (1, 0)):
        table = {f"{k}.0": "1010" for k in range(0, 20, 3)}
        model = KnownModel(table, "1000", delay=lambda purpose, s=slow: 0.002 * (purpose.sample % 2 == s))
        samples = await grow(model, "tree", n=6, rounds=2, seed=seed)
        assert sum(len(sample.rounds) for sample in samples) == len(model.requests) == 18
        searches.append([[(made.base, made.code) for made in sample.rounds] for sample in samples])
    assert searches[0] == searches[1]
    assert searches[0] != searches[2]


async def test_a_hopeful_sample_gets_more_repairs_than_hopeless_ones():
    """Over many seeds most repairs go where tests are passed."""
    hopeful = hopeless = 0
    for seed in range(20):
        model = KnownModel({"0.0": "1110", **{f"0.{r}": "1110" for r in range(1, 9)}})
        samples = await grow(model, "tree:batch=1,programs=12", n=6, rounds=2, seed=seed)
        hopeful += len(samples[0].rounds) - 1
        hopeless += sum(len(sample.rounds) - 1 for sample in samples[1:])
    assert hopeful > 3 * hopeless


async def test_ends_with_enough_survivors():
    """As many survivors as sampling could have are enough, also where there is no public test."""
    model = KnownModel({}, "1111")
    assert len(await grow(model, "tree", n=3, rounds=2)) == len(model.requests) == 3
    model = KnownModel({}, "1111")
    bare = Problem("p", "Print something.", Kind.STDIN)
    assert len(await grow(model, "tree", n=1, rounds=2, problem=bare)) == len(model.requests) == 1
