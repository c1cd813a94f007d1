"""The problems of a run are found again where the run took them, or where the user says."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.report.data.run import find_problems
from sstar_code.problems import UserError, load_set

ROWS = [
    {"id": name, "statement": name, "kind": "stdin", "public_tests": [{"input": "1", "output": "1"}]}
    for name in ("a", "b", "c")
]


@pytest.fixture
def mine(tmp_path):
    """A set of three problems."""
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def make_manifest(path, revision, label="jsonl-m"):
    config = {"label": label, "model": "m", "set": revision, "problems": ["c", "a"]}
    return {"config": config, "data": str(path)}


def test_the_set_of_the_run_is_found(mine):
    """By its form and path, and only the problems that were asked for; nothing is said."""
    said = []
    found = find_problems(make_manifest(mine, load_set(f"jsonl:{mine}").revision), None, said.append)
    assert (sorted(found), found["a"].statement, said) == (["a", "c"], "a", [])


def test_a_bundled_set_needs_no_file():
    """By its name, wherever it lay when the run was made."""
    whole = load_set("examples")
    manifest = make_manifest("/nowhere", whole.revision, "examples-m")
    manifest["config"]["problems"] = [whole.problems[0].id]
    assert list(find_problems(manifest, None, pytest.fail)) == [whole.problems[0].id]


def test_the_set_that_the_user_names_is_taken(mine):
    """Also where it is another revision, which is said; one that cannot be read is an error."""
    said = []
    assert len(find_problems(make_manifest("/nowhere", "old"), f"jsonl:{mine}", said.append)) == 2
    assert said == [f"sstar: jsonl:{mine} is not the revision that the run used (old); shown all the same"]
    with pytest.raises(UserError, match="nowhere"):
        find_problems(make_manifest(mine, "old"), "jsonl:/nowhere.jsonl", said.append)


@pytest.mark.parametrize(("path", "label"), [("/nowhere.jsonl", "jsonl-m"), ("", "jsonl-m"), ("", "made-up")])
def test_a_set_that_is_gone_is_said(path, label):
    """One line with what to do, and no problems."""
    said = []
    assert find_problems(make_manifest(path, "0", label), None, said.append) == {}
    assert len(said) == 1
    assert said[0].endswith("; name the set with --set for statements, difficulty and dates")
