"""Allocation by difficulty: which action the rate leads to, and the steps on known programs."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.models.request import CallError
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.allocate import Action, Allocate, estimate_rate
from sstar_code.agent.telemetry.events import open_log
from sstar_code.sandbox import Verdict
from tests.agent.strategies.known import PROBLEM, KnownModel, assert_asked_once, grow

pytestmark = pytest.mark.anyio


def samples(*passed, rounds=1):
    """Samples whose programs pass so many of four tests."""
    return [
        Lineage(
            number,
            tuple(
                Round(k, "x", count, 4, Verdict.AC if count == 4 else Verdict.WA, base=None if k == 0 else 0)
                for k in range(1 if count == 4 else rounds)
            ),
        )
        for number, count in enumerate(passed)
    ]


@pytest.mark.parametrize(
    ("made", "agree", "action"),
    [
        (samples(4, 4, 4, 0), True, (Action.STOP, 0)),
        (samples(4, 4, 4, 0), False, (Action.SAMPLE, 4)),
        (samples(4, 4, 4, 0, 4, 4), False, (Action.SAMPLE, 2)),
        (samples(*[4] * 8), False, (Action.STOP, 0)),
        (samples(4, 0, 0, 0), False, (Action.SAMPLE, 4)),
        (samples(*[4] * 3, *[0] * 15), True, (Action.SAMPLE, 2)),
        (samples(*[4] * 3, *[0] * 17), True, (Action.REPAIR, 0)),
        (samples(*[4] * 3, *[0] * 17, rounds=3), True, (Action.STOP, 0)),
        (samples(0, 0, 3, 0), False, (Action.SEARCH, 0)),
        (samples(0, 0, 3, 0, rounds=3), False, (Action.PLAN, 8)),
        (samples(0, 0, 0, 0), False, (Action.PLAN, 8)),
        (samples(4, *[0] * 15), False, (Action.STOP, 0)),
        (samples(*[0] * 30), False, (Action.PLAN, 2)),
        (samples(*[0] * 32), False, (Action.GIVE_UP, 0)),
        (samples(*[1] * 40, rounds=3), False, (Action.GIVE_UP, 0)),
    ],
)
def test_an_action_for_each_rate(made, agree, action):
    """Easy problems stop early, medium ones are repaired, hard ones are searched, planned or given up."""
    assert Allocate().decide(made, PROBLEM, Settings(n=40, rounds=2), agree=agree) == action


def test_the_rate_is_a_posterior_mean():
    """Of first samples alone: a repair that passes does not make a problem easier."""
    assert estimate_rate(samples(4, 4, 0)) == 2.5 / 4
    repaired = Lineage(0, (Round(0, "x", 0, 4, Verdict.WA), Round(1, "x", 4, 4, Verdict.AC)))
    assert estimate_rate([repaired]) == 0.25


async def test_an_easy_problem_stops_after_its_first_wave():
    """Where those that pass behave alike."""
    model = KnownModel({"1.0": "0000"}, "1111")
    assert len(await grow(model, "allocate", n=16, rounds=2)) == len(model.requests) == 4


async def test_a_medium_problem_is_sampled_and_then_repaired():
    """Up to half of `n`, each that fails for `rounds` rounds."""
    model = KnownModel({"0.0": "1111", "2.1": "1111"})
    await grow(model, "allocate:first=3", n=8, rounds=2)
    assert [name for name, _ in model.visits] == [
        *("0.0", "1.0", "2.0", "3.0"),
        *("1.1", "2.1", "3.1", "1.2", "3.2"),
    ]


async def test_a_hard_problem_gets_ideas_and_then_a_search(tmp_path):
    """Ideas while nothing passes a test, a beam search over all programs when something does."""
    model = KnownModel({"3.0": "1000", "2.1": "1111", "0.0 ideas": "1. sort\n2. count\n3. a heap\n4. a tree"})
    with open_log(tmp_path / "log", run="r", say=print):
        made = await grow(model, "allocate:first=2,hard=0.2", n=10, rounds=1)
    assert model.visits == [
        *(("0.0", None), ("1.0", None), ("0.0 ideas", None)),
        *((f"{number}.0", None) for number in range(2, 6)),
        *(("0.1", "3.0"), ("1.1", "0.0"), ("2.1", "3.0"), ("3.1", "0.0"), ("4.1", "3.0"), ("5.1", "0.0")),
    ]
    assert "a heap" in model.requests[3].messages[-1].content
    assert made[2].survives
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    told = [event for event in events if event["event"] == "samples.allocated"]
    assert [(event["action"], event["samples"]) for event in told] == [
        ("plan", 2),
        ("search", 6),
        ("stop", 6),
    ]
    assert_asked_once(model.requests)


async def test_a_hopeless_problem_is_given_up():
    """After so many samples, without a repair where there is nothing to build on."""
    model = KnownModel({})
    assert len(await grow(model, "allocate:give_up=7", n=16, rounds=2)) == 7
    assert len(model.requests) == 7 + 1


async def test_calls_that_fail_end_it():
    """A problem whose calls are refused is not asked for ever."""
    model = KnownModel({f"{k}.0": CallError("refused") for k in range(40)})
    assert len(await grow(model, "allocate", n=40, rounds=2)) == 4 + 8


@pytest.mark.parametrize("wrong", [{"first": 0}, {"give_up": 0}, {"hard": 0.6}, {"easy": 1.5}])
def test_wrong_settings_are_told(wrong):
    """A rate is between 0 and 1."""
    with pytest.raises(ValueError, match="at least 1"):
        Allocate(**wrong)
