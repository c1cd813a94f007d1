"""What the report counts, compares and prints; checked on made-up runs and against the summary of eval."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from xml.etree import ElementTree as ET

import pytest

from sstar_code.agent.models.request import Purpose, Request, Stage
from sstar_code.agent.report.data.curves import calibrate, majority_at, trace_flow
from sstar_code.agent.report.data.run import open_run
from sstar_code.agent.report.data.scores import compare_runs, count_scores
from sstar_code.agent.report.render.many import compare_as_markdown
from sstar_code.agent.report.render.page import Caps, read_details
from sstar_code.agent.report.render.tables import run_as_json, run_as_junit, run_as_markdown
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.folder import read_manifest
from sstar_code.agent.run.outcomes import ProblemOutcome
from sstar_code.agent.run.store import Store, StoreError
from sstar_code.agent.run.summary import Count, Summary
from sstar_code.problems import UserError
from tests.support.made_up_run import make_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of 20 problems, one of them failed and two not reached; its folder and problems."""
    folder = tmp_path_factory.mktemp("made")
    return folder, make_run(folder, problems=20, samples=5, unfinished=2, errors=1)


@pytest.fixture
def run(made):
    with open_run(*made) as opened:
        yield opened


def test_rates_are_those_of_the_summary(run):
    """The report and `summary.json` count the same, errors and unfinished problems included."""
    summary = Summary(Count(run.problem_ids, run.outcomes, run.count.errors), "adaptive", 0)
    scores, count = count_scores(run), run.count
    assert (len(count.scores), len(count.graded), len(count.errors), len(count.unfinished)) == (20, 17, 1, 2)
    assert scores.rates == summary.rates
    assert {rate.problems for rate in scores.rates.values()} == {20}
    assert scores.of_graded == summary.count.rates(summary.count.graded)


def test_curves_begin_and_end_where_the_rates_are(run):
    """pass@1 is the first point, all samples the last; more samples never find less."""
    scores = count_scores(run)
    assert list(scores.pass_at) == list(scores.oracle_at) == [1, 2, 4, 5]
    assert scores.pass_at[1] == scores.rates["pass@1"]
    assert scores.oracle_at[1].value == pytest.approx(scores.rates["debugged@1"].value)
    assert scores.oracle_at[5] == scores.rates["oracle"]
    values = [rate.value for rate in scores.oracle_at.values()]
    assert values == sorted(values)
    majority = majority_at(run, [1, 5], 20)
    assert majority[5] == scores.rates["majority"]
    assert majority[1].value == pytest.approx(scores.rates["debugged@1"].value, abs=0.1)


def test_rounds_end_where_the_samples_do(run):
    """After the last round the state is that of the debugged samples; no round makes it worse."""
    scores = count_scores(run)
    first, *_, last = scores.rounds
    assert last.public == scores.public
    assert last.oracle == scores.rates["oracle"]
    assert last.sample.value == pytest.approx(scores.rates["debugged@1"].value)
    assert first.public.value <= last.public.value


def test_flow_loses_no_problem(run):
    """Every column of the flow has all problems, and what leaves a column arrives in the next."""
    steps, links = trace_flow(run)
    assert all(sum(step.states.values()) == 20 for step in steps)
    for place in range(len(steps) - 1):
        for state, count in steps[place].states.items():
            assert count == sum(link.problems for link in links if (link.step, link.source) == (place, state))
    assert steps[-1].states["good"] == round(20 * count_scores(run).rates["adaptive"].value)
    assert steps[-1].states["lost"] == 3


def test_groups_cover_all_problems(run):
    """By difficulty, platform and month, each problem is in one group; difficulty goes from easy to hard."""
    groups = count_scores(run).groups
    assert set(groups) == {"difficulty", "platform", "month"}
    assert all(sum(group.problems for group in members) == 20 for members in groups.values())
    assert [group.name for group in groups["difficulty"]] == ["easy", "medium", "hard"]
    assert [group.name for group in groups["month"]] == sorted(group.name for group in groups["month"])


def test_calibration_counts_every_choice(run):
    """Each graded choice is in one bin, and the bin's confidence lies in it."""
    found = calibrate(run, "adaptive")
    assert found.choices == sum(row.right.problems for row in found.bins) == 17
    assert all(row.low <= row.confidence <= row.high for row in found.bins)
    assert 0 <= found.brier <= 1


def test_a_run_against_itself_differs_in_nothing(made):
    """No problem is won or lost and the interval has no width."""
    with open_run(*made) as first, open_run(*made) as second:
        comparison = compare_runs(first, second)
    assert comparison.lines[0].name == "selected@1"
    for line in comparison.lines:
        assert (line.difference.value, line.difference.low, line.difference.high) == (0, 0, 0)
        assert line.won == line.lost == ()


def test_runs_are_compared_on_what_both_were_asked(made, tmp_path):
    """Problems of one run alone are left out and counted; won and lost are named and are the difference."""
    make_run(tmp_path, problems=12, samples=5, seed=7)
    with open_run(*made) as first, open_run(tmp_path, made[1]) as second:
        comparison = compare_runs(first, second)
        text = compare_as_markdown(comparison)
    assert (comparison.common, comparison.only_first, comparison.only_second) == (12, 8, 0)
    assert "12 problems in common; only in the first: 8" in text
    line = comparison.lines[0]
    assert line.difference.value == pytest.approx((len(line.won) - len(line.lost)) / 12)
    assert line.difference.value == pytest.approx(line.second.value - line.first.value)
    assert all(problem_id in text for problem_id in (*line.won, *line.lost))
    assert "seed" in comparison.settings
    json.dumps(comparison.as_json())


def test_nothing_in_common_is_refused(made, tmp_path):
    """Two runs without a common problem have nothing to compare."""
    make_run(tmp_path, problems=1, samples=2)
    manifest = read_manifest(tmp_path)
    manifest["config"]["problems"] = ["another"]
    write_json(tmp_path / "manifest.json", manifest)
    with open_run(*made) as first, open_run(tmp_path) as second, pytest.raises(UserError, match="in common"):
        compare_runs(first, second)


def test_junit_has_a_case_a_problem(run):
    """Right passes, wrong fails, an error is an error, an unfinished problem is skipped; the counts agree."""
    (suite,) = ET.fromstring(run_as_junit(run).partition("\n")[2])
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == list(run.problem_ids)
    counts = {kind: len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")}
    assert (counts["error"], counts["skipped"]) == (1, 2)
    assert suite.get("failures") == str(counts["failure"])
    right = sum(1 for case in cases if len(case) == 0)
    assert right == round(20 * count_scores(run).rates["adaptive"].value)


def test_junit_of_hostile_ids_is_xml(tmp_path):
    """Control characters and markup in an error give well-formed XML."""
    make_run(tmp_path, problems=2, samples=1, errors=1, text="\x00\x1b<&\ud800")
    with open_run(tmp_path) as opened:
        (suite,) = ET.fromstring(run_as_junit(opened).partition("\n")[2])
    assert "<&" in suite.findall("testcase/error")[0].get("message")


def test_markdown_and_json_name_what_is_missing(run):
    """The errored and the unfinished problems are named, and the denominator is said."""
    scores = count_scores(run)
    text = run_as_markdown(run, scores)
    assert "20 problems in the rates, 17 graded, 1 errors and 2 unfinished" in text
    assert "Of the 17 graded problems alone: " in text
    assert "- error: made-17:" in text
    assert "- unfinished: made-18, made-19" in text
    data = json.loads(json.dumps(run_as_json(run, scores)))
    assert data["rates"]["adaptive"]["problems"] == 20
    assert data["unfinished"] == ["made-18", "made-19"]
    assert data["outcomes"]["made-17"] == "error"


def test_a_whole_run_needs_no_second_rate(tmp_path):
    """Where every problem is graded nothing is said of the graded ones alone, and nothing is warned of."""
    make_run(tmp_path, problems=3, samples=2)
    with open_run(tmp_path) as opened:
        text = run_as_markdown(opened, count_scores(opened))
    assert "3 problems in the rates, 3 graded, 0 errors and 0 unfinished" in text
    assert "alone" not in text
    assert "- error" not in text
    assert "- unfinished" not in text


def test_a_problem_that_is_worked_on_again_is_unfinished(tmp_path):
    """After `--retry errors` reopened it, its earlier candidates and choices do no harm."""
    make_run(tmp_path, problems=2, samples=2)
    with closing(Store(tmp_path / "run.db")) as store:
        store.reopen(["made-1"])
    with open_run(tmp_path) as opened:
        assert opened.count.unfinished == ["made-1"]
        assert read_details(opened, "made-1", Caps())["methods"] == []
        assert "- unfinished: made-1" in run_as_markdown(opened, count_scores(opened))


def test_without_hidden_tests_there_is_no_rate(tmp_path):
    """A run whose problems have no hidden tests has denominator 0 and can be printed."""
    make_run(tmp_path, problems=2, samples=2)
    with closing(sqlite3.connect(tmp_path / "run.db")) as db, db:
        for problem_id, text in db.execute("SELECT problem_id, outcome FROM problems").fetchall():
            data = json.loads(text)
            for sample in data["samples"]:
                sample["hidden"] = sample["first_hidden"] = None
            db.execute("UPDATE problems SET outcome = ? WHERE problem_id = ?", (json.dumps(data), problem_id))
    with open_run(tmp_path) as opened:
        scores = count_scores(opened)
        assert (opened.count.scores, opened.count.ungraded, scores.rates) == ({}, 2, {})
        assert "2 without hidden tests" in run_as_markdown(opened, scores)


def test_a_run_that_goes_on_is_read_without_its_lock(tmp_path):
    """While another process holds the store, what is finished is there and nothing is written."""
    make_run(tmp_path, problems=3, samples=2, unfinished=1)
    store = Store(tmp_path / "run.db")
    try:
        before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
        with open_run(tmp_path) as opened:
            store.put_selections("made-0", ProblemOutcome("made-0", (), {}, ()).to_json(), [])
            assert len(opened.outcomes["made-0"].samples) == 2, "one snapshot"
            assert opened.count.unfinished == ["made-2"]
            with pytest.raises(StoreError, match="readonly"):
                opened.store.put_failure(Request((), Purpose("made-0", Stage.DEBUG)), "")
        assert before == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    finally:
        store.close()


def test_a_shard_is_asked_for_its_part_alone(tmp_path):
    """A folder of the second of three parts counts only its own problems."""
    make_run(tmp_path, problems=9, samples=2)
    manifest = read_manifest(tmp_path)
    manifest["config"]["shard"] = "2/3"
    write_json(tmp_path / "manifest.json", manifest)
    with open_run(tmp_path) as opened:
        assert opened.problem_ids == ["made-1", "made-4", "made-7"]
        assert len(opened.count.scores) == 3


@pytest.mark.parametrize("case", ["none", "empty", "other", "torn", "newer"])
def test_what_is_no_run_is_said(tmp_path, case):
    """A folder that is no run, one of another command, and a store that cannot be read are one line each."""
    if case != "none":
        make_run(tmp_path, problems=1, samples=1)
    if case == "empty":
        (tmp_path / "run.db").unlink()
    if case == "other":
        write_json(tmp_path / "manifest.json", {"config": {"samples": "0"}})
    if case == "torn":
        (tmp_path / "run.db").write_bytes(b"nothing of ours" * 100)
    if case == "newer":
        with closing(sqlite3.connect(tmp_path / "run.db")) as db:
            db.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError) as told, open_run(tmp_path):
        pass
    assert "\n" not in str(told.value)
    assert str(tmp_path) in str(told.value)
