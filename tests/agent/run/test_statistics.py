"""Rates and intervals against closed forms."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.run.summary import Difference, mean_rate, paired_bootstrap, pass_at_k, sign_test, wilson


def test_wilson_matches_a_worked_example():
    """8 of 10 gives the textbook interval 0.490 to 0.943."""
    rate = wilson(8, 10)
    assert (round(rate.low, 3), round(rate.high, 3)) == (0.490, 0.943)


@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_rate(pair):
    """The interval lies in 0..1 and holds the observed rate."""
    rate = wilson(*pair)
    assert 0 <= rate.low <= rate.value + 1e-12
    assert rate.value - 1e-12 <= rate.high <= 1


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(case):
    """pass@k equals the share of all k-subsets that hold a correct sample."""
    samples, correct, k = case
    draws = list(itertools.combinations(range(samples), k))
    expected = sum(any(place < correct for place in draw) for draw in draws) / len(draws)
    assert pass_at_k(samples, correct, k) == pytest.approx(expected)


def test_pass_at_k_refuses_too_few_samples():
    """More draws than samples is an error, not a number."""
    with pytest.raises(ValueError, match="at least 5"):
        pass_at_k(4, 1, 5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_mean_rate_holds_the_mean(values):
    """The mean of any rates lies in its interval."""
    rate = mean_rate(values)
    assert rate.low - 1e-9 <= rate.value <= rate.high + 1e-9


def test_equal_rates_of_few_problems_are_not_certain():
    """Two problems of rate 0.5 do not make an interval without width."""
    rate = mean_rate([0.5, 0.5])
    assert rate.high - rate.low > 0.5


def test_no_problems_is_no_rate():
    """An empty set has denominator 0 and the widest interval."""
    rate = mean_rate([])
    assert (rate.problems, rate.low, rate.high) == (0, 0.0, 1.0)


@given(st.lists(st.sampled_from([-1.0, -0.25, 0.0, 0.5, 1.0]), min_size=1, max_size=40))
def test_bootstrap_interval_holds_the_mean(values):
    """The mean difference lies in its interval, which is the same every time."""
    difference = paired_bootstrap(values, resamples=1_000)
    assert -1 <= difference.low <= difference.value + 1e-9
    assert difference.value - 1e-9 <= difference.high <= 1
    assert difference == paired_bootstrap(values, resamples=1_000)


def test_bootstrap_agrees_with_the_normal_interval():
    """Over many problems the interval is the mean and 1.96 standard errors around it."""
    values = [1.0] * 120 + [-1.0] * 60 + [0.0] * 220
    difference = paired_bootstrap(values)
    error = (sum((value - 0.15) ** 2 for value in values) / len(values) / len(values)) ** 0.5
    assert difference.value == pytest.approx(0.15)
    assert difference.low == pytest.approx(0.15 - 1.96 * error, abs=0.006)
    assert difference.high == pytest.approx(0.15 + 1.96 * error, abs=0.006)


def test_bootstrap_of_nothing_says_nothing():
    """Without a pair the interval is everything."""
    assert paired_bootstrap([]).problems == 0


def test_sign_test_matches_the_binomial():
    """9 won and 1 lost is p = 22/1024; an even split is no evidence."""
    assert sign_test(9, 1) == pytest.approx(22 / 1024)
    assert sign_test(3, 3) == sign_test(0, 0) == 1.0


def test_bootstrap_is_even_handed():
    """With all differences turned round, the interval is turned round too: both ends are cut alike."""
    differences = [1.0, 0.25, 0.0, -0.5, 0.75, 1.0, -1.0, 0.5, 0.0, 0.125]
    found, turned = paired_bootstrap(differences), paired_bootstrap([-one for one in differences])
    assert (turned.value, turned.low, turned.high) == (-found.value, -found.high, -found.low)
    assert found.low < found.value < found.high
    assert (found.value, found.problems) == (0.2125, 10)


def test_bootstrap_of_many_draws_less():
    """From 4,000 problems 1,000 resamples are drawn, and never fewer."""
    draw = random.Random(0)
    few, many = ([draw.uniform(-1, 1) for _ in range(count)] for count in (20, 4000))
    assert paired_bootstrap(many) == paired_bootstrap(many, resamples=1000)
    assert paired_bootstrap(few, resamples=10) == paired_bootstrap(few, resamples=1000)
    assert paired_bootstrap(few) == paired_bootstrap(few, resamples=10_000)
    assert paired_bootstrap(few, resamples=2000) != paired_bootstrap(few, resamples=1000)


def test_rates_and_differences_in_words():
    """Percent and points with one digit, and the denominator; without problems there is no number."""
    assert str(wilson(1, 4)) == "25.0% [4.6, 69.9] of 4"
    assert str(wilson(0, 0)) == "- (no problems)"
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert str(Difference(0.125, -0.25, 0.5, 8)) == "+12.5 points [-25.0, +50.0] over 8"
    assert str(paired_bootstrap([])) == "- (no problems)"
    assert (paired_bootstrap([]).low, paired_bootstrap([]).high) == (-1.0, 1.0)
