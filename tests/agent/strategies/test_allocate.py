"""Allocation by difficulty: which action the rate leads to, and the steps on known programs."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.models.request import CallError
from sstar_code.agent.solving.settings import Settings
from sstar_code.agent.strategies.allocate import Action, Allocate, Seen
from sstar_code.agent.telemetry.events import open_log
from tests.agent.strategies.known import KnownModel, assert_asked_once, grow

pytestmark = pytest.mark.anyio


def seen(drawn, passed, *, agree=False, fresh=None, hopeful=False, survives=None):
    """What was seen; by default what passes is a first sample, and no other was repaired."""
    return Seen(
        drawn,
        passed,
        bool(passed) if survives is None else survives,
        agree,
        drawn - passed if fresh is None else fresh,
        hopeful,
    )


@pytest.mark.parametrize(
    ("given", "action"),
    [
        (seen(4, 3, agree=True), (Action.STOP, 0)),
        (seen(4, 3), (Action.SAMPLE, 4)),
        (seen(6, 5), (Action.SAMPLE, 2)),
        (seen(8, 8), (Action.STOP, 0)),
        (seen(4, 1), (Action.SAMPLE, 4)),
        (seen(18, 3, agree=True), (Action.SAMPLE, 2)),
        (seen(20, 3, agree=True), (Action.REPAIR, 0)),
        (seen(20, 3, fresh=0), (Action.STOP, 0)),
        (seen(4, 0, hopeful=True), (Action.SEARCH, 0)),
        (seen(4, 0, fresh=0), (Action.PLAN, 8)),
        (seen(4, 0), (Action.PLAN, 8)),
        (seen(16, 1), (Action.STOP, 0)),
        (seen(8, 0, fresh=3, survives=True), (Action.STOP, 0)),
        (seen(30, 0), (Action.PLAN, 2)),
        (seen(32, 0), (Action.GIVE_UP, 0)),
    ],
)
def test_an_action_for_each_rate(given, action):
    """Easy problems stop early, medium ones are repaired, hard ones are searched, planned or given up."""
    assert Allocate().decide(given, Settings(n=40, rounds=2)) == action


def test_n_and_rounds_are_the_most():
    """No sample beyond `n`, and without rounds no repair and no search."""
    for given in (seen(4, 3), seen(4, 1), seen(4, 0)):
        action, count = Allocate().decide(given, Settings(n=4, rounds=0))
        assert (action in (Action.STOP, Action.GIVE_UP), count) == (True, 0)
    assert Allocate().decide(seen(4, 0, hopeful=True), Settings(n=6, rounds=0)) == (Action.PLAN, 2)


def test_the_rate_is_a_posterior_mean():
    """With half a success and half a failure before anything was seen."""
    assert (seen(3, 2).rate, seen(1, 0).rate) == (2.5 / 4, 0.25)


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
