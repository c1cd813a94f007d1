"""A run folder of version 0.1.0, when the package had another name, is read, resumed and merged as ever."""

from __future__ import annotations

import gzip
import json
import re
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
    compare_stages(new["stages"], old["stages"])


def compare_stages(new, old):
    """Each count of each stage, but not those that came since."""
    for name, counts in old.items():
        assert {key: new[name][key] for key in counts} == pytest.approx(counts), name


def test_it_is_reported(sstar, old, folder):
    """Rates and counts of its summary, with the statements of its set."""
    ended = sstar("report", "old", "--format", "json")
    assert (ended.code, ended.err) == (0, "sstar: page old/report.html\n")
    assert ended.json["rates"] == old["methods"]
    compare_stages(ended.json["stages"], old["stages"])


def test_it_is_not_resumed_with_other_prompts(sstar, serve, isolated, old, folder):
    """Its prompts were others, so its answers are not mixed with new ones: the line says what to do."""
    server = serve()
    ended = sstar(*EVAL, "--out", "old", "--base-url", server.base_url, *isolated)
    assert (ended.code, server.received) == (2, [])
    assert re.fullmatch(
        r"sstar: old: made by another command \(prompts was '\w+', is '\w+'\); use --fresh or another .*\n",
        ended.err,
    )


def test_it_is_merged(sstar, old, folder):
    """A folder made of it has the same numbers."""
    assert sstar("merge", "new", "old").code == 0
    compare(folder / "new", old)
