"""Attacks on the compiler, which runs outside of any run, and on what is imported before it."""

from __future__ import annotations

import pytest

from sstar_code.sandbox import Mode, Program, Status

_BOMBS = {
    "parentheses": "(" * 200_000,
    "balanced parentheses": "(" * 5000 + "1" + ")" * 5000,
    "signs": "x = " + "-" * 500_000 + "1",
    "NUL": "a = 1\n\n\n\0",
    "unknown encoding": "# coding: nonsense\nprint(1)",
    "encoding that is none": "# -*- coding: rot13 -*-\ncevag(1)",
    "byte order mark": "\ufeffprint(1)",
    "lone surrogate": "x = '\ud800'",
    "long sum": "x = " + "1 + " * 100_000 + "1",
    "long comparison": "x = " + "1 < " * 50_000 + "1",
    "nested f-string": "f'{" * 5000,
    "nested functions": "[" + "lambda: " * 20_000 + "1]",
    "nested blocks": "".join(" " * n + "if 1:\n" for n in range(2000)) + " " * 2000 + "pass",
    "nested attributes": "x" + ".a" * 200_000,
    "nested subscripts": "x" + "[0]" * 100_000,
    "many elses": "if 0: pass\n" + "elif 0: pass\n" * 20_000,
    "huge constants": "x = 10 ** 10 ** 8\nx = 'a' * (1 << 60)\nx = (1,) * (1 << 60)\nx = 1 << (1 << 40)",
    "long number": "x = " + "9" * 5000,
    "long hexadecimal": "x = 0x" + "f" * 2_000_000,
    "long line": "x = [" + "1," * 500_000 + "]",
    "many lines": "x = 1\n" * 300_000,
    "many names": "\n".join(f"a{n} = {n}" for n in range(50_000)),
    "long name": "a" * 5_000_000 + " = 1",
    "names that normalise": "\uff50\uff52\uff49\uff4e\uff54(1)\n" + "\ufdfa" * 1000 + " = 1",
    "pattern explosion": "match 1:\n case " + "|".join(["1"] * 20_000) + ": pass",
    "unfinished string": "'''" + "x\n" * 100_000,
    "carriage returns": "x = 1\r" * 10_000 + "\x0c\x1a",
    "too many imports": "import " + ", ".join(f"a{n}" for n in range(50_000)),
    "imports of the interpreter": "import antigravity, this, idlelib.idle, turtledemo, lib2to3.pgen2",
    "returns outside": "return 1",
    "warnings": "x = 1 is 1\n" * 5000 + "assert (1, 'x')",
    "future": "from __future__ import braces",
}


@pytest.mark.parametrize("code", _BOMBS.values(), ids=_BOMBS)
def test_compiler_survives(attacked, code):
    """Source made to exhaust the compiler costs its own run at most, and the worker lives on."""
    worker = attacked._live()
    (run,) = attacked.run(code, "x", cpu_s=1.0, wall_s=60.0, memory_mb=256)
    assert run.status in {Status.CE, Status.OK, Status.MLE, Status.TLE, Status.RE}, (code[:20], run)
    (canary,) = attacked.run("print(int(input()) + 1)", "1")
    assert canary.stdout == "2\n"
    assert attacked._live() == worker


def test_nothing_runs_while_compiling(attacked):
    """Nothing of a program runs before its first input, so nothing of it is in the next run."""
    code = (
        "import sys, builtins\nprint(hasattr(builtins, 'spoilt'), 'spoilt' in sys.modules)\n"
        "builtins.spoilt = sys.modules['spoilt'] = 1\nimport os\nos.register_at_fork(before=lambda: "
        "os._exit(7))"
    )
    runs = attacked.run(code, *"abc")
    assert [(run.status, run.stdout) for run in runs] == [(Status.OK, "False False\n")] * 3


def test_preamble_and_tests_are_compiled_apart(attacked):
    """A program cannot close the brackets of the preamble, nor open those of the test."""
    opened = Program("def f(): return 1\nx = (", Mode.ASSERT, "f", preamble="y = (1,")
    (run,) = attacked.run(opened, "assert f() == 2)")
    assert run.status is Status.CE
