"""The bundled set `lists`: every test means something and every reference is right."""

from __future__ import annotations

from collections import Counter

import pytest

from sstar_code.problems import Kind
from sstar_code.problems.sets.load import load_set
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

PROBLEMS = {problem.id: problem for problem in load_set("lists").problems}


def test_lists_shape():
    """There are 24 problems, functions and programs on standard input, on all three kinds of lists."""
    assert len(PROBLEMS) == len(load_set("lists").problems) == 24
    assert min(Counter(problem.kind for problem in PROBLEMS.values()).values()) >= 6
    assert {name.partition("-")[0] for name in PROBLEMS} == {"numbers", "digits", "words"}
    assert len({problem.statement for problem in PROBLEMS.values()}) == 24


@pytest.mark.parametrize("problem_id", PROBLEMS)
def test_lists_tests_are_apart_and_the_reference_passes(problem_id, sandbox_local):
    """Two public and 20 hidden tests, no input twice, each with an output that the reference gives."""
    problem = PROBLEMS[problem_id]
    tests = (*problem.public_tests, *problem.hidden_tests)
    assert (len(problem.public_tests), len(problem.hidden_tests)) == (2, 20)
    assert len({test.input for test in tests}) == 22
    assert all(test.output is not None for test in tests)
    assert (problem.entry_point is None) == (problem.kind is Kind.STDIN)
    reference = problem.metadata["reference"]
    report = sandbox_local.call(run_tests, sandbox_local.sandbox, problem, reference, tests)
    assert report.verdict is Verdict.AC
