"""A sample of the C++ programs with known verdicts (`benchmarks.sandbox.cpp.differential`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.sandbox.cpp.contest import make_cases
from benchmarks.sandbox.cpp.differential import Outcome, find_faults, run_in
from benchmarks.sandbox.cpp.failures import CASES

_NAMES = ("lines with blanks", "division by zero", "does not compile: private")
FIXED = {case.name: case for case in CASES}


def test_programs_are_many_and_of_every_kind():
    """Two hundred, no two the same, and the same in every run; a wrong one differs from its right twin."""
    cases = list(make_cases(200, 0))
    assert cases == list(make_cases(200, 0))
    assert len(cases) == 200
    assert len({(case.code, case.memory_mb) for case in cases}) == 200
    kinds = Counter(case.kind for case in cases)
    assert set(kinds) == {"right", "wrong", "TLE", "MLE", "RE", "OLE", "CE"}
    assert min(kinds.values()) >= 3
    assert all(case.tests for case in cases)


@pytest.mark.parametrize("name", _NAMES)
def test_known_verdicts(cpp_local, name):
    """What is known of a program is what the sandbox says of it."""
    case = FIXED[name]

    async def run():
        return await run_in(cpp_local.sandbox, case)

    ours = cpp_local.call(run)
    assert find_faults(case, ours, ours) == []


def test_differences_are_found():
    """In verdict, in how it ends, in output, and from what is known."""
    case = FIXED["division by zero"]
    right = [Outcome("RE", "SIGFPE")]
    assert find_faults(case, right, right) == []
    for other in ([Outcome("RE", "SIGSEGV")], [Outcome("AC")], [Outcome("MLE")]):
        assert find_faults(case, right, other)
        assert find_faults(case, other, other)
    wrong = replace(FIXED["lines with blanks"], kind="wrong")
    accepted = [Outcome("AC", output=want) for _, want in wrong.tests]
    assert find_faults(wrong, accepted, accepted), "a wrong program has to be wrong somewhere"
