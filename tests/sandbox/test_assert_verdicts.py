"""Verdicts of assert-style tests: a wrong value is WA, a crash is RE."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def f(a): return a", Verdict.AC),
        ("def f(a): return a + 1", Verdict.WA),
        ("def f(a): return 1 // 0", Verdict.RE),
        ("def f(a): assert False", Verdict.RE),
        ("def g(a): return a", Verdict.RE),
        ("def f(a): return (", Verdict.CE),
        ("import sys\ndef f(a): sys.exit(0)", Verdict.RE),
    ],
)
def test_assertion_that_fails_is_wa(sandbox_held, code, verdict):
    """Only the test's own assertion says that the answer is wrong."""
    problem = Problem("p", "", Kind.FUNCTION, entry_point="f")
    test = Test(program="def check(c):\n    assert c(1) == 1\ncheck(f)")
    report = sandbox_held.call(run_tests, sandbox_held.sandbox, problem, code, [test])
    assert report.verdict is verdict
