"""A run that is started again: nothing is lost, nothing is asked twice, the same result."""

from __future__ import annotations

import json


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
