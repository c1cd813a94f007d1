"""Programs do in the sandboxes what they do under plain `python3`: a few of the benchmark's thousands."""

from __future__ import annotations

import pytest

from benchmarks.sandbox.differential import Case, End, compare, find_reason, read_end
from benchmarks.sandbox.idioms import make_programs
from sstar_code.sandbox import Execution, Failure, Status


@pytest.mark.parametrize("name", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_idioms_do_the_same_in_a_sandbox(request, name):
    """Each way to read, to work, to write and to end is in one of the programs."""
    request.getfixturevalue(f"sandbox_{name}")  # skips where there is none
    pytest.importorskip("numpy", reason="the extra `contest` is not installed")
    cases = [Case("idioms", code, text) for code, text in make_programs(30, seed=7)]
    (rows, differences) = compare(cases, [name])
    assert [item for item in differences if item["reason"] is None] == []
    assert rows[0] == [name, 30, 30 - rows[0][3], rows[0][3], 0]


def test_the_same_seed_makes_the_same_programs():
    """Another seed makes others."""
    assert list(make_programs(40, seed=1)) == list(make_programs(40, seed=1))
    assert list(make_programs(40, seed=1)) != list(make_programs(40, seed=2))


@pytest.mark.parametrize(
    ("run", "end"),
    [
        (Execution(Status.OK, "x"), End(0, "x")),
        (Execution(Status.RE, "x", failure=Failure("exit status 3")), End(3, "x")),
        (Execution(Status.RE, "x", failure=Failure("KeyError", "1")), End(1, "x")),
        (Execution(Status.RE, failure=Failure("SIGTERM")), End(-15, "")),
        (Execution(Status.CE, failure=Failure("SyntaxError")), End(1, "")),
        (Execution(Status.TLE, "x", failure=Failure("TimeLimit")), End("over its time", "")),
        (Execution(Status.IE, failure=Failure("SandboxError")), End("IE", "")),
    ],
)
def test_an_execution_is_told_as_the_shell_would(run, end):
    """Exit status and output are what is compared; a run that the sandbox lost is like nothing."""
    assert read_end(run) == end


def test_a_difference_without_reason_is_one():
    """A program that always does the same has no excuse, one that starts processes has."""
    (wrong, right) = (End(0, "2\n"), End(0, "1\n"))
    assert find_reason(Case("", "print(1)", ""), right, wrong) is None
    told = find_reason(Case("", "import subprocess\nprint(1)", ""), right, wrong)
    assert told is not None
    assert "refuses" in told
