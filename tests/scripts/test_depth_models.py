"""What models of depth learn from, and how what they write is counted."""

from __future__ import annotations

import json
import re

import pytest

from scripts.train_tiny_model.depth.data import make_examples
from scripts.train_tiny_model.depth.measure import compare, grade, rate
from sstar_code.sandbox.fake import FakeSandbox

pytestmark = pytest.mark.anyio


def read(path):
    """The rows of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_examples_are_first_answers_and_problems_are_kept_out_of_them(tmp_path):
    """Every answer is one program, no statement of a problem is learnt from, and a seed repeats all."""
    make_examples(tmp_path / "a", 40, 5)
    make_examples(tmp_path / "b", 40, 5)
    examples, problems, prompts = (
        read(tmp_path / "a" / f"{name}.jsonl") for name in ("examples", "problems", "prompts")
    )
    assert (len(examples), len(problems)) == (40, 5)
    for row in examples:
        (code,) = re.findall(r"^```python\n(.*?)\n```$", row["answer"], re.DOTALL)
        assert compile(code, "answer", "exec")
    texts = [message["content"] for row in examples for message in row["messages"]]
    for problem, prompt in zip(problems, prompts, strict=True):
        assert prompt["id"] == problem["id"]
        assert problem["statement"] in prompt["messages"][-1]["content"]
        assert not any(problem["statement"] in text for text in texts)
    for name in ("examples", "problems", "prompts"):
        files = [tmp_path / folder / f"{name}.jsonl" for folder in "ab"]
        assert files[0].read_bytes() == files[1].read_bytes()


PROBLEM = {
    "id": "p",
    "statement": "Print 1, then 2.",
    "kind": "stdin",
    "public_tests": [{"input": "1\n", "output": "1"}],
    "hidden_tests": [{"input": "2\n", "output": "2"}],
}
WRITTEN = {"both": "right", "public": "half", "none": "wrong"}


def happen(program, text):
    """What the three kinds of programs print."""
    return text.strip() if "right" in program.code or ("half" in program.code and text == "1\n") else "0"


async def test_the_first_program_that_passes_the_public_tests_is_the_answer(tmp_path, monkeypatch, capsys):
    """Alone a sample counts by its mean; of several the choice counts; seeds are averaged, pairs equal."""
    monkeypatch.setattr("scripts.train_tiny_model.depth.measure.make_sandbox", lambda _: FakeSandbox(happen))
    (tmp_path / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    kinds = {0: ["none", "none", "both", "both"], 1: ["both", "public", "public", "both"]}
    rows = [
        {"model": "m", "seed": seed, "problem": "p", "sample": place - 1, "tokens": 9, "loops": 0.0}
        | {"text": f"```python\nprint('{WRITTEN[kind]}')\n```"}
        for seed, drawn in kinds.items()
        for place, kind in enumerate(drawn)
    ]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    await grade(tmp_path, tmp_path / "samples.jsonl")
    assert "2 seeds,   9.0 tokens" in capsys.readouterr().out
    made = {}
    for row in read(tmp_path / "solved.jsonl"):
        made.setdefault((row["model"], row["seed"], row["problem"]), {})[row["sample"]] = row
    assert rate(made, "m", 0) == {"p": 0.5}
    assert rate(made, "m", 1) == {"p": pytest.approx((2 / 3 + 1 / 3) / 2)}
    assert rate(made, "m", 2) == {"p": 0.5}, "none passes, then both; a public one, which is taken and wrong"
    compare(tmp_path, "m", "m", (0, 2))
    assert "+0.0 [+0.0, +0.0] points, 1 problems" in capsys.readouterr().out
