"""`sstar ls` and `sstar validate` as their user meets them."""

from __future__ import annotations

import json

import pytest

from sstar_code.problems import InfrastructureError

ROW = {
    "id": "twice",
    "statement": "Print twice the number.",
    "kind": "stdin",
    "hidden_tests": [{"input": "2", "output": "4"}],
    "metadata": {"reference": "print(2 * int(input()))", "difficulty": "easy", "date": "2024-08-03"},
}
HALF = ROW | {
    "id": "half",
    "statement": "Half.",
    "metadata": {"reference": "print('no')", "difficulty": "hard"},
}


@pytest.fixture
def mine(folder):
    """A set of two problems; the second one's reference is wrong."""
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (ROW, HALF)))
    return "jsonl:mine.jsonl"


def test_sets_are_listed(sstar, folder, monkeypatch):
    """Every release with its origin, and what is not here said so; no network is asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    ended = sstar("ls", "--json")
    rows = {row["set"]: row for row in ended.json["sets"]}
    assert ended.code == 0
    assert rows["mbpp+@v0.2.0"]["here"] is False
    for name in ("examples", "lists"):
        assert rows[name] == {"set": name, "here": True, "size_mb": None, "from": "bundled"}
    assert rows["mbpp@v1"]["from"].startswith("github.com: google-research/google-research at ")
    lines = [line.split(maxsplit=3) for line in sstar("ls").out.splitlines()]
    assert lines[0][:3] == ["set", "here", "size_mb"]
    assert lines[0][3].split() == ["from", "revision"]
    table = {line[0]: line[1:] for line in lines[1:]}
    assert table["examples"][:2] == ["yes", "-"]
    assert table["examples"][2].split() == ["bundled", "-"]
    assert table["lcb@release_v6"][0] == "no"


def test_problems_of_a_set_are_listed(sstar, mine):
    """One row a problem, chosen by the usual options."""
    ended = sstar("ls", mine, "--filter", "difficulty=easy", "--json")
    (row,) = ended.json["problems"]
    assert row == {
        "id": "twice",
        "kind": "stdin",
        "public": 0,
        "hidden": 1,
        "difficulty": "easy",
        "date": "2024-08-03",
    }
    assert sstar("ls", mine).out.splitlines() == [
        "id     kind   public  hidden  difficulty  date",
        "twice  stdin  0       1       easy        2024-08-03",
        "half   stdin  0       1       hard        -",
    ]
    assert sstar("ls", mine, "--start-date", "2024-08-01").out.splitlines()[1].split()[0] == "twice"
    failed = sstar("ls", mine, "--filter", "hardness=1")
    assert (failed.code, failed.out) == (2, "")
    assert "no problem says its 'hardness'; they say date, difficulty" in failed.err


def test_a_reference_that_fails_is_a_fault(sstar, mine, isolated):
    """Exit code 1, the problem and the test named; without running nothing is found."""
    ended = sstar("validate", mine, *isolated, "--json")
    assert (ended.code, ended.json["references"], ended.json["passed"]) == (1, 2, 1)
    assert ended.json["faults"] == [{"problem_id": "half", "what": "reference 0 fails: test 1: WA"}]
    assert sstar("validate", mine, "--no-run").out == "2 problems, 0 faults, 0 notes; no reference was run\n"


def test_references_may_stand_in_a_file(sstar, mine, folder, isolated):
    """`--references` adds samples that have to pass."""
    (folder / "r.jsonl").write_text(json.dumps({"task_id": "twice", "solution": "print(4)"}))
    ended = sstar("validate", mine, "--references", "r.jsonl", "--filter", "twice", *isolated)
    assert (ended.code, ended.out) == (0, "1 problems, 0 faults, 0 notes; 2 of 2 references passed\n")


def test_rows_that_cannot_be_read_are_faults(sstar, folder):
    """A file full of faults is told fault by fault."""
    (folder / "bad.jsonl").write_text('{"id": "a"}\n' + json.dumps(ROW | {"kind": "x"}) + "\n")
    ended = sstar("validate", "jsonl:bad.jsonl", "--no-run")
    assert (ended.code, len(ended.out.splitlines())) == (1, 3)
    assert ended.out.splitlines()[0].startswith("bad.jsonl:1: key 'kind' is missing")


def test_the_endpoint_is_looked_at_before_a_set_is_fetched(sstar, serve, folder, monkeypatch):
    """A wrong model costs no download; a download is announced with its size before it begins."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    fetched = []

    def fetch(name, release):
        fetched.append(release.tag)
        raise InfrastructureError("cannot fetch it")

    monkeypatch.setattr("sstar_code.problems.sets.load.fetch_release", fetch)
    words = ["eval", "mbpp+", "--base-url", serve("").base_url, "-m"]
    ended = sstar(*words, "other")
    assert (ended.code, "does not serve 'other'" in ended.err, fetched) == (2, True, [])
    ended = sstar(*words, "tiny")
    told = "sstar: fetching mbpp+@v0.2.0, 1 MB from GitHub; it is kept for the next time\n"
    assert (ended.code, ended.err, fetched) == (3, f"{told}sstar: cannot fetch it\n", ["v0.2.0"])


@pytest.mark.usefixtures("sandbox_local")
def test_harden_writes_a_set_and_who_fails(sstar, folder):
    """The new set loads, its reference passes it, and the program that is named fails it."""
    reference = "def largest(items):\n    return max(items)\n"
    problem = {
        "id": "largest",
        "statement": "Return the largest item of a list of integers.",
        "kind": "function",
        "entry_point": "largest",
        "starter_code": "from typing import List\n\ndef largest(items: List[int]) -> int:\n",
        "public_tests": [{"input": "[1, 3, 2]", "output": "3"}],
        "metadata": {"reference": reference},
    }
    weak = "def largest(items):\n    return max([0, *items])\n"
    (folder / "set.jsonl").write_text(json.dumps(problem) + "\n")
    other = "def largest(items):\n    return sorted(items)[-1]\n"
    codes = (weak, reference, other, "def largest(items): 1")
    rows = [{"task_id": "largest", "solution": code} for code in codes]
    (folder / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    isolated = ("--sandbox", "local", "--out")
    words = ("harden", "jsonl:set.jsonl", "--programs", "s.jsonl", "--tests", "5", *isolated, "hard")
    ended = sstar(*words, "--json")
    assert ended.code == 0, ended.err
    assert {key: ended.json[key] for key in ("tests_added", "passed_before", "fail_now")} == {
        "tests_added": 5,
        "passed_before": 3,
        "fail_now": 1,
    }
    (named,) = [json.loads(line) for line in (folder / "hard" / "failing.jsonl").read_text().splitlines()]
    assert (named["problem_id"], named["sample"], named["verdict"]) == ("largest", 0, "WA")
    graded = sstar("grade", "jsonl:hard/problems.jsonl", "s.jsonl", *isolated, "graded", "--json")
    assert graded.json["verdicts"]["AC"] == 2
    assert sstar("validate", "jsonl:hard/problems.jsonl", "--sandbox", "local").code == 0
