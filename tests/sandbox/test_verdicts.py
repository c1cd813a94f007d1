"""How a run ended, told the same by every backend."""

from __future__ import annotations

import pytest

from sstar_code.sandbox import Status

_MAIN = [
    ("sum", "print(sum(map(int, input().split())))", Status.OK, None),
    ("exit 0 after output", "print(1); import sys; sys.exit(0)", Status.OK, None),
    ("exit()", "print(1); exit()", Status.OK, None),
    ("quit()", "print(1); quit(0)", Status.OK, None),
    ("os._exit(0)", "import os; os._exit(0)", Status.OK, None),
    ("exception", "x = 1\nint('y')", Status.RE, ("ValueError", 2)),
    ("exit 3", "import sys; sys.exit(3)", Status.RE, ("exit status 3", None)),
    ("exit True", "import sys; sys.exit(True)", Status.RE, ("exit status 1", None)),
    ("exit message", "import sys; sys.exit('why')", Status.RE, ("exit status 1", None)),
    ("os._exit(3)", "import os; os._exit(3)", Status.RE, ("exit status 3", None)),
    ("abort", "import os; os.abort()", Status.RE, ("SIGABRT", None)),
    ("null dereference", "import ctypes; ctypes.string_at(0)", Status.RE, ("SIGSEGV", None)),
    ("interrupt", "raise KeyboardInterrupt", Status.RE, ("KeyboardInterrupt", 1)),
    ("busy", "while True: pass", Status.TLE, ("TimeLimit", None)),
    ("sleeper", "import time; time.sleep(60)", Status.TLE, ("TimeLimit", None)),
    ("list bomb", "a = [0] * (1 << 40)", Status.MLE, ("MemoryError", None)),
    ("bytes bomb", "a = []\nwhile True: a.append(bytearray(1 << 22))", Status.MLE, ("MemoryError", None)),
    ("mmap bomb", "import mmap; mmap.mmap(-1, 1 << 40)", Status.MLE, ("MemoryError", None)),
    ("own MemoryError", "raise MemoryError", Status.MLE, ("MemoryError", None)),
    ("output", "while True: print('x' * 1000)", Status.OLE, ("OutputLimit", None)),
    ("errors", "import sys\nwhile True: sys.stderr.write('x' * 1000)", Status.OLE, ("OutputLimit", None)),
    (
        "output, error ignored",
        "import os\nfor _ in range(9999):\n try: os.write(1, b'x' * 999)\n except OSError: pass",
        Status.OLE,
        ("OutputLimit", None),
    ),
    ("syntax", "x = 1\ny = (", Status.CE, ("SyntaxError", 2)),
    ("null byte", "x = '\0'", Status.CE, None),
    ("surrogate in source", "print('\ud800')", Status.CE, ("UnicodeEncodeError", None)),
    ("nesting", "(" * 200_000, Status.CE, None),
    ("subprocess", "import subprocess; subprocess.run(['true'])", Status.RE, None),
    ("multiprocessing", "import multiprocessing as m; m.Process(target=print).start()", Status.RE, None),
]


@pytest.mark.parametrize(("code", "status", "failure"), [row[1:] for row in _MAIN], ids=[r[0] for r in _MAIN])
def test_verdict_of_a_whole_program(sandbox_held, code, status, failure):
    """Each way to end has its status, and a failure its type and line."""
    wall_s = 1.0 if "sleep" in code else 15.0  # only the sleeper may run into it, however busy the machine
    cpu_s = (
        5.0 if "while True: a.append" in code else 0.7
    )  # a page may cost ten times as much on a busy machine
    (run,) = sandbox_held.run(code, "1 2", cpu_s=cpu_s, wall_s=wall_s, memory_mb=256, output_kb=256)
    assert run.status is status, run
    if failure is not None:
        assert run.failure is not None
        assert (run.failure.type, run.failure.line) == failure
    assert (run.failure is None) is (status is Status.OK)


def test_limits_are_kept_apart(sandbox_held):
    """A TLE says whether CPU time or wall time ran out."""
    (busy,) = sandbox_held.run("while True: pass", cpu_s=0.5, wall_s=60.0)
    (asleep,) = sandbox_held.run("import time; time.sleep(60)", cpu_s=10.0, wall_s=1.0)
    assert (busy.limit, asleep.limit) == ("cpu", "wall")
    assert busy.cpu_s >= 0.5
    assert asleep.wall_s >= 1.0 > asleep.cpu_s


_QUICK = [row for row in _MAIN if row[0] not in {"busy", "sleeper", "bytes bomb", "nesting"}]


@pytest.mark.parametrize("code", [row[1] for row in _QUICK], ids=[row[0] for row in _QUICK])
def test_one_input_ends_as_one_of_several(sandbox_held, code):
    """The way through the sandbox that a single input takes gives the record that the other way gives."""
    limits = {"cpu_s": 5.0, "wall_s": 60.0, "memory_mb": 256, "output_kb": 256}
    runs = [*sandbox_held.run(code, "1 2", **limits), *sandbox_held.run(code, "1 2", "1 2", **limits)]
    (alone, first, second) = [(run.status, run.stdout, run.failure, run.limit) for run in runs]
    assert alone == first == second


def test_exact_output_limit(sandbox_held):
    """Output of just the limit is fine, one byte more is not."""
    (just, more) = sandbox_held.run("print('x' * int(input()), end='')", "65536", "65537", output_kb=64)
    assert (just.status, len(just.stdout), more.status) == (Status.OK, 65536, Status.OLE)


_CALL = [
    ("function", "def f(a, b): return [a + b]", "f", "1\n2", Status.OK, "[3]"),
    ("tuple", "def f(a): return (a, None)", "f", "1", Status.OK, '{"$tuple": [1, null]}'),
    ("prints", "def f(a):\n print('debug')\n return a", "f", '"x"', Status.OK, '"x"'),
    (
        "method",
        "class Solution:\n def go(self, a: 'List[int]'): return len(a)",
        "Solution.go",
        "[1]",
        Status.OK,
        "1",
    ),
    ("decorator", "import functools\n@functools.cache\ndef f(a): return a", "f", "true", Status.OK, "true"),
    ("helper first", "def g(a): return a\ndef f(a): return g(a)", "f", "1", Status.OK, "1"),
    ("lambda", "f = lambda a: a", "f", "1", Status.OK, "1"),
    ("main block is not run", "def f(): return 1\nif __name__ == '__main__': 1 / 0", "f", "", Status.OK, "1"),
    ("missing", "def g(): pass", "f", "", Status.CE, None),
    ("missing method", "class Solution: pass", "Solution.f", "", Status.CE, None),
    ("raises", "def f(a): return 1 // a", "f", "0", Status.RE, None),
    ("wrong arguments", "def f(): return 1", "f", "1\n2", Status.RE, None),
    ("exits", "import sys\ndef f(): sys.exit(0)", "f", "", Status.RE, None),
    ("leaves", "import os\ndef f(): os._exit(0)", "f", "", Status.RE, None),
    ("contains itself", "def f():\n a = []\n a.append(a)\n return a", "f", "", Status.RE, None),
    ("huge result", "def f(): return 'x' * 300_000", "f", "", Status.OLE, None),
]


@pytest.mark.parametrize(
    ("code", "entry_point", "text", "status", "result"), [row[1:] for row in _CALL], ids=[r[0] for r in _CALL]
)
def test_verdict_of_a_call(sandbox_held, code, entry_point, text, status, result):  # noqa: PLR0917 - a table
    """A call's value comes back encoded; everything else is a failure."""
    (run,) = sandbox_held.run(code, text, mode="call", entry_point=entry_point, cpu_s=2.0, output_kb=256)
    assert (run.status, run.result) == (status, result), run


def test_prints_of_a_call_are_kept_apart(sandbox_held):
    """What a function prints is in `stdout` and leaves its value alone."""
    code = "def f():\n print('x')\n return 2"
    (run,) = sandbox_held.run(code, "", mode="call", entry_point="f")
    assert (run.stdout, run.result, run.output) == ("x\n", "2", "2")


def test_preamble_does_not_move_lines(sandbox_held):
    """Names of the preamble can be used, and lines are counted in the candidate's own code."""
    code = "def f(a: List[int]):\n return sqrt(-a[0])"
    text = "from typing import *\nfrom math import *\n"
    (run,) = sandbox_held.run(code, "[4]", mode="call", entry_point="f", preamble=text)
    assert (run.status, run.failure.type, run.failure.line) == (Status.RE, "ValueError", 2)


def test_every_call_has_a_fresh_instance(sandbox_held):
    """State of one run is not seen by the next."""
    code = "class S:\n seen = []\n def f(self, a):\n  self.seen.append(a)\n  return self.seen"
    runs = sandbox_held.run(code, "1", "2", mode="call", entry_point="S.f")
    assert [run.result for run in runs] == ["[1]", "[2]"]


_ASSERT = [
    ("passes", "def f(a): return a", "assert f(1) == 1", Status.OK),
    ("fails", "def f(a): return 2", "assert f(1) == 1", Status.RE),
    ("exits early", "import sys; sys.exit(0)", "assert False", Status.RE),
    ("leaves early", "import os; os._exit(0)", "assert False", Status.RE),
    ("leaves in the call", "import os\ndef f(a): os._exit(0)", "assert f(1) == 1", Status.RE),
    ("test does not compile", "def f(a): return a", "assert (", Status.RE),
]


@pytest.mark.parametrize(
    ("code", "test", "status"), [row[1:] for row in _ASSERT], ids=[r[0] for r in _ASSERT]
)
def test_verdict_of_assertions(sandbox_held, code, test, status):
    """A test passes only when its source has run to its end."""
    (run,) = sandbox_held.run(code, test, mode="assert", cpu_s=2.0)
    assert run.status is status


def test_failed_assertion_says_which(sandbox_held):
    """A bare assertion's message is its own source; no line of the candidate is blamed."""
    (run,) = sandbox_held.run("def f(a): return 2", "x = 1\nassert f(1) == 1", mode="assert")
    assert (run.failure.type, run.failure.message, run.failure.line) == (
        "AssertionError",
        "assert f(1) == 1",
        None,
    )


def test_stop_on_failure(sandbox_held):
    """With `stop_on_failure` the first failure ends the list; without it every input is run."""
    code = "print(1 // int(input()))"
    assert [run.status.value for run in sandbox_held.run(code, *"1101", stop=True)] == ["OK", "OK", "RE"]
    assert [run.status.value for run in sandbox_held.run(code, *"1101")] == ["OK", "OK", "RE", "OK"]
    assert [run.status.value for run in sandbox_held.run("(", *"1101", stop=True)] == ["CE"]
    assert [run.status.value for run in sandbox_held.run("(", *"1101")] == ["CE"] * 4


def test_long_batches_and_large_inputs(sandbox_held):
    """Inputs and outputs larger than every buffer on the way, in order."""
    texts = [f"{place} " + "x" * (place * 70_000) for place in range(12)]
    runs = sandbox_held.run("import sys; sys.stdout.write(sys.stdin.read())", *texts)
    assert [run.stdout for run in runs] == texts
    many = sandbox_held.run("print(input())", *map(str, range(300)))
    assert [run.stdout for run in many] == [f"{place}\n" for place in range(300)]
    cut = sandbox_held.run("1 / 0", *texts, stop=True)
    assert [run.status for run in cut] == [Status.RE]
