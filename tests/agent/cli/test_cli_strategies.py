"""`--strategy` and `--style` on the command line: named everywhere, refused on a resume with others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sstar_code.agent.strategies.table import STRATEGIES
from sstar_code.agent.testing.server import chat
from sstar_code.problems.sets.load import load_set
from tests.support import ROOT, mark_slow_but

EXAMPLES = ("is-even", "is-perfect-square")


def read_rows(name):
    """The rows of a file of the bundled examples."""
    path = ROOT / "problems" / "bundled" / "examples" / name
    return {row["task_id"]: row["solution"] for row in map(json.loads, path.read_text().splitlines())}


def test_a_run_says_how_its_samples_came_to_be(sstar, serve, write_set, isolated, folder):
    """Summary, report and run.db name strategy and style, and the same command goes on."""
    server = serve()
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "run"]
    words += [*isolated, "--strategy", "beam:width=2", "--style", "draft"]
    assert sstar(*words).code == 0
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert (summary["strategy"], summary["style"]) == ("beam:width=2", "draft")
    with closing(sqlite3.connect(folder / "run" / "run.db")) as db:
        kept = db.execute("SELECT * FROM ways ORDER BY name").fetchall()
    assert kept == [("strategy", "beam:width=2"), ("style", "draft")]
    page = (folder / "run" / "report.html").read_text()
    assert "strategy beam:width=2, style draft" in page
    asked = len(server.received)
    assert sstar(*words).code == 0
    assert len(server.received) == asked


@pytest.mark.parametrize("others", [("--strategy", "tree"), ("--style", "direct"), ()])
def test_another_strategy_does_not_go_on(sstar, serve, write_set, isolated, others):
    """One line names what it was and what it is; nothing is asked and nothing is lost."""
    server = serve()
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "run"]
    assert sstar(*words, *isolated, "--strategy", "beam").code == 0
    asked, before = len(server.received), Path("run/summary.json").read_text()
    ended = sstar(*words, *isolated, *others)
    assert ended.code == 2
    assert "'beam'" in ended.err
    assert (len(server.received), Path("run/summary.json").read_text()) == (asked, before)


def test_a_lost_manifest_does_not_let_another_strategy_in(sstar, serve, write_set, isolated, folder):
    """The store itself knows whose answers it has."""
    server = serve()
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "run"]
    assert sstar(*words, *isolated, "--strategy", "beam").code == 0
    manifest = folder / "run" / "manifest.json"
    data = json.loads(manifest.read_text())
    data["config"]["strategy"] = "tree"
    manifest.write_text(json.dumps(data))
    ended = sstar(*words, *isolated, "--strategy", "tree")
    assert (ended.code, "the strategy of this run is beam, not tree" in ended.err) == (2, True)


def test_a_projects_file_may_choose_them(sstar, serve, write_set, isolated, folder):
    """They reach nothing outside; a wrong one names the file."""
    server = serve()
    (folder / "sstar.toml").write_text('strategy = "tree:batch=2"\nstyle = "direct"\n')
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "run"]
    assert sstar(*words, *isolated).code == 0
    assert json.loads((folder / "run" / "summary.json").read_text())["strategy"] == "tree:batch=2"
    (folder / "sstar.toml").write_text('strategy = "tree:bach=2"\n')
    ended = sstar(*words, *isolated)
    assert ended.code == 2
    assert (
        "sstar.toml: strategy = 'tree:bach=2': tree: unknown key 'bach' (did you mean 'batch'?)" in ended.err
    )


# `learn` asks no server of others: tests/agent/models/vllm/test_vllm_learning.py
@pytest.mark.parametrize(
    "name", mark_slow_but(["sample", "tree", "backtrack"], [name for name in STRATEGIES if name != "learn"])
)
def test_two_bundled_examples_under_every_strategy(sstar, serve, isolated, folder, name):
    """A model that is right every other time, and once repaired: the right programs are chosen."""
    problems = {problem.id: problem for problem in load_set("examples").problems}
    right, plausible = read_rows("references.jsonl"), read_rows("twins.jsonl")

    def respond(body):
        text = "\n".join(message["content"] for message in body["messages"])
        if "from 1 to 9" in text:
            return chat(" 6 7 8 9")  # it can continue an answer
        (problem,) = [one for one in EXAMPLES if problems[one].statement[:60] in text]
        repairing = "# The program to repair" in text or body.get("continue_final_message")
        code = right[problem] if repairing or body["seed"] % 2 else "raise ValueError"
        return chat(f"```python\n{plausible[problem] if body['seed'] % 4 == 2 else code}\n```")

    server = serve(respond, models=("tiny", "tiny-r4"))  # of several depths
    count = "6..8" if name == "waves" else "6"
    ids = f"^({'|'.join(EXAMPLES)})$"
    words = ["eval", "examples", "--filter", ids, "-m", "tiny", "--base-url", server.base_url]
    ended = sstar(*words, "--strategy", name, "--n", count, "--json", "--out", "run", *isolated)
    assert (ended.code, ended.json["problems"], ended.json["selected@1"]) == (0, 2, 1.0), ended.err


def test_a_role_has_its_own_model_at_its_own_address(sstar, serve, write_set, isolated, folder):
    """Repairs go to the editor, all else to the model; with another editor the run does not go on."""
    drafter = serve("```python\nraise ValueError\n```")
    editor = serve("```python\nprint(int(input()) * 2)\n```", models=("pen", "quill"))
    words = ["eval", write_set(), "-m", "tiny", "--base-url", drafter.base_url, "--n", "2", "--out", "run"]
    words += [*isolated, "--select", "first"]
    assert sstar(*words, "--role-model", f"editor=pen@{editor.base_url}").code == 0
    calls = [{call.body["model"] for call in server.received} for server in (drafter, editor)]
    assert calls == [{"tiny"}, {"pen"}]
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    assert manifest["config"]["role_models"] == {"editor": "pen"}
    assert "editor pen" in (folder / "run" / "report.html").read_text()
    assert [row.get("role") for row in manifest["servers"]] == [None, "editor"]
    ended = sstar(*words, "--role-model", f"editor=quill@{editor.base_url}")
    assert (ended.code, "pen" in ended.err) == (2, True)
    gone = sstar(*words, "--fresh", "--role-model", "editor=pen@http://127.0.0.1:9/v1")
    assert (gone.code, "no server answers at http://127.0.0.1:9/v1" in gone.err) == (3, True)


def test_problems_of_a_set_learn_from_each_other(sstar, serve, write_set, isolated, folder):
    """What helped is kept by problem, what one was shown as well; gone on with, nothing is asked."""
    double = {"statement": "Read an integer and print twice its value.", "kind": "stdin"}
    tests = {
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}],
    }
    rows = [{"id": f"double-{k}", **double, **tests} for k in range(3)]

    def respond(body):
        if "# The program to repair" not in body["messages"][-1]["content"]:
            return chat("```python\nprint(3)\n```")
        return chat("Lesson: read the number\n```python\nprint(int(input()) * 2)\n```")

    server = serve(respond)
    words = [
        "eval",
        write_set(*rows),
        "-m",
        "tiny",
        "--base-url",
        server.base_url,
        "--n",
        "1",
        "--out",
        "run",
    ]
    words += [*isolated, "--lessons", "set"]
    assert sstar(*words).code == 0
    assert json.loads((folder / "run" / "summary.json").read_text())["lessons"] == "set"
    with closing(sqlite3.connect(folder / "run" / "run.db")) as db:
        kept = db.execute("SELECT problem_id, kind FROM notes").fetchall()
        learnt = {lines for (lines,) in db.execute("SELECT lines FROM notes WHERE kind = 'learnt'")}
    assert sorted(kept) == sorted((row["id"], kind) for row in rows for kind in ("shown", "learnt"))
    assert learnt == {"read the number"}
    asked = len(server.received)
    with closing(sqlite3.connect(folder / "run" / "run.db")) as db:
        db.execute("DELETE FROM problems")
        db.commit()
    assert sstar(*words).code == 0
    assert len(server.received) == asked


@pytest.mark.parametrize("model", ["tiny", "replay:examples"])
def test_learning_is_refused_for_a_model_that_is_not_served_here(sstar, serve, isolated, folder, model):
    """One line, exit code 2, before a folder is made or anything is asked; `compare` says the same."""
    server = serve("```python\nprint(1)\n```")
    common = ["examples", "-m", model, "--base-url", server.base_url, *isolated, "--out", "run"]
    for words in (["eval", "--strategy", "learn"], ["compare", "--strategies", "learn", "--tokens", "1e4"]):
        ended = sstar(words[0], *common, *words[1:])
        assert ended.code == 2
        assert "so its weights cannot be changed; name a model that is served here: -m vllm:" in ended.err
    assert server.received == []
    assert not (folder / "run").exists()
