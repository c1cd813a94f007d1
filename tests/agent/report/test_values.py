"""The numbers, tables, charts and page of a run of six problems, value by value.

The files in `expected` hold the whole outputs. After an intended change write them anew and read the diff:

    SSTAR_WRITE_EXPECTED=1 python -m pytest tests/agent/report/test_values.py
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from sstar_code.agent.report.data.curves import calibrate, majority_at, tokens_per_sample, trace_flow
from sstar_code.agent.report.data.run import Choice, open_run
from sstar_code.agent.report.data.scores import compare_runs, count_scores
from sstar_code.agent.report.render.many import compare_as_markdown
from sstar_code.agent.report.render.page import build_page
from sstar_code.agent.report.render.plot import draw_plot
from sstar_code.agent.report.render.tables import run_as_json, run_as_junit, run_as_markdown
from sstar_code.agent.run.outcomes import ProblemOutcome, SampleOutcome, StageCount
from tests.support.small_run import make_small_run

EXPECTED = Path(__file__).parent / "expected"
PACKED = re.compile(r'<script type="text/plain" id="d-\d+">([^<]*)</script>')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the run; its problems are in `problems`."""
    return tmp_path_factory.mktemp("small") / "run"


@pytest.fixture(scope="module")
def problems(folder):
    """The problems of the run by id."""
    return make_small_run(folder)


@pytest.fixture
def run(folder, problems):
    with open_run(folder, problems) as opened:
        yield opened


def values(rates):
    return {name: round(rate.value, 6) for name, rate in rates.items()}


def check(name: str, text: str) -> None:
    path = EXPECTED / name
    if os.environ.get("SSTAR_WRITE_EXPECTED"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_rates(run):
    """Over five problems: the failed and the unreached one are wrong, the one without hidden tests is out."""
    scores = count_scores(run)
    assert list(run.count.scores) == ["sum", "sort", "walk", "lost", "late"]
    assert (run.count.graded, run.count.unfinished, run.count.ungraded) == (
        ["sum", "sort", "walk"],
        ["late"],
        1,
    )
    totals = {
        "pass@1": 2 / 3,
        "debugged@1": 1,
        "random": 1.5,
        "first": 1,
        "majority": 1,
        "adaptive": 1,
        "oracle": 2,
    }
    assert values(scores.rates) == {name: round(total / 5, 6) for name, total in totals.items()}
    assert values(scores.of_graded) == {name: round(total / 3, 6) for name, total in totals.items()}
    assert {name: round(gain.value, 6) for name, gain in scores.gains.items()} == {
        name: round((total - 1.5) / 5, 6) for name, total in totals.items() if name != "random"
    }
    assert (scores.public.value, scores.public.problems) == (0.6, 5)
    assert values(scores.pass_at) == {1: 0.133333, 2: 0.266667, 3: 0.4}
    assert values(scores.oracle_at) == {1: 0.2, 2: 0.333333, 3: 0.4}


def test_rounds_and_verdicts(run):
    """After each round every sample counts with its best round so far; verdicts are those of the samples."""
    scores = count_scores(run)
    rounds = [(row.public.value, row.oracle.value, round(row.sample.value, 6)) for row in scores.rounds]
    assert rounds == [(0.4, 0.4, 0.133333), (0.6, 0.4, 0.2)]
    assert scores.first_verdicts == {"AC": 2, "WA": 4, "CE": 1, "TLE": 1, "RE": 1}
    assert scores.final_verdicts == {"AC": 3, "RE": 2, "WA": 3, "TLE": 1}


def test_groups(run):
    """Each group has its own denominator; what has no key is a group at the end."""
    groups = {
        kind: [(group.name, group.problems, *values(group.rates).values()) for group in members]
        for kind, members in count_scores(run).groups.items()
    }
    sum_and_walk, sort_and_lost = (2, 0.166667, 0.5, 0.5), (2, 0.166667, 0.0, 0.5)
    unknown = ("not known", 1, 0.0, 0.0, 0.0)
    assert groups["difficulty"] == [("easy", *sum_and_walk), ("hard", *sort_and_lost), unknown]
    assert groups["platform"][:2] == [("atcoder", 2, 0.166667, 0.0, 0.5), ("leetcode", 2, 0.166667, 0.5, 0.5)]
    assert [name for name, *_ in groups["month"]] == ["2025-01", "2025-02", "not known"]


def test_curves(run):
    """The majority of k is a mean over draws; tokens are means over samples and, for selection, problems."""
    assert values(majority_at(run, [1, 2, 3], 5)) == {1: 0.2, 2: 0.3, 3: 0.2}
    assert majority_at(run, [1], 5)[1].problems == 5
    tokens = tokens_per_sample(run)
    assert tokens == {"generate": 140.0, "debug": 6 * 260 / 12, "select": 305 / 4}


def majority_of(samples, clusters, sizes):
    """`majority_at` of one problem; `samples` are (public tests passed, hidden verdict)."""
    outcome = ProblemOutcome(
        "p",
        tuple(SampleOutcome(n, 1, passed, True, None, hidden) for n, (passed, hidden) in enumerate(samples)),
        {"majority": clusters[0][0]},
        (),
    )
    choices = {"p": {"majority": Choice(clusters[0][0], 0.5, clusters)}}
    made = SimpleNamespace(count=SimpleNamespace(graded=["p"]), choices=choices, outcomes={"p": outcome})
    return values(majority_at(made, sizes, 1))


def test_majority_of_draws():
    """Ties are shared, and a draw without a grouped sample takes one that is best on the public tests."""
    ungrouped = [(2, "WA"), (2, "AC"), (1, "WA")]
    assert majority_of(ungrouped, ((0,),), [1, 2, 3]) == {1: 0.333333, 2: 0.333333, 3: 0.0}
    tie = [(2, "AC"), (2, "WA"), (2, "AC"), (2, "WA")]
    assert majority_of(tie, ((0, 2), (1, 3)), [2, 3, 4]) == {2: 0.5, 3: 0.5, 4: 1.0}
    many = [(2, "AC")] * 14 + [(2, "WA")] * 6
    drawn = majority_of(many, (tuple(range(14)), tuple(range(14, 20))), [1, 10, 19])
    assert drawn == majority_of(many, (tuple(range(14)), tuple(range(14, 20))), [1, 10, 19])
    assert drawn[1] == 0.7
    assert 0.9 < drawn[10] <= drawn[19] == 1.0
    assert not majority_at(SimpleNamespace(count=SimpleNamespace(graded=["p"]), choices={}), [1], 1)


def test_calibration(run):
    """Confidence 0.95 was right once, 0.55 wrong twice."""
    found = calibrate(run, "adaptive")
    bins = [(row.low, row.high, row.confidence, row.right.value, row.right.problems) for row in found.bins]
    assert bins == [(0.5, 0.6, 0.55, 0.0, 2), (0.9, 1.0, 0.95, 1.0, 1)]
    assert found.error == pytest.approx((0.05 + 2 * 0.55) / 3)
    assert found.brier == pytest.approx((0.05**2 + 2 * 0.55**2) / 3)
    assert found.choices == 3


def test_flow(run):
    """Debugging brings one problem to a public pass, hidden tests lose one of three, the choice another."""
    steps, links = trace_flow(run)
    assert [(step.title, *step.states.values()) for step in steps] == [
        ("sampled", 2, 1, 2),
        ("debug round 1", 3, 0, 2),
        ("hidden tests", 2, 1, 2),
        ("choice", 1, 2, 2),
    ]
    assert [(link.step, link.source, link.target, link.problems) for link in links] == [
        (0, "good", "good", 2),
        (0, "bad", "good", 1),
        (0, "lost", "lost", 2),
        (1, "good", "good", 2),
        (1, "good", "bad", 1),
        (1, "lost", "lost", 2),
        (2, "good", "good", 1),
        (2, "good", "bad", 1),
        (2, "bad", "bad", 1),
        (2, "lost", "lost", 2),
    ]


def test_stages(run):
    """Every count of every stage adds up over problems, answers cut while thinking included."""
    assert run.total["generate"] == StageCount(
        calls=12, prompt=1200, cached=600, output=480, reasoning=120, seconds=27.0, cut=1, cut_thinking=1
    )
    assert run.total["debug"] == StageCount(calls=7, prompt=1200, output=360, seconds=24.5, unknown=1)
    assert run.total["judge"] == StageCount(calls=1, prompt=300, cached=0, output=5, reasoning=0, seconds=1.0)
    assert run.total["inputs"] == StageCount(calls=1, unknown=1)
    assert run.total["grade"] == StageCount(executions=19, cpu_s=4.75)


def test_texts(run):
    """Markdown, JSON and JUnit hold exactly these numbers and words."""
    scores = count_scores(run)
    check("small.md", run_as_markdown(run, scores))
    check("small.xml", run_as_junit(run))
    found = json.loads(json.dumps(run_as_json(run, scores)), parse_float=lambda text: round(float(text), 9))
    check("small.json", json.dumps(found | {"run": ""}, indent=1) + "\n")


def test_comparison(folder, run, tmp_path):
    """The second run differs by one problem, in favour of the second."""
    problems = make_small_run(tmp_path / "second", sort_chosen=1)
    with open_run(tmp_path / "second", problems) as second:
        found = compare_runs(run, second)
    line = found.lines[0]
    assert (line.name, line.won, line.lost, line.p) == ("selected@1", ("sort",), (), 1.0)
    text = compare_as_markdown(found).replace(str(tmp_path), "").replace(str(folder.parent), "")
    check("compare.md", text)


def test_page(run):
    """Every word, number and shape of the page, and what is shown of each problem."""
    page = build_page(run, count_scores(run))
    details = [json.loads(gzip.decompress(base64.b64decode(packed))) for packed in PACKED.findall(page)]
    check("details.json", json.dumps(details, indent=1) + "\n")
    page = re.sub(
        r"<style>.*</style>|<script>.*</script>|<meta [^>]*>", "", PACKED.sub("", page), flags=re.DOTALL
    )
    check("page.html", re.sub(r"\n+", "\n", page.replace("><", ">\n<")))


def test_figure(run, tmp_path):
    """The figure for a paper has the methods from above, the curves and the choice in its legend."""
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    draw_plot([(run, count_scores(run))], tmp_path / "figure.svg")
    words = re.findall(r"<text [^>]*>([^<]*)</text>", (tmp_path / "figure.svg").read_text())
    assert [word for word in words if not word.isdigit()] == [
        "right, % of 5 problems (95% intervals)",
        "oracle (best possible)",
        "adaptive",
        "majority (largest cluster)",
        "first of the best",
        "random of the best",
        "one sample, debugged",
        "one sample (pass@1)",
        "samples a problem",
        "right, %",
        "oracle of k, debugged",
        "pass@k, no debugging",
        "majority of k",
        "adaptive (selected@1)",
    ]
