from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.formats.trust import trusts_candidate
from sstar_code.problems.sets.faults import find_faults


@pytest.mark.parametrize(
    ("program", "trusts"),
    [
        ("assert f(1) == 2", False),
        ("class T(Base): pass", True),
        ("import unittest\nclass T(unittest.TestCase): pass", False),
        ("class N: pass\nclass M(N): pass\nclass E(ValueError): pass", False),
        ("from solution import Base\nclass T(Base): pass", True),
        ("import inspect\ninspect.signature(f)", True),
        ("from unittest.mock import patch\nwith patch('builtins.print'): f()", True),
        ("import sys, io\nsys.stdin = io.StringIO('3')", True),
        ("assert f.__code__.co_argcount == 2", True),
        ("assert (", False),
    ],
)
def test_which_tests_trust_the_candidate(program, trusts):
    """Those that look into its objects, replace a part of it or inherit from it."""
    assert trusts_candidate(program) is trusts


def test_it_is_noted():
    """`validate` says how many do."""
    tests = (Test(program="class T(Base): pass"), Test(program="assert f(1)"))
    problem = Problem("p", "s", Kind.FUNCTION, entry_point="f", hidden_tests=tests)
    notes = [fault.what for fault in find_faults([problem]) if fault.is_note]
    assert notes == ["1 of 2 test programs need the candidate's objects, and trust it"]
