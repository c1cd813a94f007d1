"""The benchmark of waves draws what it says."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from benchmarks.charts import draw_curves
from benchmarks.recorded.allocation.measure import measure, show
from benchmarks.recorded.allocation.pools import Recorded, Trial, in_half
from sstar_code.agent.allocation.policy import SampleRange


def make(name: str, texts: str) -> Recorded:
    """A problem whose samples are letters: `a` right, `b` wrong, both survive; `-` fails the public tests."""
    programs = tuple({"a": 0, "b": 1}.get(letter) for letter in texts)
    return Recorded(
        name,
        name,
        tuple(text != "-" for text in texts),
        tuple(t == "a" for t in texts),
        programs,
        ((0, 1),) * 20,
    )


EASY, SPLIT, HARD = make("easy", "a" * 20), make("split", "ab" * 10), make("hard", "-" * 20)


def test_a_look_counts_groups_and_a_choice_the_share_of_right_ones():
    """Groups of equal behaviour by size; the larger group is chosen."""
    item = make("x", "aab-")
    seen = item.look([0, 1, 2, 3])
    assert (seen.drawn, seen.passed, seen.groups) == (4, 3, (2, 1))
    assert (item.choose([0, 1, 2, 3]), item.choose([2]), item.choose([3])) == (1.0, 0.0, 0.0)


def test_waves_stop_where_samples_agree():
    """The easy problem gets fewer samples than the split one, over several draws; none over the most."""
    trials = [Trial([EASY, SPLIT, HARD], draw).draw_waves(SampleRange(2, 20)) for draw in range(5)]
    assert sum(trial.drawn[0] for trial in trials) < sum(trial.drawn[1] for trial in trials)
    assert max(max(trial.drawn) for trial in trials) <= 20


def test_a_spread_spends_the_total_and_not_on_the_easy():
    """Equal totals; what the easy one does not need goes to the others."""
    trial = Trial([EASY, SPLIT, HARD], 0).spend(30, SampleRange(2, 20, 0.0))
    assert sum(trial.drawn) == 30
    assert trial.drawn[0] < min(trial.drawn[1:])


def test_halves_part_the_problems():
    """Every problem is in one half."""
    names = [f"p{number}" for number in range(40)]
    assert all(in_half(name, "even") != in_half(name, "odd") and in_half(name, "all") for name in names)


def test_table_and_curves_show_what_was_measured():
    """A row with the saving and the difference; a picture that parses."""
    points = [
        measure("pool", arm, [[EASY, SPLIT]], 1, lambda trial, count=count: trial.draw_all(count))
        for arm, count in (
            *(("fixed", 20), ("waves", 5), ("even", 5), ("spread", 5)),
            *(("allocate", 10), ("allocate, even", 10)),
        )
    ]
    assert "| pool | 2 | 20.0 | 100.0% | 5.0 | 75% |" in show(points)
    assert "| 10.0 | 50.0% | 50.0% |" in show(points)
    ET.fromstring(draw_curves([("pool", [(p.arm, p.samples, p.rate) for p in points])]))
