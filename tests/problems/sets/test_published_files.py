"""The published files of every set, where they lie beside the checkout."""

from __future__ import annotations

import ast
import gzip
import json

import pytest

from sstar_code.problems import Kind, load_set, read_samples
from sstar_code.problems.values import decode, decode_lines, encode_lines

pytestmark = pytest.mark.data

WITHOUT_EXAMPLES = [32, 38, 41, 50, 80, 81, 83, 84, 105, 115, 116, 149, 160]
"""HumanEval tasks whose docstring has no example of literals that is right."""


@pytest.mark.parametrize(
    ("spec", "problems", "public", "kinds"),
    [
        ("humaneval:humaneval/HumanEval.jsonl.gz", 164, 433, {Kind.FUNCTION}),
        ("humaneval+:humaneval/HumanEvalPlus.jsonl.gz", 164, 433, {Kind.FUNCTION}),
        ("humaneval+:humaneval/HumanEvalPlus-Mini.jsonl.gz", 164, 433, {Kind.FUNCTION}),
        ("mbpp:mbpp/mbpp.jsonl", 974, 974, {Kind.FUNCTION}),
        ("mbpp+:mbpp/MbppPlus.jsonl.gz", 378, 378, {Kind.FUNCTION}),
        ("mbpp+:mbpp/MbppPlus-OriginFmt.jsonl.gz", 378, 378, {Kind.FUNCTION}),
        ("lcb:livecodebench/problems.jsonl.gz", 1055, None, {Kind.FUNCTION, Kind.STDIN}),
        ("apps:apps150/selected150.jsonl", 128, None, {Kind.STDIN}),
        ("codecontests:codecontests73/problems.jsonl.gz", 73, 129, {Kind.STDIN}),
    ],
)
def test_every_published_row_loads(shared_data, spec, problems, public, kinds):
    """All rows load, no two problems share an id, and public tests are counted."""
    name, _, file = spec.partition(":")
    loaded = load_set(f"{name}:{shared_data / file}")
    assert len(loaded.problems) == len({problem.id for problem in loaded.problems}) == problems
    assert {problem.kind for problem in loaded.problems} == kinds
    counted = sum(len(problem.public_tests) for problem in loaded.problems)
    assert public is None or counted == public
    for problem in loaded.problems:
        assert problem.statement.strip()
        assert (problem.entry_point is None) is (problem.kind is Kind.STDIN)
        if problem.kind is Kind.FUNCTION:
            for test in problem.public_tests:
                assert test.program or encode_lines(decode_lines(test.input)) is not None


def test_humaneval_tasks_without_examples_are_known(shared_data):
    """Exactly these HumanEval tasks have no public test."""
    loaded = load_set(f"humaneval:{shared_data / 'humaneval/HumanEval.jsonl.gz'}")
    bare = [problem.id for problem in loaded.problems if not problem.public_tests]
    assert bare == [f"HumanEval/{number}" for number in WITHOUT_EXAMPLES]


def test_humaneval_examples_agree_with_those_read_by_hand(shared_data):
    """Nine in ten of the asserts others took from the docstrings are found, with the same value."""
    loaded = load_set(f"humaneval:{shared_data / 'humaneval/HumanEval.jsonl.gz'}")
    found = same = total = 0
    for line in (shared_data / "humaneval/tests.jsonl").read_text().splitlines():
        row = json.loads(line)
        ours = {test.input: test.output for test in loaded.find(row["task_id"]).public_tests}
        for source in row["given_tests"]:
            total += 1
            compare = ast.parse(source).body[0].test
            try:
                given = encode_lines([ast.literal_eval(argument) for argument in compare.left.args])
                value = ast.literal_eval(compare.comparators[0])
            except (ValueError, AttributeError):
                continue
            if given in ours:
                found += 1
                same += decode(ours[given]) == value
    assert total == 460
    assert found >= 0.9 * total
    assert same == found


def test_mbpp_plus_inputs_get_the_types_of_the_typed_file_back(shared_data):
    """For all but nine tasks the restored arguments are those that the other file spells in Python."""
    from sstar_code.problems.formats.evalplus import read_arguments, restore

    def rows(name):
        with gzip.open(shared_data / "mbpp" / name, "rt") as stream:
            return [json.loads(line) for line in stream]

    typed = {row["task_id"]: row["test"] for row in rows("MbppPlus-OriginFmt.jsonl.gz")}
    differing = []
    for row in rows("MbppPlus.jsonl.gz"):
        examples = read_arguments(row["assertion"], row["entry_point"])
        columns = list(zip(*examples, strict=False))
        given = [
            [restore(value, list(columns[place])) for place, value in enumerate(arguments)]
            for arguments in [*row["base_input"], *row["plus_input"]]
        ]
        source = next(
            line for line in typed[int(row["task_id"][5:])].splitlines() if line.startswith("inputs = ")
        )
        wanted = eval(source.removeprefix("inputs = "), {"inf": float("inf"), "nan": float("nan")})
        if not {repr(list(arguments)) for arguments in wanted} <= set(map(repr, given)):
            differing.append(int(row["task_id"][5:]))
    assert differing == [98, 104, 124, 140, 145, 252, 278, 301, 596]


@pytest.mark.parametrize(
    "file",
    [
        "livecodebench/O1-Mini-2024-09-12_N1_Scenario.codegeneration_1_0.2_eval_all.json.gz",
        "livecodebench/Qwen-3-8B_Scenario.codegeneration_1_0.2_eval_all.json.gz",
    ],
)
def test_recorded_livecodebench_samples_are_read(shared_data, file):
    """Every sample of a published evaluation belongs to a problem of the set."""
    loaded = load_set(f"lcb:{shared_data / 'livecodebench/problems.jsonl.gz'}")
    known = {problem.id for problem in loaded.problems}
    samples = read_samples(shared_data / file)
    assert samples
    assert {sample.problem_id for sample in samples} <= known
