from __future__ import annotations

import pytest

from benchmarks.recorded.pools import NAMES, load_pool
from benchmarks.recorded.selection.run import is_mixed, shares

pytestmark = pytest.mark.data

RECORDED = {
    "codet100": (98, 47, 0.478, 0.653),
    "humaneval_pool": (98, 27, 0.873, 0.959),
    "chat10": (98, 22, 0.819, 0.888),
    "mbpp_pool": (138, 45, 0.744, 0.877),
    "apps150": (77, 33, 0.581, 0.740),
    "livecodebench": (349, 117, 0.845, 1.0),
}
"""Problems, those with mixed survivors, accuracy of a random survivor and of the best possible choice."""


@pytest.mark.parametrize("name", RECORDED)
def test_pools_are_what_was_recorded(shared_data, name):
    """The rates agree with those computed when the sets were recorded."""
    items = load_pool(name, shared_data)
    random, best = (sum(column) / len(items) for column in zip(*map(shares, items), strict=True))
    assert (len(items), sum(map(is_mixed, items))) == RECORDED[name][:2]
    assert (random, best) == pytest.approx(RECORDED[name][2:], abs=0.0006)


def test_draws_are_the_same_every_time(shared_data):
    """A draw takes so many of the samples, another draw takes others, and both are repeated exactly."""
    once, again = (load_pool("codet16", shared_data, draws=2) for _ in range(2))
    assert once == again
    first, second = (next(item for item in once if item.draw == draw) for draw in "01")
    assert first.problem.id == second.problem.id
    assert len(first.candidates) == 16
    assert first.candidates != second.candidates


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("codet", "specfix"))])
def test_candidates_say_who_wrote_them(shared_data, name):
    """Every candidate of a pool of several writers names one or more, and order tells nothing of them."""
    items = load_pool(name, shared_data)
    assert all(candidate.sources for item in items for candidate in item.candidates)
    first = {item.candidates[0].sources[0] for item in items}
    assert len(first) > 2
