"""Tables and charts of the benchmarks hold what they are given."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from benchmarks.charts import draw_bars, draw_gaps
from benchmarks.tables import write_table


def test_a_table_has_a_line_for_each_row():
    """Names, one rule with numbers to the right, rows."""
    assert write_table(("way", "runs"), [("a", 1), ("b", "2.0")]) == (
        "| way | runs |\n|---|--:|\n| a | 1 |\n| b | 2.0 |"
    )


def test_bars_are_as_long_as_their_rates_on_a_logarithmic_axis():
    """Ten times the rate is one power of ten further, the fastest way comes first, others are left out."""
    rows = [
        {"way": way, "program": "trivial", "workers": workers, "runs_per_s": rate}
        for way, workers, rate in (("a <b>", 2, 10.0), ("**ours**", 2, 100.0), ("a <b>", 1, 5.0))
    ]
    drawn = ET.fromstring(draw_bars(rows, "caption"))
    bars = [
        float(box.get("width"))
        for box in drawn.iter("{http://www.w3.org/2000/svg}rect")
        if box.get("class") == "blue" and float(box.get("width")) != 12
    ]
    assert bars == [2 * bars[1], bars[1]]
    words = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words.index("ours") < words.index("a <b>")


def test_gaps_show_every_trial_with_its_ceiling():
    """A bar and an interval each, a dot where there is a ceiling."""
    means = {
        "m": {"gap": 0.5, "interval": (0.4, 0.6), "ceiling": 0.9},
        "random": {"gap": -0.1, "interval": (-0.2, 0.1), "ceiling": None},
    }
    drawn = ET.fromstring(draw_gaps(means, "caption"))
    dots = list(drawn.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == 1
    assert {"m", "random"} <= {one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")}
