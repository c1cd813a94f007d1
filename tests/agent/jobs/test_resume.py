"""A run that is started again: nothing is lost, nothing is asked twice, the same result."""

from __future__ import annotations

import json

from sstar_code.agent.testing.server import ServerDouble, chat


def read_summary(folder):
    """`summary.json` without what depends on the clock."""
    summary = json.loads((folder / "summary.json").read_text())
    del summary["seconds"]
    for stage in summary["stages"].values():
        del stage["seconds"]
    return summary


def test_same_command_again_prints_the_same(sstar, serve, write_set, isolated, folder):
    """A finished run started again asks nothing, and its table, files and summary are those of the first."""
    server = serve()
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "run"]
    first = sstar(*words, *isolated, "--json")
    before = read_summary(folder / "run"), (folder / "run" / "samples.jsonl").read_text()
    asked = len(server.received)
    second = sstar(*words, *isolated, "--json")
    assert first.json | {"seconds": 0} == second.json | {"seconds": 0}
    assert (read_summary(folder / "run"), (folder / "run" / "samples.jsonl").read_text()) == before
    assert len(server.received) == asked
    assert "going on in run" in second.err


def test_select_asks_a_model_once(sstar, serve, write_set, isolated, folder):
    """Choosing with a model keeps its answers: the same command again asks nothing and chooses the same."""
    codes = ("print(int(input()) * 2)", "print(int(input()) ** 2)")
    rows = [{"task_id": "double", "solution": code} for code in codes]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    server = serve("```json\n[3]\n```\nThe first.")
    words = ["select", write_set(), "samples.jsonl", "-m", "tiny", "--base-url", server.base_url]
    first = sstar(*words, "--method", "sstar", "--out", "run", *isolated)
    asked = len(server.received)
    assert asked > 0
    assert (first.code, first.out.split("\t")[0]) == (0, "double")
    (row,) = [json.loads(line) for line in (folder / "run" / "selections.jsonl").read_text().splitlines()]
    assert row["clusters"] == [[0], [1]]
    assert sstar(*words, "--method", "sstar", "--out", "run", *isolated).out == first.out
    assert len(server.received) == asked


def test_endpoint_gone_after_a_finished_run_changes_nothing(sstar, write_set, isolated, folder):
    """Started again where no server answers any more, a run folder keeps its files as they were."""
    with ServerDouble(lambda _: chat("```python\nprint(int(input()) * 2)\n```")) as server:
        words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--out", "run"]
        assert sstar(*words, *isolated).code == 0
    before = read_summary(folder / "run"), (folder / "run" / "samples.jsonl").read_text()
    assert sstar(*words, *isolated).code == 3
    assert (read_summary(folder / "run"), (folder / "run" / "samples.jsonl").read_text()) == before
