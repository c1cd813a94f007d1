"""Correct programs that graders are known to reject: each is AC here."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

_STDIN = {
    "sys.exit() at the end": "import sys\nprint(sum(map(int, input().split())))\nsys.exit()",
    "exit() at the end": "print(sum(map(int, input().split())))\nexit()",
    "main, single quotes": "def go(): print(sum(map(int, input().split())))\nif __name__ == '__main__': go()",
    "main, no spaces": "def go(): print(sum(map(int, input().split())))\nif __name__=='__main__':go()",
    "main, double quotes": 'def go(): print(sum(map(int, input().split())))\nif __name__ == "__main__": go()',
    "sys.stdin.buffer": "import sys\nprint(sum(map(int, sys.stdin.buffer.readline().split())))",
    "sys.stdout.buffer": "import sys\nsys.stdout.buffer.write(b'%d\\n' % sum(map(int, input().split())))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "trailing blanks": "print(sum(map(int, input().split())), end='  \\n\\n')",
}


@pytest.mark.parametrize("code", _STDIN.values(), ids=_STDIN)
def test_stdin_program(sandbox_held, code):
    """It is accepted."""
    _expect_accepted(sandbox_held, Problem("p", "", Kind.STDIN), code, Test("1 2\n", "3\n"))


@pytest.mark.parametrize(
    ("code", "checker", "expected"),
    [
        ("print('1 ')\nprint('2  ')", "exact", "1\n2\n"),
        ("print('9.0')", "floats:1e-6", "9"),
        ("print(0.30000000001)", "floats:1e-6", "0.3"),
        ("print('-')", "exact", "-"),
    ],
    ids=["blanks inside", "9.0 vs 9", "tolerance", "trailing dash"],
)
def test_forms_of_output(sandbox_held, code, checker, expected):
    """It is accepted."""
    problem = Problem("p", "", Kind.STDIN, checker=checker)
    _expect_accepted(sandbox_held, problem, code, Test("", expected))


_FUNCTIONS = {
    "class Solution": ("class Solution:\n def f(self, a): return a", "Solution.f", "[1]", "[1]"),
    "helper before": ("def g(a): return a\ndef f(a): return g(a)", "f", "1", "1"),
    "decorator call before": (
        "import functools\n@functools.lru_cache(None)\ndef f(a): return a",
        "f",
        "1",
        "1",
    ),
    "call before the first def": (
        "import sys\nsys.setrecursionlimit(9999)\ndef f(a): return a",
        "f",
        "1",
        "1",
    ),
    "tuple instead of list": ("def f(a): return tuple(a)", "f", "[1, 2]", "[1, 2]"),
    "boolean argument": ("def f(a): return a is True", "f", "true", "true"),
    "string with =": ("def f(a): return a", "f", '"x = 1, y = 2"', '"x = 1, y = 2"'),
    "string with escapes": ("def f(a): return a", "f", r'"a\n\"b\"\\"', r'"a\n\"b\"\\"'),
}


@pytest.mark.parametrize(("code", "entry_point", "text", "expected"), _FUNCTIONS.values(), ids=_FUNCTIONS)
def test_function(sandbox_held, code, entry_point, text, expected):
    """It is accepted."""
    problem = Problem("p", "", Kind.FUNCTION, entry_point=entry_point)
    _expect_accepted(sandbox_held, problem, code, Test(text, expected))


def _expect_accepted(sandbox_held, problem, code, test):
    report = sandbox_held.call(run_tests, sandbox_held.sandbox, problem, code, [test])
    assert report.verdict is Verdict.AC, report
