"""What the commands print and write: the names of the contract, one JSON object, nothing else on stdout."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from sstar_code.problems.sets.load import load_set
from tests.support import ROOT

RIGHT = "print(int(input()) * 2)"
SQUARE = "print(int(input()) ** 2)"
BROKEN = "print("
EXAMPLES = ROOT / "problems" / "bundled" / "examples"


def read_lines(path):
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def as_solutions(codes):
    return "".join(json.dumps({"task_id": "double", "solution": code}) + "\n" for code in codes)


def as_completions(codes):
    return "".join(json.dumps({"task_id": "double", "completion": code}) + "\n" for code in codes)


def as_code_lists(codes):
    return json.dumps([{"question_id": "double", "code_list": list(codes)}])


@pytest.fixture
def write_samples(folder, write_set):
    """Write the set, and RIGHT, SQUARE and BROKEN as a samples file."""
    write_set()

    def write(form=as_solutions, *, packed=False, codes=(RIGHT, SQUARE, BROKEN)):
        text = form(codes).encode()
        path = folder / ("samples.jsonl.gz" if packed else "samples.jsonl")
        path.write_bytes(gzip.compress(text) if packed else text)
        return path.name

    return write


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", [as_solutions, as_completions, as_code_lists])
def test_samples_in_every_form(sstar, write_samples, isolated, form, packed):
    """The three forms, plain and packed, give the same numbers."""
    ended = sstar("grade", "jsonl:problems.jsonl", write_samples(form, packed=packed), *isolated, "--json")
    assert ended.code == 0
    assert ended.json["verdicts"] == {"AC": 1, "WA": 1, "CE": 1}


def test_grade_writes_verdicts(sstar, write_set, write_samples, isolated, folder):
    """A line a sample with every key of the contract; `--json` holds the counts and pass@1."""
    ended = sstar("grade", write_set(), write_samples(), "--out", "run", *isolated, "--json")
    rows = read_lines(folder / "run" / "verdicts.jsonl")
    assert [(row["problem_id"], row["sample"], row["verdict"], row["passed_tests"]) for row in rows] == [
        ("double", 0, "AC", 2),
        ("double", 1, "WA", 1),
        ("double", 2, "CE", 0),
    ]
    for row in rows:
        keys = "problem_id sample verdict passed passed_tests total_tests tests error first_failure"
        assert set(row) == set(keys.split())
        for test in row["tests"]:
            assert set(test) == {"verdict", "cpu_s", "wall_s", "memory_mb"}
    assert [row["error"] is None for row in rows] == [True, False, False]
    assert "SyntaxError" in rows[2]["error"]
    assert (ended.json["problems"], ended.json["samples"], ended.json["errors"]) == (1, 3, 0)
    assert ended.json["pass@1"] == pytest.approx(1 / 3)
    assert json.loads((folder / "run" / "summary.json").read_text()) == ended.json


def test_grade_prints_results_on_stdout_alone(sstar, write_set, write_samples, isolated):
    """Without `--json` the counts are on stdout, the rest on stderr."""
    ended = sstar("grade", write_set(), write_samples(), *isolated)
    assert ended.out.splitlines()[0] == "3 samples of 1 problems: AC 1  WA 1  CE 1"
    assert ended.out.splitlines()[1].startswith("pass@1  33.3%")
    assert "verdicts.jsonl" in ended.err


def test_select_writes_selections(sstar, write_set, write_samples, isolated, folder):
    """A line a problem with every key of the contract; `chosen` counts that problem's samples from 0."""
    name = write_samples(codes=(BROKEN, SQUARE, RIGHT, RIGHT + "  # again"))
    words = ["select", write_set(), name, "--no-model", "--method", "majority", "--out", "run", *isolated]
    ended = sstar(*words, "--json")
    assert ended.code == 0
    (row,) = read_lines(folder / "run" / "selections.jsonl")
    names = {"problem_id", "chosen", "confidence", "method", "clusters", "distinguishing", "calls", "tokens"}
    assert names | {"executions"} <= set(row)
    assert (row["problem_id"], row["chosen"], row["method"]) == ("double", 2, "majority")
    assert [2, 3] in row["clusters"]
    assert 0 <= row["confidence"] <= 1
    for item in row["distinguishing"]:
        assert set(item) == {"input", "outputs"}
    assert set(ended.json) >= {"problems", "chosen", "method", "calls", "tokens", "executions"}
    plain = sstar(*words)
    assert plain.out == f"double\t2\t{row['confidence']:.2f}\n"


def test_select_counts_one_problem_at_a_time(sstar, write_set, isolated, folder):
    """Samples of several problems may be mixed; each problem counts its own."""
    one = {"statement": "s", "kind": "stdin", "public_tests": [{"input": "", "output": "1"}]}
    rows = [("b", "0"), ("a", "1"), ("b", "1"), ("a", "0"), ("b", "0")]
    lines = [json.dumps({"task_id": name, "solution": f"print({value})"}) for name, value in rows]
    (folder / "samples.jsonl").write_text("\n".join(lines))
    spec = write_set({"id": "a", **one}, {"id": "b", **one})
    ended = sstar("select", spec, "samples.jsonl", "--no-model", "--method", "first", *isolated)
    assert sorted(line.split("\t")[:2] for line in ended.out.splitlines()) == [["a", "0"], ["b", "1"]]


def test_eval_writes_the_run_folder(sstar, serve, write_set, isolated, folder):
    """Manifest, store, samples in evalplus's and LiveCodeBench's forms, summary; names as in the contract."""
    server = serve(f"```python\n{RIGHT}\n```")
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--out", "run"]
    ended = sstar(*words, *isolated, "--json")
    names = {
        "problems",
        "errors",
        "pass@1",
        "random",
        "majority",
        "selected@1",
        "oracle",
        "tokens",
        "seconds",
    }
    assert names <= set(ended.json)
    run = folder / "run"
    manifest = json.loads((run / "manifest.json").read_text())
    assert {"command", "config", "versions"} <= set(manifest)
    assert manifest["config"]["seed"] == 0
    assert read_lines(run / "samples.jsonl") == [{"task_id": "double", "solution": RIGHT + "\n"}]
    assert json.loads((run / "lcb.json").read_text()) == [
        {"question_id": "double", "code_list": [RIGHT + "\n"]}
    ]
    summary = json.loads((run / "summary.json").read_text())
    assert names <= set(summary)
    assert set(summary["methods"]) >= {"pass@1", "random", "first", "majority", "adaptive", "oracle"}
    assert {"value", "low", "high", "problems"} <= set(summary["methods"]["adaptive"])
    regraded = sstar("grade", "jsonl:problems.jsonl", "run/samples.jsonl", *isolated, "--json")
    assert regraded.json["selected@1"] == ended.json["selected@1"]
    again = sstar("grade", "jsonl:problems.jsonl", "run/lcb.json", *isolated, "--json")
    assert again.json["selected@1"] == ended.json["selected@1"]


def test_eval_table_has_rates_intervals_and_denominators(sstar, serve, write_set, isolated):
    """The chosen program beside random, first, majority and oracle; nothing but the table on stdout."""
    server = serve(f"```python\n{RIGHT}\n```")
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", *isolated]
    ended = sstar(*words)
    for label in ("pass@1", "random", "first", "largest cluster", "selected@1", "oracle"):
        (line,) = [line for line in ended.out.splitlines() if label in line and "│" in line]
        assert re.search(r"100\.0% │ .*100\.0 │ +1 │", line), line
    assert "1 problems: 1 with a sample that passes the public tests, 0 errors" in ended.out
    assert "\x1b" not in ended.out + ended.err, "no colour where there is no terminal"


def test_solve_prints_the_program_alone(sstar, serve, isolated, folder):
    """The program on stdout, the examples that were understood and the reasons on stderr."""
    (folder / "task.md").write_text(
        "Read an integer, print it doubled.\n\nExample\n\nInput\n\n```\n2\n```\n\nOutput\n\n```\n4\n```\n"
    )
    server = serve(f"Sure.\n```python\n{RIGHT}\n```\nDone.")
    words = ["solve", "task.md", "-m", "tiny", "--base-url", server.base_url, "--n", "2", *isolated]
    ended = sstar(*words)
    assert (ended.code, ended.out) == (0, RIGHT + "\n")
    assert "1 public test" in ended.err
    assert "2 of 2 samples pass" in ended.err
    as_json = sstar(*words, "--json")
    assert (as_json.json["solved"], as_json.json["program"]) == (True, RIGHT + "\n")


def test_solve_says_unsolved_and_prints_the_best(sstar, serve, write_set, isolated):
    """Where no sample passes, the best one is printed all the same, and the exit code is 1."""
    server = serve("```python\nprint(0)\n```")
    words = ["solve", write_set() + "#double", "-m", "tiny", "--base-url", server.base_url, "--n", "2"]
    ended = sstar(*words, "--rounds", "0", *isolated)
    assert (ended.code, ended.out) == (1, "print(0)\n")
    assert "not solved: the best program passes 0 of 1 public tests" in ended.err


SEVERAL = """Print two numbers that add up to n. If there are several answers, print any.

Time limit: 3 s

Sample Input
5
Sample Output
1 4
"""


ENDINGS = {
    "n = int(input())\nprint(2, n - 2)": (0, None, "not known: the best program matches 0 of 1"),
    "raise SystemExit(3)": (1, False, "not solved: the best program passes 0 of 1 public tests"),
}


@pytest.mark.parametrize("program", ENDINGS)
def test_solve_knows_not_where_several_answers_are_right(sstar, serve, isolated, folder, program):
    """Another output than the expected one is no failure for sure there; a crash is."""
    code, solved, said = ENDINGS[program]
    (folder / "task.md").write_text(SEVERAL)
    server = serve(f"```python\n{program}\n```")
    words = ["solve", "task.md", "-m", "tiny", "--base-url", server.base_url, "--n", "1", "--rounds", "0"]
    ended = sstar(*words, *isolated)
    assert (ended.code, ended.out) == (code, f"{program}\n")
    assert said in ended.err
    assert "1 public test, read from headings" in ended.err
    assert "limits: 3 s, 1024 MB" in ended.err
    assert sstar(*words, "--json", *isolated).json["solved"] is solved


def test_solve_runs_doctests_as_doctest_does(sstar, serve, isolated, folder):
    """Printed lines, names that carry over and exceptions are judged by doctest itself, isolated."""
    (folder / "task.txt").write_text(
        'def show(n):\n    """Show n.\n\n    >>> show(2)\n    1\n    2\n    >>> x = show(-1)\n'
        "    Traceback (most recent call last):\n    ValueError: negative\n"
        '    """\n'
    )
    right = "def show(n):\n    if n < 0:\n        raise ValueError('negative')\n    print(1)\n    print(n)"
    words = ["solve", "task.txt", "-m", "tiny", "--n", "1", "--rounds", "0", "--fresh", *isolated]
    for program, code in ((right, 0), (right.replace("negative", "no"), 1)):
        ended = sstar(*words, "--base-url", serve(f"```python\n{program}\n```").base_url)
        assert (ended.code, ended.out) == (code, program + "\n")
    assert ">>> show(2) >>> x = show(-1)" in ended.err


def test_statement_from_stdin(sstar, serve, isolated, monkeypatch):
    """`-` reads the statement, also as JSON."""
    import io

    server = serve("```python\nprint(1)\n```")
    model = ["-m", "tiny", "--base-url", server.base_url, "--n", "1", *isolated]
    for text in ("Print 1.", json.dumps({"id": "one", "statement": "Print 1.", "kind": "stdin"})):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert sstar("solve", "-", *model).out == "print(1)\n"


@pytest.mark.parametrize("sandbox", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_examples_references_pass_and_twins_fail(sstar, request, sandbox):
    """Every reference is AC; every twin passes the public tests and fails a hidden one."""
    request.getfixturevalue(f"sandbox_{sandbox}")
    public = {problem.id: len(problem.public_tests) for problem in load_set("examples").problems}
    references = sstar(
        "grade", "examples", EXAMPLES / "references.jsonl", "--sandbox", sandbox, "--out", "r", "--json"
    )
    assert references.json["verdicts"] == {"AC": len(public)}
    twins = sstar("grade", "examples", EXAMPLES / "twins.jsonl", "--sandbox", sandbox, "--out", "t", "--json")
    assert "AC" not in twins.json["verdicts"]
    rows = read_lines(Path("t/verdicts.jsonl"))
    assert len(rows) == len(public)
    for row in rows:
        first = row["tests"][: public[row["problem_id"]]]
        assert {test["verdict"] for test in first} == {"AC"}, row["problem_id"]
