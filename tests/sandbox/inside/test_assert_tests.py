"""What assert-style tests can do with a program that runs in another process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sstar_code.sandbox import Mode, Program, Status

_SECTIONS = re.split(r"(?m)^=== (.*)\n", Path(__file__).with_name("assert_tests.txt").read_text("utf-8"))
_PASSES = dict(zip(_SECTIONS[1::2], _SECTIONS[2::2], strict=True))


@pytest.mark.parametrize("name", _PASSES)
def test_a_right_program_passes(sandbox_held, name):
    """The test finds in the other process what it would find in its own."""
    (code, test) = _PASSES[name].split("\n---\n")
    entry_point = name.partition(": ")[2] or "f"
    (run,) = sandbox_held.run(code, test, mode="assert", entry_point=entry_point)
    assert run.status is Status.OK, run


_ENDS = [
    ("exit", "import os\ndef f(): os._exit(3)", "RE", "exit status 3"),
    ("exit with success", "import os\ndef f(): os._exit(0)", "RE", "exit status 0"),
    ("exit that is an exception", "import sys\ndef f(): sys.exit(0)", "RE", "SystemExit"),
    ("crash", "import os\ndef f(): os.abort()", "RE", "SIGABRT"),
    ("endless", "def f():\n while True: pass", "TLE", "TimeLimit"),
    ("memory", "def f(): return bytearray(10**10)", "MLE", "MemoryError"),
    ("memory that is used", "def f(): return [bytearray(10**6) for _ in range(10**6)]", "MLE", "MemoryError"),
    ("output", "def f():\n while True: print('x' * 10**5)", "OLE", "OutputLimit"),
    ("at once", "1 / 0", "RE", "ZeroDivisionError"),
    ("missing", "def g(): pass", "CE", "EntryPointMissing"),
    ("pipes closed", "import os\ndef f(): os.closerange(3, 64)", "RE", "exit status 0"),
    (
        "thread that never ends",
        "import threading\ndef f():\n while True: pass\nthreading.Thread(target=f).start()\nf = int",
        *("OK", None),
    ),
]


@pytest.mark.parametrize("row", _ENDS, ids=[row[0] for row in _ENDS])
def test_the_end_of_the_candidate_is_the_end_of_the_run(sandbox_held, row):
    """A test cannot go on without the process that answers, nor swallow that it ended."""
    (_, code, status, kind) = row
    test = "try: f()\nexcept (ValueError, RuntimeError): pass"
    (run, after) = sandbox_held.run(
        code,
        test,
        "pass",
        mode="assert",
        entry_point="f",
        cpu_s=0.5,
        wall_s=20.0,
        memory_mb=128,
        output_kb=256,
    )
    assert (str(run.status), run.failure and run.failure.type) == (status, kind), run
    assert after.status is (Status.RE if kind == "ZeroDivisionError" else Status.OK)


def test_a_test_that_never_ends_is_ended(sandbox_held):
    """Also where the candidate's answer makes it so; the limit is the same as the candidate's."""
    code = "def f():\n while True: yield 1"
    (run,) = sandbox_held.run(
        code, "for x in f(): pass", mode="assert", entry_point="f", cpu_s=0.5, wall_s=20.0
    )
    assert run.status is Status.TLE


def test_the_cost_is_the_candidates(sandbox_held):
    """The test's own time is not counted as the candidate's."""
    test = (
        "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass\nassert f() == 1"
    )
    (run,) = sandbox_held.run("def f(): return 1", test, mode="assert", entry_point="f", cpu_s=5.0)
    assert run.status is Status.OK
    assert run.cpu_s < 0.5


def test_the_line_that_raised_is_told(sandbox_held):
    """As for a call; what the candidate and the test wrote to standard error follows."""
    code = "import sys\ndef f(x):\n    sys.stderr.write('note')\n    return 1 // x"
    (run,) = sandbox_held.run(code, "x = 1\nf(0)", mode="assert", entry_point="f")
    assert (run.status, run.failure.type, run.failure.line) == (Status.RE, "ZeroDivisionError", 4)
    assert 'File "test.py", line 2' in run.stderr
    assert 'File "solution.py", line 4, in f' in run.stderr
    assert "note" in run.stderr


def test_files_of_both_are_removed(sandbox_held):
    """A test may read what the candidate wrote, and nothing of either is left."""
    code = "def f():\n import os; os.makedirs('d/e'); open('d/e/x', 'w').write('mine')"
    test = "import os\nassert os.listdir() == []\nopen('own', 'w').write('1')\nf()\n"
    test += "assert open('d/e/x').read() == 'mine'"
    for run in sandbox_held.run(code, test, test, mode="assert", entry_point="f"):
        assert run.status is Status.OK, run


def test_a_test_that_needs_the_objects_runs_beside_them(sandbox_held):
    """It has Python's own names, whatever the program made of them."""
    code = (
        "import builtins\nbuiltins.len = lambda x: 0\nclass A:\n def get(self): return 1\ndef f(x): return x"
    )
    test = "class B(A): pass\nassert B().get() == len([1]) and f(2) == 2 and f.__code__.co_argcount == 1"
    program = Program(code, Mode.TRUSTING, "f")
    (good, bad, missing) = sandbox_held.run(program, test, "assert f(1) == 2", "assert g()")
    assert good.status is Status.OK
    assert (bad.status, bad.failure.message) == (Status.RE, "assert f(1) == 2")
    assert missing.failure.type == "NameError"
    (run,) = sandbox_held.run(Program("x = 1", Mode.TRUSTING, "f"), "f()")
    assert run.status is Status.CE
