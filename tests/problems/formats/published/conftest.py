"""Real runs for tests of row forms."""

from __future__ import annotations

import pytest

from sstar_code.sandbox.grade import run_tests


@pytest.fixture
def run_program_tests(sandbox_local):
    """The verdict of a program on all tests of a problem."""

    def run(problem, code):
        tests = [*problem.public_tests, *problem.hidden_tests]
        return sandbox_local.call(run_tests, sandbox_local.sandbox, problem, code, tests).verdict.value

    return run
