"""A run folder of version 0.1.0, when the package had another name, is read, resumed and merged as ever."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data" / "run_of_0.1.0"
"""Two problems, 16 calls, 211 runs of programs; `run.sql.gz` is its database as SQL."""
EVAL = ("eval", "jsonl:problems.jsonl", "-m", "tiny", "--n", "2..3", "--rounds", "1", "--select", "sstar")


@pytest.fixture
def old(folder):
    """The folder `old`, and the set beside it; what its summary said."""
    shutil.copytree(DATA, folder / "old", ignore=shutil.ignore_patterns("*.gz", "*.jsonl"))
    shutil.copy(DATA / "problems.jsonl", folder)
    with closing(sqlite3.connect(folder / "old" / "run.db")) as db:
        db.executescript(gzip.decompress((DATA / "run.sql.gz").read_bytes()).decode())
    return json.loads((folder / "old" / "summary.json").read_text())


def compare(folder, old):
    """All that was counted is counted alike; keys that came since are not looked at."""
    new = json.loads((folder / "summary.json").read_text())
    for name in set(old) - {"seconds", "server_load", "by_problem", "stages"}:
        assert new[name] == old[name], name
    for name, count in old["stages"].items():
        assert new["stages"][name] == pytest.approx(count), name


def test_it_is_reported(sstar, old, folder):
    """Rates and counts of its summary, with the statements of its set."""
    ended = sstar("report", "old", "--format", "json")
    assert (ended.code, ended.err) == (0, "sstar: page old/report.html\n")
    assert ended.json["rates"] == old["methods"]
    assert ended.json["stages"] == {name: pytest.approx(count) for name, count in old["stages"].items()}


def test_it_is_resumed(sstar, serve, isolated, old, folder):
    """A problem that was not finished is decided from the stored answers and steps: nothing is asked."""
    with closing(sqlite3.connect(folder / "old" / "run.db")) as db:
        db.execute("DELETE FROM problems WHERE problem_id = 'square'")
        db.commit()
    server = serve()
    ended = sstar(*EVAL, "--out", "old", "--base-url", server.base_url, *isolated)
    assert (ended.code, "sstar: going on in old" in ended.err) == (0, True)
    assert server.received == []
    compare(folder / "old", old)


def test_it_is_merged(sstar, old, folder):
    """A folder made of it has the same numbers."""
    assert sstar("merge", "new", "old").code == 0
    compare(folder / "new", old)
