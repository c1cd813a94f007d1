"""The summary drops nothing in silence."""

from __future__ import annotations

import pytest

from sstar_code.agent.run.outcomes import ProblemOutcome, SampleOutcome
from sstar_code.agent.run.summary import Count, Summary


def make_sample(number: int, *, first: str | None, final: str | None, survives: bool = True) -> SampleOutcome:
    return SampleOutcome(number, 1, 1, survives, first, final)


def make_outcome(name: str, samples, chosen, tier=None, error=None) -> ProblemOutcome:
    places = tuple(range(len(samples))) if tier is None else tier
    return ProblemOutcome(name, tuple(samples), chosen, places, error)


def test_rates_and_denominators():
    """Errors and unfinished problems are wrong in every rate; a problem without hidden tests is in none."""
    right, wrong = make_sample(0, first="AC", final="AC"), make_sample(1, first="WA", final="WA")
    outcomes = [
        make_outcome("a", [right, wrong], {"first": 0, "sstar": 1}),
        make_outcome(
            "b", [wrong, make_sample(1, first="WA", final="AC")], {"first": 0, "sstar": 1}, tier=(1,)
        ),
        make_outcome("lost", [right, wrong], {"first": 0, "sstar": 0}, error="IE"),
        make_outcome("untested", [make_sample(0, first=None, final=None)], {"first": 0, "sstar": 0}),
    ]
    ended = {outcome.problem_id: outcome for outcome in outcomes}
    summary = Summary(Count([*ended, "not reached"], ended), "sstar", 1.0)
    headline = summary.headline()
    assert headline["pass@1"] == pytest.approx(0.5 / 4)
    assert headline["random"] == pytest.approx(1.5 / 4)
    assert headline["selected@1"] == pytest.approx(1 / 4)
    assert headline["oracle"] == pytest.approx(2 / 4)
    assert (headline["errors"], summary.count.unfinished, summary.count.ungraded) == (1, ["not reached"], 1)
    assert summary.rates["first"].problems == 4
    assert summary.as_json()["methods_of_graded"]["first"]["value"] == 0.5
    assert summary.as_json()["graded"] == 2


def test_nothing_graded_is_null_not_zero():
    """Without hidden tests there is no rate to print."""
    outcome = make_outcome("a", [make_sample(0, first=None, final=None)], {"first": 0, "sstar": 0})
    headline = Summary(Count(["a"], {"a": outcome}), "sstar", 1.0).headline()
    assert headline["pass@1"] is None
    assert headline["oracle"] is None


def test_what_is_counted_where_nothing_is_graded():
    """A problem without hidden tests tells that there is no rate; without one, the unfinished are wrong."""
    untested = make_outcome("a", [make_sample(0, first=None, final=None)], {"first": 0})
    lost = make_outcome("b", [], {}, error="IE")
    assert Count(["a", "c"], {"a": untested}).scores == {}
    assert Count(["b", "c"], {"b": lost}).scores == {"b": {}, "c": {}}
    count = Count(["c", "b", "d", "e"], {"b": lost}, {"d": "failed", "f": "not asked for"})
    assert count.errors == {"b": "IE", "d": "failed"}
    assert (count.unfinished, count.graded, count.ungraded) == (["c", "e"], [], 0)
    assert {rate.problems for rate in count.rates().values()} == {4}


def test_an_outcome_outweighs_what_an_earlier_start_said():
    """A problem that failed once and is finished by now is no error."""
    right = make_outcome("a", [make_sample(0, first="AC", final="AC")], {"first": 0})
    count = Count(["a"], {"a": right}, {"a": "failed"})
    assert (count.errors, count.graded) == ({}, ["a"])


def test_outcome_survives_the_store():
    """An outcome read back from JSON is the one that was written."""
    outcome = make_outcome(
        "a", [make_sample(0, first="AC", final=None)], {"first": 0, "sstar": None}, tier=()
    )
    assert ProblemOutcome.from_json(outcome.to_json()) == outcome
