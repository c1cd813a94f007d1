"""The rule that says how many samples a problem is worth."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.allocation.policy import (
    Beta,
    Observed,
    Rates,
    Repairs,
    SampleRange,
    change_of,
    choose_step,
    estimate_rates,
)
from sstar_code.agent.solving.settings import read_samples
from sstar_code.problems import UserError

PLAN = SampleRange(2, 32)
RATES = Rates(repairs=(Beta(0.4, 1.6), Beta(0.2, 1.8)))

groups = st.lists(st.integers(1, 40), min_size=1, max_size=4).map(lambda sizes: tuple(sorted(sizes)[::-1]))
rates = st.builds(
    Rates,
    passes=st.builds(Beta, st.floats(0.05, 2), st.floats(0.05, 2)),
    repairs=st.tuples(*[st.builds(Beta, st.floats(0.05, 2), st.floats(0.05, 2))] * 2),
    alike=st.builds(Beta, st.floats(0.05, 2), st.floats(0.05, 2)),
    repair_cost=st.floats(0.2, 5),
)


@st.composite
def seens(draw):
    """What a problem can have shown."""
    sizes = draw(st.just(()) | groups)
    passed = draw(st.integers(0, sum(sizes)))
    mended = sum(sizes) - passed
    failing = draw(st.integers(0, 40))
    repairs = (Repairs(draw(st.integers(0, failing)), mended + draw(st.integers(0, 5)), mended), Repairs())
    return Observed(passed + mended + failing, passed, sizes, repairs)


@given(seens(), rates, st.integers(1, 20), st.integers(0, 60), st.floats(0.001, 1.0))
def test_never_under_the_least_never_over_the_most(seen, believed, least, more, worth):
    """Every problem gets its first samples, and a draw never goes beyond what was asked for."""
    plan = SampleRange(least, least + more, worth)
    step = choose_step(seen, believed, plan)
    if seen.drawn < least:
        assert (step.kind, seen.drawn + step.count) == ("draw", least)
    if step.kind == "draw":
        assert 0 < step.count <= plan.most - seen.drawn
    if step.kind == "repair":
        assert seen.repairs[step.round - 1].open > 0
    assert step.why


@given(seens(), rates)
def test_every_problem_ends(seen, believed):
    """Whatever is seen next, following the steps comes to an end."""
    for _ in range(200):
        step = choose_step(seen, believed, PLAN)
        if step.kind == "stop":
            return
        if step.kind == "draw":
            waiting = replace(seen.repairs[0], open=seen.repairs[0].open + step.count)
            seen = replace(seen, drawn=seen.drawn + step.count, repairs=(waiting, *seen.repairs[1:]))
        else:
            done = [*seen.repairs]
            item = done[step.round - 1]
            done[step.round - 1] = Repairs(0, item.tried + item.open, item.passed)
            if step.round < len(done):
                done[step.round] = replace(done[step.round], open=done[step.round].open + item.open)
            seen = replace(seen, repairs=tuple(done))
    pytest.fail("two hundred steps")


@given(groups, rates, st.integers(0, 60))
def test_more_agreement_is_never_worth_more_samples(sizes, believed, left):
    """One survivor more with the leader, new or from the second group, lowers what another could change."""
    change, _ = change_of(sizes, believed.alike, left)
    assert 0 <= change <= 1
    joined = (sizes[0] + 1, *sizes[1:])
    assert change_of(joined, believed.alike, left)[0] <= change + 1e-9
    if len(sizes) == 2:
        moved = (sizes[0] + 1, sizes[1] - 1)
        assert change_of(moved, believed.alike, left)[0] <= change + 1e-9


@given(st.integers(2, 31), rates)
def test_failing_samples_make_a_problem_less_worth(drawn, believed):
    """While nothing survives, each failing sample lowers the value of the next."""
    before = choose_step(Observed(drawn, 0), believed, PLAN).value
    assert choose_step(Observed(drawn + 1, 0), believed, SampleRange(2, 40)).value <= before


def test_agreement_stops_and_disagreement_goes_on():
    """Four that agree are enough; two against two are not."""
    assert choose_step(Observed(4, 4, (4,)), RATES, PLAN).kind == "stop"
    assert choose_step(Observed(4, 4, (2, 2)), RATES, PLAN).kind == "draw"


def test_the_hopeless_is_given_up():
    """Where the model passes seldom, failures in a row end a problem; the reason says so."""
    believed = replace(RATES, passes=Beta(0.1, 0.9))
    step = choose_step(Observed(50, 0), believed, SampleRange(2, 100))
    assert step.kind == "stop"
    assert "none of 50 samples passes the public tests" in step.why
    assert choose_step(Observed(10, 0), believed, SampleRange(2, 100)).kind == "draw"


def test_repairs_come_first_where_they_pass_more_often():
    """The failing are mended when a repair is likelier to pass than a new sample, for what it costs."""
    seen = Observed(4, 0, (), (Repairs(open=4), Repairs()))
    good, bad = replace(RATES, repairs=(Beta(1.6, 0.4),)), replace(RATES, repairs=(Beta(0.02, 1.98),))
    assert (choose_step(seen, good, PLAN).kind, choose_step(seen, bad, PLAN).kind) == ("repair", "draw")
    dear = replace(good, repair_cost=50.0)
    assert choose_step(seen, dear, PLAN).kind == "draw"
    assert choose_step(replace(seen, drawn=32), dear, PLAN).kind in ("repair", "stop")


def test_a_repair_that_failed_here_counts_against_the_next():
    """What repairs did for this problem outweighs what they do elsewhere."""
    believed = replace(RATES, repairs=(Beta(1.6, 0.4),))
    seen = Observed(8, 0, (), (Repairs(open=4, tried=40, passed=0), Repairs()))
    assert choose_step(seen, believed, PLAN).kind == "draw"


def test_rates_are_means_over_problems():
    """A hopeless problem with a hundred samples counts as much as an easy one with two."""
    shown = [Observed(100, 0), *[Observed(2, 2, (2,))] * 8]
    assert estimate_rates(shown, 2).passes.mean == pytest.approx((8 + 2 * 0.5) / 11)
    believed = estimate_rates([], 2)
    assert (believed.passes.mean, len(believed.repairs)) == (0.5, 2)
    costly = Observed(2, 0, (), (Repairs(0, 2, 1),), tokens=100, repair_tokens=300)
    assert estimate_rates([costly], 1).repair_cost == pytest.approx(3.0)


@pytest.mark.parametrize(("text", "meant"), [("16", (None, 16)), ("4..32", (4, 32)), ("auto", (2, 32))])
def test_numbers_of_samples_are_read(text, meant):
    """A number, a range or `auto`."""
    assert read_samples(text) == meant


@pytest.mark.parametrize("text", ["0", "0..4", "5..4", "-1", "many", "4...8", "4..", ""])
def test_other_numbers_of_samples_are_refused(text):
    """What is none of these is an error that shows all three."""
    with pytest.raises(UserError, match=r"16, a range like 4\.\.32, or auto"):
        read_samples(text)
