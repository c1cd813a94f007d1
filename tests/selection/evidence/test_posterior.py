from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.selection.evidence.posterior import Beliefs

SCORES = st.lists(st.floats(-50, 50), min_size=1, max_size=8)
ACCURACY = st.floats(0.55, 0.99)


@st.composite
def questions(draw):
    """Scores, and for each cluster the group of its output (None: not shown)."""
    scores = draw(SCORES)
    groups = draw(
        st.lists(st.sampled_from([0, 1, 2, None]), min_size=len(scores), max_size=len(scores)).filter(
            lambda groups: any(group is not None for group in groups)
        )
    )
    return scores, groups


def total(beliefs):
    return math.fsum([*beliefs.clusters, beliefs.none])


@given(questions(), st.sampled_from([0, 1, 2, None]), ACCURACY)
def test_probabilities_sum_to_one(question, answer, accuracy):
    """Whatever is weighed and answered, the hypotheses share one unit of belief and none is impossible."""
    scores, groups = question
    beliefs = Beliefs.from_scores(scores, 0.0)
    assert total(beliefs) == pytest.approx(1)
    after = beliefs.update(groups, answer, accuracy)
    assert total(after) == pytest.approx(1)
    assert min(after.clusters) > 0


@given(questions(), st.sampled_from([0, 1, 2, None]), ACCURACY, st.randoms())
def test_the_order_of_clusters_does_not_matter(question, answer, accuracy, rng):
    """Permuted clusters get permuted beliefs."""
    scores, groups = question
    order = list(range(len(scores)))
    rng.shuffle(order)
    plain = Beliefs.from_scores(scores, 0.0).update(groups, answer, accuracy)
    permuted = Beliefs.from_scores([scores[place] for place in order], 0.0)
    permuted = permuted.update([groups[place] for place in order], answer, accuracy)
    assert permuted.clusters == pytest.approx([plain.clusters[place] for place in order])


@given(questions(), ACCURACY)
def test_an_answer_never_hurts_what_it_names(question, accuracy):
    """Clusters that gave the named output gain against all others that were shown or left out."""
    scores, groups = question
    named = next(group for group in groups if group is not None)
    before = Beliefs.from_scores(scores, 0.0)
    after = before.update(groups, named, accuracy)
    for group, was, now in zip(groups, before.clusters, after.clusters, strict=True):
        if group == named and was > 1e-9:
            for other, was_too, now_too in zip(groups, before.clusters, after.clusters, strict=True):
                if other != named and was_too > 1e-9:
                    assert now / now_too > was / was_too


def test_two_options_move_the_log_odds_by_those_of_the_judge():
    """log(q / (1 - q)), as Bayes' rule says."""
    beliefs = Beliefs.from_scores([1.0, 0.0], -50.0).update([0, 1], 1, 0.8)
    odds = math.log(beliefs.clusters[0] / beliefs.clusters[1])
    assert odds == pytest.approx(1.0 - math.log(4))


def test_neither_moves_belief_to_what_was_not_shown():
    """The two clusters shown lose, the third and "none" gain."""
    before = Beliefs.from_scores([2.0, 2.0, 0.0], 0.0)
    after = before.update([0, 1, None], None, 0.9)
    assert after.clusters[2] > before.clusters[2]
    assert after.clusters[0] < before.clusters[0]
    assert after.best == 2


@given(questions(), ACCURACY)
def test_a_question_tells_nothing_negative(question, accuracy):
    """Expected information is at least 0, and 0 where all clusters gave the same output."""
    scores, groups = question
    beliefs = Beliefs.from_scores(scores, 0.0)
    assert beliefs.gain(groups, accuracy) >= 0
    assert beliefs.gain([0] * len(scores), accuracy) == pytest.approx(0, abs=1e-9)


def test_the_even_split_tells_most():
    """An input that halves the belief is asked about before one that splits off a small cluster."""
    beliefs = Beliefs.from_scores([0.0, 0.0, 0.0, 0.0], -50.0)
    assert beliefs.gain([0, 0, 1, 1], 0.9) > beliefs.gain([0, 1, 1, 1], 0.9)
    assert beliefs.gain([0, 1, 2, 3], 0.9) > beliefs.gain([0, 0, 1, 1], 0.9)


def test_a_judge_that_never_errs_tells_the_whole_split():
    """With accuracy 1 an even split of two clusters tells one bit, though some answers have no chance."""
    beliefs = Beliefs.from_scores([0.0, 0.0], -50.0)
    assert beliefs.gain([0, 1], 1.0) == pytest.approx(1.0)


def test_ties_go_to_the_first():
    """Equal clusters: the earlier one leads, and the lead is its share of what the clusters have."""
    beliefs = Beliefs.from_scores([1.0, 1.0], 1.0)
    assert (beliefs.best, beliefs.lead) == (0, pytest.approx(0.5))
