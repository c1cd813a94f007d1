"""The files of a run folder are made from its store alone."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from sstar_code.agent.run.exports import write_results
from sstar_code.agent.run.files import write_json
from sstar_code.agent.run.outcomes import Prices, ProblemOutcome
from sstar_code.agent.run.store import Store
from tests.support.small_run import make_small_run

IDS = ["sort", "sum", "lost", "late"]


@pytest.fixture
def folder(tmp_path):
    """A run folder without exports."""
    make_small_run(tmp_path)
    return tmp_path


def write(folder, **options):
    with closing(Store(folder / "run.db")) as store:
        outcomes = {one: ProblemOutcome.from_json(text) for one, text in store.outcomes().items()}
        outcomes["lost"] = ProblemOutcome("lost", (), {}, (), error="IE")
        named = {
            "problem_ids": IDS,
            "select": "adaptive",
            "prices": Prices(1.0, 2.0),
            "seconds": 5.0,
        } | options
        return write_results(folder, store, outcomes, **named)


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_exports_hold_the_programs_in_the_order_asked(folder):
    """What was chosen and what stands for each sample; nothing of problems without an outcome."""
    write(folder)
    chosen = [("sort", "print('sort', 0, 0)"), ("sum", "print('sum', 1, 1)")]
    rows = read_lines(folder / "samples.jsonl")
    assert [(row["task_id"], row["solution"]) for row in rows] == chosen
    rows = json.loads((folder / "lcb.json").read_text())
    assert [(row["question_id"], row["code_list"]) for row in rows] == [(one, [code]) for one, code in chosen]
    assert [(row["task_id"], row["solution"]) for row in read_lines(folder / "candidates.jsonl")] == [
        ("sort", "print('sort', 0, 0)"),
        ("sort", "print('sort', 1, 0)"),
        ("sort", "print('sort', 2, 0)"),
        ("sum", "print('sum', 0, 0)"),
        ("sum", "print('sum', 1, 1)"),
        ("sum", "print('sum', 2, 1)"),
    ]


def test_a_method_that_chose_nothing_exports_an_empty_program(folder):
    """The files have every finished problem all the same."""
    write(folder, select="sstar")
    assert [row["solution"] for row in read_lines(folder / "samples.jsonl")] == ["", ""]


def test_the_summary_counts_what_was_asked(folder):
    """Rates over the problems asked for, the work of everything in the store, and the load that was seen."""
    summary = write(folder, load={"running": 3})
    found = json.loads((folder / "summary.json").read_text())
    assert found == json.loads(json.dumps(summary.as_json()))
    assert (found["problems"], found["errors"], found["unfinished"], found["graded"]) == (4, 1, 1, 2)
    assert (found["public_solved"], found["ungraded"], found["failed_calls"], found["seconds"]) == (
        2,
        0,
        0,
        5.0,
    )
    assert (found["pass@1"], found["selected@1"], found["oracle"]) == (pytest.approx(2 / 12), 0.25, 0.5)
    assert found["tokens"] == {
        "prompt": 2700,
        "cached": 600,
        "output": 845,
        "reasoning": 120,
        "calls": 21,
        "unknown_calls": 2,
    }
    assert found["cost"]["unknown"] == "2 calls came without token counts"
    assert (found["failed"], found["server_load"]) == ({"lost": "IE"}, {"running": 3})
    assert list(found["by_problem"])[:4] == IDS
    assert found["by_problem"]["lost"] == {}
    assert found["by_problem"]["sum"]["generate"]["cut_thinking"] == 1
    assert found["methods_of_graded"]["adaptive"]["value"] == 0.5
    assert summary.cost == "cost unknown (2 calls came without token counts)"
    again = write(folder)
    assert again.load == {"running": 3}


def test_a_summary_that_cannot_be_read_tells_no_load(folder):
    """A torn or another file is as none."""
    (folder / "summary.json").write_text("{")
    assert write(folder).load is None
    write_json(folder / "summary.json", [1])
    assert write(folder).load is None
