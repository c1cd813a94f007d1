"""`sstar report` as its user meets it."""

from __future__ import annotations

import builtins
import json
from importlib.resources import files

import pytest

from tests.support.made_up_run import make_run

DEMO = ["examples", "-m", "replay:examples", "--n", "3", "--rounds", "1", "--filter", "is-even"]


@pytest.fixture
def made(folder):
    """A made-up run in the folder `run`."""
    make_run(folder / "run", problems=6, samples=3)
    return "run"


def test_report_prints_tables_and_writes_the_page(sstar, made, folder):
    """Markdown alone on stdout; the page in the run folder, its place on stderr."""
    ended = sstar("report", made)
    assert ended.code == 0
    assert ended.out.startswith("# made-up, none\n")
    assert "| oracle (best possible) |" in ended.out
    assert "page run/report.html" in ended.err
    assert (folder / "run" / "report.html").read_text().startswith("<!doctype html>")


def test_page_goes_where_it_is_asked_to(sstar, made, folder):
    """`--page` writes there and leaves the run folder as it is, but for what SQLite lays beside its file."""
    before = {path.name for path in (folder / "run").iterdir()}
    assert sstar("report", made, "--page", "mail.html", "--format", "json").json["asked"] == 6
    assert (folder / "mail.html").exists()
    assert {path.name for path in (folder / "run").iterdir()} - before <= {"run.db-shm", "run.db-wal"}


def test_two_runs_are_compared(sstar, made, folder):
    """One table, then differences on stdout; sets that differ are said; `--format json` gives one object."""
    make_run(folder / "other", problems=4, samples=3, seed=3)
    ended = sstar("report", made, "other")
    assert ended.out.startswith("# 2 runs\n")
    assert "\n# other against run\n" in ended.out
    assert "4 common problems; only in the first: 2, only in the second: 0" in ended.err
    assert sstar("report", made, "other", "--format", "json").json["comparisons"][0]["common"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--format", "html"], "one of md, json, csv, latex, junit"),
        (["run", "run", "--format", "junit"], "for one run"),
        (["nothing"], "nothing: no such folder; name the --out of a run"),
        (["run", "--plot", "figure.gif"], "has to end in .png, .svg or .pdf"),
        (["run", "--add-method", "majorty"], "did you mean 'majority'"),
        (["run", "--add-method", "oracle"], "every run has it"),
        (["run", "--add-method", "mbr"], "needs the problems"),
    ],
)
def test_mistakes_are_one_line(sstar, made, words, said):
    """What is wrong and what to do, exit code 2."""
    ended = sstar("report", *words)
    assert ended.code == 2
    assert said in ended.err.splitlines()[-1]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plot_draws_a_figure(sstar, made, folder, ending):
    """The figure is there in the format that its name says."""
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    assert sstar("report", made, "--plot", f"figure.{ending}").code == 0
    start = (folder / f"figure.{ending}").read_bytes()[:5]
    assert start == {"png": b"\x89PNG\r", "svg": b"<?xml"}[ending]


def test_plot_without_matplotlib_is_one_line(sstar, made, monkeypatch):
    """Without the extra the message says what to install."""
    real = builtins.__import__

    def refuse(name, *rest, **named):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    ended = sstar("report", made, "--plot", "figure.png")
    assert (ended.code, "pip install 'matplotlib>=3.10'" in ended.err) == (2, True)


def test_eval_writes_the_page_and_a_method_can_be_added(sstar, isolated, folder):
    """The page is there at the end of eval; a method added later samples nothing and stays in the run."""
    assert sstar("eval", *DEMO, "--select", "first", "--out", "run", *isolated).code == 0
    assert (folder / "run" / "report.html").exists()
    before = sstar("report", "run", "--format", "json").json
    assert "mbr" not in before["rates"]
    ended = sstar("report", "run", "--add-method", "mbr", "--format", "json", *isolated)
    assert "mbr: new choices for 1 problems" in ended.err
    after = ended.json
    assert after["stages"]["generate"]["calls"] == before["stages"]["generate"]["calls"] == 3
    assert {name: rate for name, rate in after["rates"].items() if name != "mbr"} == before["rates"]
    executed = after["stages"]["select"]["executions"]
    ended = sstar("report", "run", "--add-method", "mbr", "--format", "json", *isolated)
    assert "mbr: new choices for 0 problems" in ended.err
    again = ended.json
    assert again["stages"]["select"]["executions"] == executed
    assert again["rates"] == after["rates"]
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["methods"]["mbr"]["value"] == after["rates"]["mbr"]["value"]


def test_a_method_added_later_chooses_as_in_the_run(sstar, isolated, folder):
    """With the same model, prompts and seed, an added method makes the choice it would have made."""
    assert sstar("eval", *DEMO, "--select", "first", "--out", "later", *isolated).code == 0
    words = ["--add-method", "sstar", "-m", "replay:examples", "--format", "json"]
    ended = sstar("report", "later", *words, *isolated)
    assert "had other prompts" not in ended.err
    later = ended.json
    assert sstar("eval", *DEMO, "--select", "sstar", "--out", "run", *isolated).code == 0
    in_run = sstar("report", "run", "--format", "json").json
    assert later["rates"]["sstar"] == in_run["rates"]["sstar"]


def test_a_method_added_with_other_prompts_is_said_to_be(sstar, isolated, folder):
    """Who names other prompts than the run had hears so, since its questions are not those of the run."""
    assert sstar("eval", *DEMO, "--select", "first", "--out", "run", *isolated).code == 0
    (folder / "mine").mkdir()
    template = files("sstar_code.agent.prompts") / "text" / "generate.j2"
    (folder / "mine" / "generate.j2").write_text(template.read_text("utf-8") + " ", "utf-8")
    words = ["--add-method", "mbr", "-m", "replay:examples", "--prompts", "mine"]
    ended = sstar("report", "run", *words, *isolated)
    assert "the run had other prompts; name their folder with --prompts" in ended.err
