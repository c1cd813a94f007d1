"""Correct programs that graders are known to reject: each is AC here."""

from __future__ import annotations

import json

import pytest

from sstar_code.problems import Kind, Problem, Test, load_set
from sstar_code.problems.statements.parse import parse_statement
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


DOCTESTS = '''def show(n):
    """Show n.

    >>> show(2)
    n is
    2
    >>> x = show(-1)
    Traceback (most recent call last):
    ...
    ValueError: negative
    >>> show([1, 2, 3])  # doctest: +ELLIPSIS
    n is
    [1, ...]
    """
'''
SHOW = "def show(n):\n    if n == -1:\n        raise ValueError('negative')\n    print('n is')\n    print(n)"


def test_doctests_of_a_statement(sandbox_held):
    """What doctest accepts is accepted, and doctest's own words say what is wrong."""
    problem = parse_statement(DOCTESTS, id="p")
    (test,) = problem.public_tests
    _expect_accepted(sandbox_held, problem, SHOW, test)
    wrong = SHOW.replace("negative", "below zero")
    report = sandbox_held.call(run_tests, sandbox_held.sandbox, problem, wrong, [test])
    assert report.verdict is Verdict.WA
    assert "ValueError: below zero" in report.results[0].execution.failure.message


_NUMBER = "1" + "0" * 4999
_APPS = {
    "np without an import": ("def f(a):\n    return np.sum(a)", {"fn_name": "f"}, [[[1, 2]]], [3]),
    "an array for a list": ("def f(a):\n    return np.cumsum(a)", {"fn_name": "f"}, [[[1, 2]]], [[1, 3]]),
    "np in a program": ("print(np.arange(int(input())).sum())", {}, ["3\n"], ["3\n"]),
    "numpy of its own": ("import numpy as np\nprint(*np.arange(int(input())))", {}, ["3\n"], ["0 1 2\n"]),
    "a long integer": ("print(int(input()) * 2)", {}, [f"{_NUMBER}\n"], [f"2{_NUMBER[1:]}\n"]),
    "its text": ("def f(n):\n    return str(10 ** n)", {"fn_name": "f"}, [[4999]], [_NUMBER]),
}


@pytest.mark.parametrize("row", _APPS.values(), ids=_APPS)
def test_what_the_grader_of_apps_supplies(sandbox_held, tmp_path, row):
    """Its names, numpy's among them, and integers of any length: its set is older than Python's limit."""
    code, name, inputs, outputs = row
    path = tmp_path / "apps.jsonl"
    cases = json.dumps(name | {"inputs": inputs, "outputs": outputs})
    path.write_text(json.dumps({"problem_id": 1, "question": "q", "input_output": cases}) + "\n")
    (problem,) = load_set(f"apps:{path}").problems
    _expect_accepted(sandbox_held, problem, code, *problem.hidden_tests)
