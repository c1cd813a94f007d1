"""The bundled examples: every test means something, and the recorded answers tell the selectors apart."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import pytest

from sstar_code.agent.generation.extract import extract_code
from sstar_code.problems import Kind
from sstar_code.problems.sets.load import load_set
from sstar_code.problems.statements.parse import parse_statement
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

PROBLEMS = {problem.id: problem for problem in load_set("examples").problems}


def read(name):
    text = (files("sstar_code.problems") / "bundled" / "examples" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


REFERENCES = {row["task_id"]: row["solution"] for row in read("references.jsonl")}
TWINS = {row["task_id"]: row["solution"] for row in read("twins.jsonl")}
ANSWERS = read("answers.jsonl")


def choose(stage, problem_id):
    return [row for row in ANSWERS if row["stage"] == stage and row["problem_id"] == problem_id]


def test_examples_shape():
    """There are 16 problems or more of both kinds and all difficulties, each with reference and twin."""
    problems = PROBLEMS.values()
    assert len(problems) == len(load_set("examples").problems) >= 16
    assert min(Counter(problem.kind for problem in problems).values()) >= 8
    assert {problem.metadata["difficulty"] for problem in problems} == {"easy", "medium", "hard"}
    assert set(PROBLEMS) == set(REFERENCES) == set(TWINS)
    rules = {problem.checker if isinstance(problem.checker, str) else "program" for problem in problems}
    assert rules == {"exact", "floats:1e-6", "unordered", "program"}


@pytest.mark.parametrize("problem_id", PROBLEMS)
def test_examples_tests_are_apart(problem_id):
    """A problem has 1 to 3 public and 8 to 30 hidden tests, and no input occurs twice."""
    problem = PROBLEMS[problem_id]
    assert 1 <= len(problem.public_tests) <= 3
    assert 8 <= len(problem.hidden_tests) <= 30
    inputs = [test.input for test in (*problem.public_tests, *problem.hidden_tests)]
    assert len(set(inputs)) == len(inputs)


@pytest.mark.parametrize("problem_id", PROBLEMS)
def test_examples_statement_says_all(problem_id):
    """The statement alone gives the kind, the entry point and the public tests."""
    problem = PROBLEMS[problem_id]
    parsed = parse_statement(problem.statement, id=problem_id)
    assert (parsed.kind, parsed.entry_point) == (problem.kind, problem.entry_point)
    assert [(test.input, (test.output or "").strip()) for test in parsed.public_tests] == [
        (test.input, (test.output or "").strip()) for test in problem.public_tests
    ]


@pytest.mark.parametrize("problem_id", PROBLEMS)
def test_examples_reference_and_twin(problem_id, sandbox_local):
    """The reference passes every test; the twin passes the public tests and fails a hidden one."""
    problem = PROBLEMS[problem_id]

    def grade(code, tests):
        return sandbox_local.call(run_tests, sandbox_local.sandbox, problem, code, tests)

    everything = (*problem.public_tests, *problem.hidden_tests)
    assert grade(REFERENCES[problem_id], everything).verdict is Verdict.AC
    assert grade(TWINS[problem_id], problem.public_tests).verdict is Verdict.AC
    hidden = grade(TWINS[problem_id], problem.hidden_tests)
    assert hidden.verdict in (Verdict.WA, Verdict.RE)


@pytest.mark.parametrize("problem_id", PROBLEMS)
def test_examples_answers_cover_every_round(problem_id, sandbox_local):
    """A sample that fails a public test has a repair at hand for each of two rounds, until it passes."""
    problem = PROBLEMS[problem_id]
    samples = choose("generate", problem_id)
    assert [row["sample"] for row in samples] == list(range(6))
    repairs = {(row["sample"], row["round"]): row["text"] for row in choose("debug", problem_id)}
    for row in samples:
        text = row["text"]
        for number in (1, 2):
            code = extract_code(text, problem).code
            if code and passes(sandbox_local, problem, code, problem.public_tests):
                break
            text = repairs[row["sample"], number]


def passes(sandbox, problem, code, tests):
    report = sandbox.call(run_tests, sandbox.sandbox, problem, code, tests)
    return report.verdict is Verdict.AC


@pytest.mark.parametrize("problem_id", PROBLEMS)
@pytest.mark.parametrize("stage", ["inputs", "distinguish"])
def test_examples_inputs_are_valid(problem_id, stage, sandbox_local):
    """The inputs in the recorded answers are well formed, and the reference copes with each of them."""
    problem = PROBLEMS[problem_id]
    (row,) = choose(stage, problem_id)
    found = json.loads(row["text"].split("```json\n")[1].split("```")[0])
    assert found
    function = problem.kind is Kind.FUNCTION
    texts = ["\n".join(json.dumps(value) for value in item) if function else item for item in found]
    entry_point = {"mode": "call", "entry_point": problem.entry_point} if function else {}
    runs = sandbox_local.run(REFERENCES[problem_id], *texts, **entry_point)
    assert [run.status.value for run in runs] == ["OK"] * len(texts)


@pytest.mark.parametrize(
    ("problem_id", "first", "repaired"),
    [("is-even", "n % 2\n", "n % 2 == 0"), ("rotate-left", "popleft", "k %= len")],
)
def test_examples_debugging_illustrations(problem_id, first, repaired):
    """The classic illustration is there: `n % 2`, mended in one round; and one that needs a second round."""
    repairs = [row["text"] for row in choose("debug", problem_id)]
    assert any(first in row["text"] for row in choose("generate", problem_id))
    assert any(repaired in text for text in repairs)


def test_examples_square_illustration():
    """10**16 + 1 tells `math.isqrt` from `math.sqrt(n).is_integer()`, and is among the recorded inputs."""
    spaces: list[dict] = [{}, {}]
    for code, space in zip(
        (REFERENCES["is-perfect-square"], TWINS["is-perfect-square"]), spaces, strict=True
    ):
        exec(code, space)
    right, wrong = (space["is_perfect_square"] for space in spaces)
    assert (right(10**16 + 1), wrong(10**16 + 1)) == (False, True)
    assert (right(10**16), wrong(10**16)) == (True, True)
    assert str(10**16 + 1) in choose("distinguish", "is-perfect-square")[0]["text"]
