"""Charts place what they are given, and write numbers so that they can be read."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from sstar_code.agent.report.data.curves import Link, Step
from sstar_code.agent.report.data.scores import Group
from sstar_code.agent.report.render.charts import (
    Curve,
    draw_bars,
    draw_curves,
    draw_flow,
    draw_groups,
    draw_intervals,
    shorten_number,
)
from sstar_code.agent.run.summary import Rate

HALF = Rate(0.5, 0.25, 0.75, 8)


def elements(drawing, tag, kind=None):
    """The attributes of every element `tag` with a class, and its text."""
    found = ET.fromstring(drawing).iter("{http://www.w3.org/2000/svg}" + tag)
    return [(item.attrib, item.text) for item in found if kind in (None, item.get("class"))]


def axis_words(drawing, place):
    """Words of an axis in order; `place` is where they stand, `middle` below or `end` beside it."""
    return [
        words
        for attributes, words in elements(drawing, "text", "faint")
        if attributes["text-anchor"] == place
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (7, "7"),
        (7.25, "7.25"),
        (99.96, "100"),
        (100.4, "100"),
        (950, "950"),
        (9999, "9,999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (999_000, "999k"),
        (1_000_000, "1M"),
        (4_560_000, "4.56M"),
        (1_000_000_000, "1G"),
        (2_500_000_000, "2.5G"),
    ],
)
def test_numbers_are_short(value, words):
    """Three or four digits, with k, M or G."""
    assert shorten_number(value) == words


@pytest.mark.parametrize(
    ("places", "ticks"),
    [
        ((1, 4), ["1", "2", "4"]),
        ((1, 5), ["1", "2", "5"]),
        ((1, 16), ["1", "2", "4", "8", "16"]),
        ((2, 64), ["2", "4", "8", "16", "32", "64"]),
        ((100, 1000), ["100", "200", "500", "1,000"]),
        ((150, 9000), ["200", "500", "1,000", "2,000", "5,000"]),
        ((90, 120_000), ["100", "1,000", "10k", "100k"]),
    ],
)
def test_ticks_are_round_numbers(places, ticks):
    """Powers of two of samples; of tokens 1, 2 and 5, or where they are many, powers of ten."""
    drawing = draw_curves([Curve("a", "s1", [(x, HALF) for x in places])], "title", "axis")
    assert axis_words(drawing, "middle") == ["axis", *ticks]
    assert axis_words(drawing, "end") == ["0%", "25%", "50%", "75%", "100%"]


def test_names_of_curves_do_not_overlap():
    """Curves that end at one place have their names 15 apart, and the lowest stays within the chart."""
    zero = Rate(0.0, 0.0, 0.1, 8)
    curves = [Curve(f"c{n}", "s1", [(1, zero), (2, zero)]) for n in range(3)]
    texts = elements(draw_curves(curves, "title", "axis"), "text")
    heights = {words: float(attributes["y"]) for attributes, words in texts if re.fullmatch("c[0-9]", words)}
    assert heights == {"c0": 228.0, "c1": 243.0, "c2": 258.0}


def test_a_point_has_an_interval_and_a_curve_a_line():
    """A curve of one place is a larger dot with its interval."""
    drawing = draw_curves(
        [Curve("point", "chosen", [(4, HALF)]), Curve("curve", "s1", [(1, HALF), (4, HALF)])], "t", "a"
    )
    (interval,) = elements(drawing, "line", "interval chosen")
    assert [interval[0][name] for name in ("x1", "y1", "x2", "y2")] == ["408.0", "194.0", "408.0", "74.0"]
    assert [item["r"] for item, _ in elements(drawing, "circle", "dot chosen")] == ["6.0", "4.0"]
    (line,) = elements(drawing, "polyline", "curve s1")
    assert line[0]["points"] == "48.0,134.0 408.0,134.0"


def test_intervals_lie_on_the_axis_of_rates():
    """0 is at 190, 100% at 590; the value stands beside the row, and the chosen one is strong."""
    drawing = draw_intervals([("a", HALF, "chosen"), ("b", HALF, "s4")], "title")
    places = [
        [item[name] for name in ("x1", "x2", "y1")]
        for item, _ in elements(drawing, "line", "interval chosen")
    ]
    assert places == [["290.0", "490.0", "22.0"]]
    assert [words for _, words in elements(drawing, "text", "strong")] == ["a", "50.0"]
    assert [item["cx"] for item, _ in elements(drawing, "circle")] == ["390.0", "390.0"]


def test_groups_are_named_with_their_size():
    """One problem is no plural, and a long name is cut at 26 letters."""
    groups = [Group("x" * 30, 1, {"pass@1": HALF}), Group("y", 2, {"oracle": HALF, "selected@1": HALF})]
    drawing = draw_groups(groups, "title")
    assert [words for _, words in elements(drawing, "text", "strong")] == ["x" * 26, "y"]
    small = [words for _, words in elements(drawing, "text", "small")]
    assert small == ["1 problem", "50.0", "2 problems", "50.0", "50.0"]


def test_bars_are_as_long_as_their_parts():
    """The longest bar has the whole width, a part of nothing is left out, and nothing at all can be drawn."""
    rows = {"a": {"x": 30.0, "y": 10.0}, "b": {"x": 0.0, "y": 20.0}}
    drawing = draw_bars(rows, {"x": "s1", "y": "s2"}, "title", " s")
    bars = [[item["x"], item["y"], item["width"], item["class"]] for item, _ in elements(drawing, "rect")]
    assert bars == [
        ["130.0", "12.0", "300.0", "block s1"],
        ["430.0", "12.0", "100.0", "block s2"],
        ["130.0", "42.0", "200.0", "block s2"],
    ]
    assert [words for _, words in elements(drawing, "text")] == ["a", "40 s", "b", "20 s"]
    assert [words for _, words in elements(drawing, "desc")] == ["a: x 30 s, y 10 s; b: y 20 s"]
    assert elements(draw_bars({"a": {"x": 0.0}}, {"x": "s1"}, "title"), "rect") == []


def test_the_flow_is_as_tall_as_its_problems():
    """190 for all problems, gaps between the states there are, and words that fit beside the smallest bar."""
    words = {"good": "yes", "bad": "no", "lost": "gone"}
    steps = (
        Step("first", {"good": 99, "bad": 1, "lost": 0}, words),
        Step("second", {"good": 50, "bad": 50, "lost": 0}, words),
    )
    links = (Link(0, "good", "good", 50), Link(0, "good", "bad", 49), Link(0, "bad", "bad", 1))
    drawing = draw_flow(steps, links, "title")
    bars = [[item[name] for name in ("x", "y", "height")] for item, _ in elements(drawing, "rect")]
    assert bars == [
        ["20.0", "46.0", "188.1"],
        ["20.0", "252.1", "1.9"],
        ["940.0", "46.0", "95.0"],
        ["940.0", "159.0", "95.0"],
    ]
    counts = [(item["y"], text) for item, text in elements(drawing, "text", "strong")]
    assert counts == [
        ("24.0", "first"),
        ("63.0", "99"),
        ("263.1", "1"),
        ("24.0", "second"),
        ("63.0", "50"),
        ("176.0", "50"),
    ]
    ribbons = [item["d"].split()[0] for item, _ in elements(drawing, "path")]
    assert ribbons == ["M36.0,46.0", "M36.0,141.0", "M36.0,252.1"]
    assert ET.fromstring(drawing).get("viewBox") == "0 0 1100 306"
