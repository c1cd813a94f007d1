"""`sstar merge`: shards come to what one run would have come to."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from sstar_code.agent.run.store import Store
from sstar_code.agent.testing.server import chat

RIGHT = "```python\nprint(int(input()) * 2)\n```"
PUBLIC_ONLY = "```python\nprint(int(input()) ** 2)\n```"
WRONG = "```python\nprint(int(input()) + 100)\n```"
FILES = ("samples.jsonl", "candidates.jsonl", "lcb.json")


def make_problem(number):
    return {
        "id": f"p{number}",
        "statement": f"Problem {number}: read an integer and print twice its value.",
        "kind": "stdin",
        "public_tests": [{"input": "2\n", "output": "4"}],
        "hidden_tests": [{"input": f"{number + 3}\n", "output": str(2 * number + 6)}],
    }


def answer(body):
    """Depends on the request alone."""
    text = body["messages"][-1]["content"]
    if "Find out why and repair it" in text:
        return chat(RIGHT)
    if "one complete Python program" in text:
        return chat((RIGHT, PUBLIC_ONLY, WRONG)[body["seed"] % 3])
    return chat("```json\n[3, 4, 5]\n```\nANSWER: 1")


def clean(value):
    """A summary without what the clock decides, and without who ran a program first."""
    if not isinstance(value, dict):
        return value
    left_out = ("seconds", "cpu_s", "executions", "server_load")
    kept = {name: clean(item) for name, item in value.items() if name not in left_out}
    return {
        name: item for name, item in kept.items() if not (isinstance(item, dict) and item.get("calls") == 0)
    }


def read_summary(folder):
    return clean(json.loads((folder / "summary.json").read_text()))


@pytest.fixture
def words(serve, write_set, isolated):
    server = serve(answer)
    spec = write_set(*(make_problem(number) for number in range(9)))
    return server, ["eval", spec, "-m", "tiny", "--base-url", server.base_url, "--n", "1", *isolated]


def test_merged_shards_are_the_whole_run(sstar, words, folder):
    """Summary and files of merged shards are those of one run; its command goes on there and asks nothing."""
    server, words = words
    words += ["--n", "3", "--rounds", "1"]
    assert sstar(*words, "--out", "whole").code == 0
    for number in (1, 2):
        assert sstar(*words, "--shard", f"{number}/2", "--out", f"part-{number}").code == 0
    ended = sstar("merge", "merged", "part-2", "part-1", "--json")
    assert ended.code == 0
    assert read_summary(folder / "merged") == read_summary(folder / "whole")
    for name in FILES:
        assert (folder / "merged" / name).read_text() == (folder / "whole" / name).read_text()
    whole = json.loads((folder / "whole" / "summary.json").read_text())
    assert ended.json["selected@1"] == whole["selected@1"]
    server.received.clear()
    again = sstar(*words, "--out", "merged", "--json")
    assert (again.code, server.received) == (0, [])
    assert read_summary(folder / "merged") == read_summary(folder / "whole")


def test_missing_shard_is_told_and_can_be_made_up_for(sstar, words, folder):
    """A merge of some shards names those that are missing; merging again with them completes the run."""
    _, words = words
    for number in (1, 3):
        assert sstar(*words, "--shard", f"{number}/3", "--out", f"part-{number}").code == 0
    ended = sstar("merge", "merged", "part-1", "part-3", "--json")
    assert ended.code == 3
    assert "missing: shard 2/3" in ended.err
    assert "3 of 9 problems are unfinished" in ended.err
    assert json.loads((folder / "merged" / "summary.json").read_text())["unfinished"] == 3
    assert sstar(*words, "--shard", "2/3", "--out", "part-2").code == 0
    assert sstar("merge", "merged", "part-1", "part-2", "part-3", "--json").code == 0
    assert json.loads((folder / "merged" / "summary.json").read_text())["unfinished"] == 0


def test_what_is_not_of_one_run_is_refused(sstar, words, folder):
    """Another configuration, a problem in both, a folder that is no run: exit 2, and nothing is written."""
    _, words = words
    words += ["--limit", "2"]
    assert sstar(*words, "--shard", "1/2", "--out", "a").code == 0
    assert sstar(*words, "--shard", "1/2", "--out", "same").code == 0
    assert sstar(*words, "--shard", "2/2", "--seed", "7", "--out", "other").code == 0
    (folder / "empty").mkdir()
    for second, part in (
        ("same", "same: has p0 in common with a"),
        ("other", "other: not of one run with a (seed was 0, is 7)"),
        ("empty", "no run folder (it has no manifest.json)"),
    ):
        ended = sstar("merge", "merged", "a", second)
        assert (ended.code, ended.out) == (2, "")
        assert part in ended.err
    with closing(Store(folder / "a" / "run.db")):
        assert "another sstar" in sstar("merge", "merged", "a").err
    assert not (folder / "merged" / "summary.json").exists()


def test_runs_over_different_problems_become_one(sstar, words, folder):
    """Folders that are no shards merge too, where they have all but their problems in common."""
    _, words = words
    assert sstar(*words, "--filter", "p[01]", "--out", "a").code == 0
    assert sstar(*words, "--filter", "p[23]", "--out", "b").code == 0
    ended = sstar("merge", "merged", "b", "a", "--json")
    assert (ended.code, ended.json["problems"]) == (0, 4)
    rows = [json.loads(line) for line in (folder / "merged" / "samples.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in rows] == ["p2", "p3", "p0", "p1"]


def test_more_shards_than_problems(sstar, words):
    """A part without problems is told instead of run."""
    _, words = words
    ended = sstar(*words, "--shard", "10/10")
    assert (ended.code, ended.err) == (2, "sstar: --shard 10/10: there are only 9 problems\n")
