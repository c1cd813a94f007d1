"""Runs of every command in one table, what a choice gains, and what each costs."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from contextlib import closing

import pytest

from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.history.added import note_own_work, split_work
from sstar_code.agent.run.history.starts import Starts
from sstar_code.agent.run.outcomes import StageCount
from sstar_code.agent.run.store import Store
from sstar_code.agent.run.summary import paired_bootstrap
from tests.support.made_up_run import make_run

DOUBLE = {
    "statement": "Read an integer and print twice its value.",
    "kind": "stdin",
    "public_tests": [{"input": "2\n", "output": "4"}],
    "hidden_tests": [{"input": "5\n", "output": "10"}],
}
RIGHT, WRONG = "print(int(input()) * 2)", "print(int(input()) ** 2)"
SAMPLES = [("gpt", WRONG), ("qwen", RIGHT), ("qwen", "print(2 * int(input()))"), ("gpt", WRONG + " # again")]


@pytest.fixture
def samples(folder, write_set):
    """A set of one problem with hidden tests, and four samples of two sources for it; gives SET."""
    rows = [{"task_id": "double", "solution": code, "source": name} for name, code in SAMPLES]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return write_set()


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_select_writes_what_it_chose(sstar, samples, folder, isolated):
    """The program with its sample and source, which `select` and `grade` read again, and its rate."""
    words = ["select", samples, "samples.jsonl", "--no-model", "--out", "s", *isolated]
    ended = sstar(*words)
    assert ended.code == 0, ended.err
    (row,) = read_lines(folder / "s" / "samples.jsonl")
    assert (row["task_id"], row["solution"], row["source"]) == ("double", SAMPLES[row["sample"]][1], ["qwen"])
    assert ended.out.split("\t")[3].strip() == "qwen"
    assert "adaptive (selected@1)  100.0%" in ended.err
    assert "pass@1" not in ended.err  # what was not chosen is not graded
    summary = json.loads((folder / "s" / "summary.json").read_text())
    assert (summary["selected@1"], summary["pass@1"]) == (1.0, None)
    assert sstar("grade", samples, "s/samples.jsonl", "--json", *isolated).json["selected@1"] == 1.0


@pytest.mark.parametrize(("what", "told"), [("all", (1.0, 0.5, 1.0)), ("none", (None, None, None))])
def test_select_grades_what_it_is_asked_to(sstar, samples, isolated, what, told):
    """`--grade all` tells pass@1 and the ceiling too, `none` nothing; another word is one line."""
    words = ["select", samples, "samples.jsonl", "--no-model", "--json", "--grade"]
    found = sstar(*words, what, *isolated).json
    assert (found["selected@1"], found["pass@1"], found["oracle"]) == told
    ended = sstar(*words, "some")
    assert (ended.code, "must be one of chosen, all, none" in ended.err) == (2, True)


def test_explain_names_files_and_sources(sstar, samples, folder, isolated):
    """The tables are preceded by what each sample number means."""
    words = ["select", samples, "samples.jsonl", "--no-model", "--explain", "double", *isolated]
    assert sstar(*words).out.startswith("sample 0: gpt\nsample 1: qwen\n")
    (folder / "mine").mkdir()
    (folder / "mine" / "double.py").write_text(RIGHT)
    words[2] = "mine"
    assert sstar(*words).out.startswith("sample 0: double.py\n")


def test_runs_of_every_command_make_one_table(sstar, samples, folder, isolated):
    """A made-up run of eval, grade and select: a row each; what a run does not have is a dash."""
    make_run(folder / "e", problems=6, samples=3)
    sstar("grade", samples, "samples.jsonl", "--out", "g", *isolated)
    sstar("select", samples, "samples.jsonl", "--no-model", "--grade", "all", "--out", "s", *isolated)
    ended = sstar("report", "e", "g", "s")
    assert ended.code == 0, ended.err
    heads, _, *rows = [line.strip("| ").split(" | ") for line in ended.out.splitlines()[2:7]]
    place = heads.index("pass@1")
    assert [row[0] for row in rows] == ["e", "g", "s"]
    assert [row[place].partition(" ")[0] for row in rows[1:]] == ["50.0%", "50.0%"]
    assert rows[1][heads.index("selected@1")] == "-"
    assert rows[2][heads.index("selected@1")] == "100.0% (adaptive of 4)"
    assert rows[2][heads.index("selected - pass@1")] == "+50.0"
    found = sstar("report", "e", "g", "s", "--format", "json").json
    assert {row["command"] for row in found["rows"]} == {"eval", "grade", "select"}
    assert "nothing is compared" in ended.err
    compared = sstar("report", "g", "s", "--format", "json").json["comparisons"][0]["rates"]
    assert set(compared) == {"pass@1", "oracle"}  # `grade` chose nothing, so nothing is said of its choice


def test_one_run_of_grade_is_told(sstar, samples, isolated):
    """Rates of grade alone, without words for choices that nobody made."""
    sstar("grade", samples, "samples.jsonl", "--out", "g", *isolated)
    ended = sstar("report", "g")
    assert (ended.code, "| one sample (pass@1) | 50.0% |" in ended.out) == (0, True)
    assert "random" not in ended.out.replace("gain over random", "")
    assert "no page" in ended.err


def test_a_run_of_solve_has_a_report_and_a_page(sstar, serve, write_set, folder, isolated):
    """Candidates and selection of `solve` are in its store; `--explain` prints the tables on stderr."""
    server = serve(f"```python\n{RIGHT}\n```")
    words = [
        "solve",
        f"{write_set()}#double",
        "-m",
        "tiny",
        "--base-url",
        server.base_url,
        "--n",
        "2",
        "--out",
        "v",
    ]
    ended = sstar(*words, "--explain", *isolated)
    assert ended.code == 0, ended.err
    assert ended.out == RIGHT + "\n"
    assert "Clusters: what did the same on every input" in ended.err
    assert "confidence not known" in ended.err
    with closing(Store(folder / "v" / "run.db", read_only=True)) as store:
        assert [code.strip() for code in store.candidates("double")] == [RIGHT, RIGHT]
        assert set(store.selections("double")) == {"adaptive"}
        assert list(store.outcomes()) == ["double"]
    assert "Nothing is graded" in sstar("report", "v").out
    assert (folder / "v" / "report.html").exists()


def test_csv_can_be_read_back(sstar, folder):
    """A row a run and rate; a name that a spreadsheet would compute is a text."""
    make_run(folder / "=1+1", problems=6, samples=3)
    rows = list(csv.DictReader(io.StringIO(sstar("report", "=1+1", "--format", "csv").out)))
    assert {row["rate"] for row in rows} >= {"selected@1", "pass@1", "oracle", "adaptive", "pass@3"}
    assert {row["run"] for row in rows} == {"'=1+1"}
    (one,) = [row for row in rows if row["rate"] == "pass@1"]
    assert float(one["low"]) <= float(one["value"]) <= float(one["high"])
    assert float(one["difference_low"]) <= float(one["selected_minus_it"]) <= float(one["difference_high"])
    assert one["test"] == "bootstrap"


def test_latex_is_a_table(sstar, folder):
    """As many cells in every row; special letters are escaped; it compiles where LaTeX is installed."""
    for name in ("a_b", "c&d"):
        make_run(folder / name, problems=6, samples=3)
        path = folder / name / "manifest.json"
        manifest = json.loads(path.read_text())
        write_json(path, {**manifest, "set_name": f"50% {name} ~^\\{{x}}"})
    text = sstar("report", "a_b", "c&d", "--format", "latex").out
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {row.replace(r"\&", "").count("&") for row in rows} == {rows[0].count("&")}
    assert r"50\% a\_b \textasciitilde{}\textasciicircum{}\textbackslash{}\{x\}" in text
    if shutil.which("pdflatex"):
        (folder / "t.tex").write_text(
            f"\\documentclass{{article}}\\begin{{document}}{text}\\end{{document}}\n"
        )
        subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"], check=True)


def test_several_runs_make_one_figure(sstar, folder):
    """Rates of both with the names of sets and models; a wrong ending is said before anything is printed."""
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    for name, seed in (("one", 0), ("two", 3)):
        make_run(folder / name, problems=6, samples=3, seed=seed)
    assert sstar("report", "one", "two", "--plot", "both.svg").code == 0
    assert (folder / "both.svg").read_text().count("pass@k: made-up") == 2
    ended = sstar("report", "one", "two", "--plot", "both.bmp")
    assert (ended.code, ended.out) == (2, "")


def test_sets_by_models(sstar, folder):
    """Two sets and two models: a second table of sets by models."""
    for number, (name, model) in enumerate([("x", "m"), ("x", "k"), ("y", "m")]):
        make_run(folder / str(number), problems=3, samples=2, seed=number)
        path = folder / str(number) / "manifest.json"
        manifest = json.loads(path.read_text())
        config = {**manifest["config"], "model": model}
        write_json(path, {**manifest, "set_name": name, "config": config})
    lines = sstar("report", "0", "1", "2").out.splitlines()
    start = lines.index("## selected@1 (pass@1 where nothing was chosen)")
    assert lines[start + 2] == "| set | m | k |"
    assert [line.split(" | ")[0] for line in lines[start + 4 : start + 6]] == ["| x", "| y"]


def test_bootstrap_p():
    """No difference is 1, a sure one as small as the resamples allow, never 0; the sign does not matter."""
    assert paired_bootstrap([0.0] * 9).p == 1.0
    sure = paired_bootstrap([1.0] * 9, resamples=1000)
    assert sure.p == pytest.approx(2 / 1001)
    some = [1.0, 0.5, -0.5, 0.0, 1.0, -1.0, 0.5, 0.5]
    assert paired_bootstrap(some).p == pytest.approx(paired_bootstrap([-one for one in some]).p, abs=0.02)
    assert 0.05 < paired_bootstrap(some).p < 0.8


def test_work_of_added_methods_is_apart(tmp_path):
    """What selection needed after the note is the added methods'; sampling is always the run's own."""
    before = {"p": {"generate": StageCount(calls=2), "select": StageCount(executions=5, cpu_s=1.0)}}
    assert split_work(tmp_path, before) == (before, {})
    note_own_work(tmp_path, before, ["p"])
    more = {"judge": StageCount(calls=3, prompt=30), "select": StageCount(executions=8, cpu_s=1.5)}
    after = {"p": {"generate": StageCount(calls=4), **more}, "q": {"select": StageCount(executions=1)}}
    own, added = split_work(tmp_path, after)
    assert own["p"]["generate"].calls == 4
    assert (own["p"]["select"].executions, own["p"]["judge"].calls) == (5, 0)
    assert (added["p"]["select"].executions, added["p"]["select"].cpu_s) == (3, 0.5)
    assert added["p"]["judge"] == more["judge"]
    assert own["q"] == after["q"]
    note_own_work(tmp_path, after, ["p"])
    assert split_work(tmp_path, after)[0]["p"]["select"].executions == 5


def test_seconds_are_those_of_all_starts(tmp_path):
    """A start adds to those before it, also where an older version left only its summary."""
    write_json(tmp_path / "summary.json", {"seconds": 100.0})
    first = Starts(tmp_path)
    assert 100 <= first.seconds < 160
    first.note()  # too early to be written
    assert not (tmp_path / "starts.json").exists()
    first.note(now=True)
    assert len(json.loads((tmp_path / "starts.json").read_text())) == 2
    assert Starts(tmp_path).seconds >= first.seconds - 60


def test_sets_and_models_are_evaluated_one_after_the_other(sstar, serve, write_set, folder, isolated):
    """A run folder each in `--out`, one report of all; the same command again asks nothing."""
    server = serve(f"```python\n{RIGHT}\n```", models=("a", "b"))
    other = write_set({**DOUBLE, "id": "again"}, name="other.jsonl")
    words = ["eval", write_set(), other, "-m", "a", "-m", "b", "--base-url", server.base_url, "--n", "1"]
    words += ["--rounds", "0", "--out", "all", *isolated]
    ended = sstar(*words)
    assert ended.code == 0, ended.err
    assert "# 4 runs" in ended.out
    assert (folder / "all" / "report.md").read_text() in ended.out
    assert len(list((folder / "all").glob("*/report.html"))) == 4
    asked = len(server.received)
    found = sstar(*words, "--json").json["runs"]
    assert [(row["set"], row["model"]) for row in found] == [
        (name, model) for name in ("jsonl:problems.jsonl", "jsonl:other.jsonl") for model in "ab"
    ]
    assert {row["selected@1"] for row in found} == {1.0}
    assert len(server.received) == asked
    assert {row["state"] for row in sstar("runs", "all", "--json").json["runs"]} == {"finished"}
    ended = sstar(*words, "--record", "calls.jsonl")
    assert (ended.code, "for one set and one model" in ended.err) == (2, True)


def test_a_variable_names_one_model(sstar, serve, write_set, isolated, monkeypatch):
    """A folder with a blank in its name is one model, as `-m` would have it."""
    server = serve(f"```python\n{RIGHT}\n```", models=("my model",))
    monkeypatch.setenv("SSTAR_MODEL", "my model")
    words = ["--base-url", server.base_url, "--n", "1", "--rounds", "0", "--json", *isolated]
    ended = sstar("eval", write_set(), *words)
    assert (ended.code, ended.json["problems"]) == (0, 1), ended.err


@pytest.mark.parametrize("runs", [["a"], ["a", "b"]])
def test_names_of_a_run_are_no_markdown(sstar, folder, runs):
    """Set, model and method of somebody else's run folder make no link, mention, image or HTML in a table."""
    hostile = "[x](http://example.org) ![y](z) @team #12 <img src=q>"
    for name in runs:
        make_run(folder / name, problems=3, samples=2)
        path = folder / name / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["config"] |= {"model": hostile, "label": hostile}
        path.write_text(json.dumps(manifest | {"set": hostile}))
    told = sstar("report", *runs).out
    assert "example.org" in told
    assert not re.search(r"(?<!\\)\[x|https?://|(?<!\w)@\w|(?<!&)#\d|<img", told), told
