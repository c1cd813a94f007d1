from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.sandbox.outcome import Status
from sstar_code.selection import METHODS
from sstar_code.selection.evidence.clustering import Behaviour, Clustering
from sstar_code.selection.evidence.weights import agreement, cluster_weights, valid_places

pytestmark = pytest.mark.anyio


def _found(*rows, sizes):
    """Clusters of `sizes` members; a row gives each cluster's output, None for a crash, "slow" for a TLE."""
    members, start = [], 0
    for size in sizes:
        members.append(tuple(range(start, start + size)))
        start += size
    status = {None: Status.RE, "slow": Status.TLE}
    behaviours = tuple(
        tuple(Behaviour(status.get(out, Status.OK), out if out not in status else "") for out in row)
        for row in rows
    )
    labels = tuple(tuple(row.index(out) for out in row) for row in rows)
    return Clustering(tuple(members), tuple(map(str, range(len(rows)))), labels, behaviours)


def test_graded_agreement_sees_what_plurality_does_not():
    """Two small clusters that mostly agree outscore a larger one that agrees with nobody."""
    found = _found(("a", "b", "b"), ("a", "b", "b"), ("a", "b", "c"), sizes=(2, 1, 1))
    scores = agreement(found, [1.4, 1.0, 1.0])
    assert scores.index(max(scores)) == 1


def test_a_high_power_counts_only_programs_that_are_nearly_alike():
    """What lies between two camps leads in mean agreement, the larger camp where only near ones count."""
    left, middle, right = ("l",) * 10, ("l",) * 5 + ("r",) * 5, ("r",) * 10
    found = _found(*zip(left, middle, right, strict=True), sizes=(4, 2, 3))
    weights = [4.0, 2.0, 3.0]
    assert agreement(found, weights) == pytest.approx([5 / 9, 5.5 / 9, 4 / 9])
    near = agreement(found, weights, power=20)
    assert near == pytest.approx([4 / 9, 2 / 9, 3 / 9], abs=1e-5)


@given(rows=st.lists(st.tuples(*[st.sampled_from("ab-s")] * 4), max_size=6), power=st.floats(1, 40))
def test_agreement_lies_between_own_weight_and_all(rows, power):
    """At least a cluster's own share where it answers, at most 1, less with a higher power, for any rows."""
    said = {"-": None, "s": "slow"}
    found = _found(*[[said.get(out, out) for out in row] for row in rows], sizes=(1, 2, 3, 1))
    weights = [1.0, 1.5, 2.0, 0.5]
    mean, near = agreement(found, weights), agreement(found, weights, power=power)
    assert all(0 <= some <= more <= 1 for some, more in zip(near, mean, strict=True))
    places = valid_places(found, weights)
    for number, share in enumerate(near):
        if all(found.behaviours[place][number].status is not Status.TLE for place in places):
            assert share >= weights[number] / 5 - 1e-9


def test_copies_count_less_than_programs():
    """Four copies of a text weigh as two; four programs as four."""
    found = _found(("a", "b"), sizes=(4, 4))
    assert cluster_weights(found, [0, 0, 0, 0, 4, 5, 6, 7]) == [2.0, 4.0]


def test_inputs_on_which_most_fail_do_not_count():
    """More than half failing, by weight, makes an input invalid; half does not."""
    found = _found(("a", None), (None, "b"), sizes=(1, 1))
    assert valid_places(found, [1.0, 1.0]) == [0, 1]
    assert valid_places(found, [2.0, 1.0]) == [0]


def test_time_outs_agree_with_nobody():
    """Being slow together is no agreement."""
    found = _found(("slow", "a", "slow"), ("a", "a", "b"), sizes=(1, 3, 1))
    assert agreement(found, [1.0, 3.0, 1.0]) == pytest.approx([0.4, 0.7, 0.1])


async def test_mbr_takes_the_text_with_most_copies(make_pool):
    """In the best cluster the program that was written most often is chosen, at its first sample."""
    one = "def f(n): return n == 16"
    other = "def f(n): return n in (16,)"
    selection = await METHODS["mbr"](make_pool(["def f(n): return n == 16 or n == 15", one, other, other]))
    assert (selection.chosen, selection.calls) == (2, 0)
    assert selection.clusters == ((0,), (1, 2, 3))
