from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.charts import draw_gaps
from benchmarks.recorded.pools import PoolProblem
from benchmarks.recorded.selection.report import as_json, mean_gaps, summarise, write_tables
from benchmarks.recorded.selection.run import Row, Trial, ceiling_of, in_split, is_mixed, shares
from sstar_code.problems import Kind, Problem
from sstar_code.selection import Candidate


def rows(pool, trial, values, *, ceiling=0.75):
    return [
        Row(pool, f"p{place}", "", trial, right, 0.5, 1.0, ceiling, executions=10 * (place + 1), cpu_s=0.5)
        for place, right in enumerate(values)
    ]


def test_summary_counts_all_problems():
    """Accuracy, gain and gap are over all rows; costs over those with runs; the most is kept."""
    found = rows("a", "m", [1.0, 1.0, 0.0, 1.0])
    found.append(Row("a", "none", "", "m", 0.0, 0.0, 0.0, None))
    (item,) = summarise(found)
    assert (item.problems, item.accuracy) == (5, 0.6)
    assert item.gap == pytest.approx((3 - 2) / (4 - 2))
    assert item.ceiling == pytest.approx((3 - 2) / (4 - 2))
    assert (item.executions, item.most_executions) == (25.0, 40)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_intervals_hold_the_value(values):
    """The interval lies around the value, and the same rows give the same one."""
    (item,) = summarise(rows("a", "m", values))
    low, high = item.gap_interval
    assert low <= item.gap + 1e-9
    assert high >= item.gap - 1e-9
    assert summarise(rows("a", "m", values)) == [item]


def test_mean_needs_every_pool():
    """A trial that some pool lacks has no mean, the others have one."""
    found = [*rows("a", "m", [1, 1]), *rows("b", "m", [1, 0]), *rows("a", "n", [1, 1])]
    means = mean_gaps(found, ["a", "b"])
    assert list(means) == ["m"]
    assert means["m"]["gap"] == pytest.approx(0.5)


def test_tables_and_picture_hold_every_trial():
    """Markdown, JSON and SVG name each trial, and what has no clusters has no ceiling."""
    found = [*rows("a", "x<y", [1, 0]), *rows("b", "x<y", [1, 1], ceiling=None)]
    means = mean_gaps(found, ["a", "b"])
    text = write_tables(summarise(found), means, "2 pools")
    assert text.count("| x<y |") == 3
    assert "x&lt;y" in draw_gaps(means, "caption")
    assert [item["pool"] for item in as_json(summarise(found), means)["pools"]] == ["a", "b"]


def test_shares_and_ceiling():
    """Survivors alone count; a cluster is worth its share of right candidates."""
    passed = [(True, True), (True, False), (True, False), (False, True)]
    candidates = tuple(Candidate(str(place), int(one), 1, two) for place, (one, two) in enumerate(passed))
    item = PoolProblem(Problem("p", "s", Kind.STDIN), candidates)
    assert shares(item) == (pytest.approx(1 / 3), 1.0)
    assert is_mixed(item)
    assert ceiling_of(item, [(0, 1), (2,)]) == 0.5
    assert ceiling_of(item, []) is None


def test_splits_part_the_problems():
    """Each problem is in one half, and a judge is part of a trial's name."""
    names = [str(number) for number in range(50)]
    assert all(in_split(name, "even") != in_split(name, "odd") for name in names)
    assert 10 < sum(in_split(name, "even") for name in names) < 40
    trials = Trial("m"), Trial("m", 0.7), Trial("m", 0.7, 2)
    assert [trial.name for trial in trials] == ["m", "m, judge 0.70", "m, 2 judges 0.70"]
