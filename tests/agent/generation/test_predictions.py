"""`sstar eval` and `sstar grade` on problems whose answer is a value or a call."""

from __future__ import annotations

import gzip
import json

import pytest

from sstar_code.agent.testing.server import chat

ROWS = [
    {"code": "def f(x):\n    return x + 'b'", "input": "'a'", "output": "'ab'", "id": "sample_0"},
    {"code": "def f(x):\n    return x * 2", "input": "21", "output": "42", "id": "sample_1"},
]


@pytest.fixture
def cruxeval(folder):
    (folder / "crux.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return "crux.jsonl"


def read_verdicts(run):
    return [json.loads(line) for line in (run / "verdicts.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "answers", "passed"),
    [
        ("cruxeval-o", ("assert f('a') == 'ab'", "assert f(21) == f(21)"), "sample_0"),
        ("cruxeval-i", ("assert f(??) == 'ab'", "assert f(20 + 1) == 42"), "sample_1"),
    ],
)
@pytest.mark.usefixtures("sandbox_local")
def test_eval_asks_for_the_answer_and_judges_it(sstar, serve, folder, cruxeval, *, name, answers, passed):
    """One question a sample, none about a program; the value counts, and nobody has the function itself."""
    asked = []

    def respond(body):
        text = body["messages"][-1]["content"]
        asked.append(text)
        which = answers["return x * 2" in text]
        return chat(f"It goes so.\n[ANSWER]\n{which}\n[/ANSWER]")

    server = serve(respond)
    words = ("-m", "tiny", "--base-url", server.base_url, "--n", "2", "--rounds", "2", "--sandbox", "local")
    ended = sstar("eval", f"{name}:{cruxeval}", *words, "--out", "run", "--json")
    assert ended.code == 0, ended.err
    assert len(asked) == 4
    assert all("[ANSWER]" in text and "program that reads" not in text for text in asked)
    methods = json.loads((folder / "run" / "summary.json").read_text())["methods"]
    assert (methods["pass@1"]["value"], methods["adaptive"]["value"]) == (0.5, 0.5)
    ended = sstar(
        "grade", f"{name}:{cruxeval}", "run/samples.jsonl", "--sandbox", "local", "--out", "graded", "--json"
    )
    rows = read_verdicts(folder / "graded")
    assert {row["problem_id"] for row in rows if row["passed"]} == {passed}


@pytest.mark.slow
@pytest.mark.usefixtures("sandbox_local")
def test_recorded_answers_have_upstreams_verdicts(sstar, folder, shared_data):
    """CRUXEval's own verdicts on 4,800 recorded answers, one by one."""
    with gzip.open(shared_data / "cruxeval" / "codellama-7b_temp0.2_output.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    (folder / "answers.json").write_text(json.dumps({row["id"]: row["generations"] for row in rows}))
    spec = f"cruxeval-o:{shared_data / 'cruxeval' / 'cruxeval.jsonl'}"
    ended = sstar("grade", spec, "answers.json", "--sandbox", "local", "--out", "run", "--json")
    assert ended.code == 0, ended.err
    verdicts = {(row["problem_id"], row["sample"]): row["passed"] for row in read_verdicts(folder / "run")}
    known = {
        (row["id"], place): right for row in rows for place, right in enumerate(row["raw_scored_generations"])
    }
    assert verdicts == known
