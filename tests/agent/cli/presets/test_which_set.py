"""Which problems a number is about stands beside it, and what a pipeline reached is never called pass@1."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.run.history.which_set import read_which_set
from sstar_code.agent.testing.server import chat
from sstar_code.problems.sets import load
from sstar_code.problems.sets.releases import Fetched
from tests.agent.cli.presets.test_presets import PROGRAM, STDIN
from tests.agent.conftest import DOUBLE

RIGHT, WRONG = "print(2 * int(input()))", "print(int(input()) + 3)"


def rows(*days):
    return [{**STDIN, "question_id": day, "contest_date": f"{day}T00:00:00"} for day in days]


@pytest.fixture
def dated(folder):
    """Three problems of LiveCodeBench's form; gives SET."""
    found = rows("2024-08-03", "2024-09-07", "2025-01-04")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return "lcb:rows.jsonl"


@pytest.fixture
def evaluate(sstar, serve, isolated):
    """Evaluate with a server that answers rightly, without repairs."""

    def run(*words):
        base = ["-m", "tiny", "--base-url", serve(PROGRAM).base_url, "--n", "2", "--select", "first"]
        ended = sstar("eval", *words, *base, *isolated)
        assert ended.code == 0, ended.err
        return ended

    return run


def test_the_set_stands_in_every_summary(evaluate, sstar, dated, folder):
    """Terminal, JSON, Markdown, CSV, LaTeX and page: name, number, window, dates and digest."""
    window = ["--start-date", "2024-08-01", "--end-date", "2024-12-31"]
    out = evaluate(dated, *window, "--filter", "difficulty=easy", "--out", "run").out
    (line,) = [text.removeprefix("set: ") for text in out.splitlines() if text.startswith("set: ")]
    about, _, digest = line.rpartition(", digest ")
    assert about == (
        "lcb, 2 problems, window 2024-08-01 to 2024-12-31, published 2024-08-03 to 2024-09-07, "
        "--filter difficulty=easy"
    )
    assert len(digest) == 16
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert (summary["which_set"]["problems"], summary["which_set"]["digest"]) == (2, digest)
    assert sstar("report", "run", "--format", "json").json["which_set"] == summary["which_set"]
    for words in (["run"], ["run", "--format", "csv"], ["run", "--format", "latex"], ["run", "run"]):
        assert f"digest {digest}" in sstar("report", *words).out
    assert line in (folder / "run" / "report.html").read_text()


def test_a_digest_is_of_the_problems_and_not_of_how_they_were_chosen(evaluate, dated):
    """The same two by dates and by number have one digest, one of them another."""
    digests = [
        evaluate(dated, "--json", *words).json["which_set"]["digest"]
        for words in (["--end-date", "2024-12-31"], ["--limit", "2"], ["--limit", "1"])
    ]
    assert digests[0] == digests[1] != digests[2]


def test_shards_and_their_merged_run_have_one_set(evaluate, sstar, dated):
    """A shard says that it is one."""
    found = [
        evaluate(dated, "--shard", part, "--out", part[0], "--json").json["which_set"]
        for part in ("1/2", "2/2")
    ]
    assert sstar("merge", "whole", "1", "2").code == 0
    whole = sstar("report", "whole", "--format", "json").json["which_set"]
    assert [one["shard"] for one in found] == ["1/2", "2/2"]
    assert {**found[0], "shard": ""} == {**found[1], "shard": ""} == whole


def test_grade_and_select_name_the_set(sstar, write_set, folder, isolated):
    """Both with the same digest for the same problems."""
    (folder / "s.jsonl").write_text(json.dumps({"task_id": "double", "solution": RIGHT}) + "\n")
    graded = sstar("grade", write_set(), "s.jsonl", "--out", "g", *isolated)
    chosen = sstar("select", write_set(), "s.jsonl", "--no-model", "--out", "s", *isolated)
    (line,) = [text for text in graded.out.splitlines() if text.startswith("set: jsonl, 1 problem, digest ")]
    assert f"sstar: {line}" in chosen.err.splitlines()
    assert f"- {line}" in sstar("report", "g").out.splitlines()
    assert "among 1 samples with 0 calls and 0 tokens" in chosen.err


def test_a_name_without_a_release_tells_which_was_taken(sstar, folder, monkeypatch):
    """Releases are different sets; with one named, or a set that has only one, nothing has to be said."""
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(STDIN) + "\n")
    monkeypatch.setattr(load, "fetch_release", lambda *_: [Fetched(path, "0" * 64)])
    words = ["-m", "tiny", "--dry-run"]
    ended = sstar("eval", "lcb", *words)
    assert "sstar: lcb names no release, so lcb@release_v6 was taken; others are release_v5, " in ended.err
    assert "names no release" not in sstar("eval", "lcb@release_v5", *words).err


def test_an_old_manifest_says_what_it_knows():
    """Number and digest can be worked out of every configuration."""
    found = read_which_set(
        {"config": {"label": "lcb-tiny", "model": "tiny", "set": "ab", "problems": ["b", "a"]}}
    )
    again = read_which_set({"config": {"label": "lcb", "set": "ab", "problems": ["a", "b"]}, "chosen": None})
    assert (found.name, found.problems, str(found)) == ("lcb", 2, f"lcb, 2 problems, digest {again.digest}")


def test_what_a_pipeline_reached_is_not_called_pass_at_1(sstar, serve, write_set, folder, isolated):
    """Neither by eval, nor where its files are graded again: what was chosen, and what was repaired."""

    def respond(body):
        is_first = "does not pass" not in body["messages"][-1]["content"]
        return WRONG if is_first else RIGHT

    server = serve(lambda body: chat(f"```python\n{respond(body)}\n```"))
    words = ["-m", "tiny", "--base-url", server.base_url, "--n", "2", "--rounds", "1", "--select", "first"]
    ended = sstar("eval", write_set(), *words, "--out", "run", "--json", *isolated)
    assert (ended.json["pass@1"], ended.json["selected@1"]) == (0.0, 1.0)
    assert ended.json["selected"]["method"] == "first"
    assert (ended.json["selected"]["samples"], ended.json["selected"]["calls"]) == (2.0, 4.0)
    shown = sstar("eval", write_set(), *words, "--out", "run", *isolated).out
    assert "no test used; selected@1: first of 2 samples a problem, with 4.0 calls and " in shown
    for name, rate in (
        ("samples.jsonl", "selected"),
        ("lcb.json", "selected"),
        ("candidates.jsonl", "debugged"),
    ):
        graded = sstar("grade", write_set(), f"run/{name}", "--out", name, *isolated)
        assert f"{rate}@1  100.0%" in graded.out
        assert "pass@" not in graded.out
        told = sstar("report", name).out
        assert ("first** (selected@1)" if rate == "selected" else "one sample, debugged") in told
        assert "(pass@1)" not in told
    assert {row["rate"] for row in sstar("runs", ".", "--json").json["runs"]} == {"selected@1", "debugged@1"}
    (folder / "answers.jsonl").write_text(json.dumps({"task_id": DOUBLE["id"], "solution": RIGHT}) + "\n")
    assert "pass@1  100.0%" in sstar("grade", write_set(), "answers.jsonl", *isolated).out
