"""Programs that are right and unusual: each must run as it does under the plain interpreter."""

from __future__ import annotations

import pytest

from sstar_code.sandbox import Status

_PROGRAMS = {
    "thread with a large stack": """
import sys, threading
sys.setrecursionlimit(1 << 20)
threading.stack_size(128 << 20)
def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
thread = threading.Thread(target=lambda: print(depth(50_000)))
thread.start(); thread.join()
""",
    "thread with a very large stack": """
import sys, threading
sys.setrecursionlimit(1 << 20)
threading.stack_size(512 << 20)
thread = threading.Thread(target=lambda: print(50_000))
thread.start()
""",
    "deep recursion": """
import sys
sys.setrecursionlimit(1 << 20)
def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
print(depth(50_000))
""",
    "bytes of stdin": "import sys; print(sys.stdin.buffer.read().decode().split()[0])",
    "bytes of stdout": "import sys; sys.stdout.buffer.write(sys.stdin.buffer.readline())",
    "open(0)": "print(open(0).read().split()[0])",
    "open(1)": "f = open(1, 'w'); f.write(input() + '\\n')",
    "os.read": "import os; os.write(1, os.read(0, 5) + b'\\n')",
    "input to its end": """
words = []
try:
    while True: words.append(input())
except EOFError: print(words[0])
""",
    "iterating stdin": "import sys\nfor line in sys.stdin: print(line.strip()); break",
    "fast io": """
import sys, io, os, atexit
sys.stdin = io.BytesIO(os.read(0, os.fstat(0).st_size))
sys.stdout = io.StringIO()
atexit.register(lambda: os.write(1, sys.stdout.getvalue().encode()))
input = lambda: sys.stdin.readline().decode().rstrip()
print(input())
""",
    "exit handler": "import atexit; atexit.register(print, input())",
    "thread that outlives the main one": """
import threading, time
threading.Thread(target=lambda: (time.sleep(0.2), print(50_000))).start()
""",
    "main block": 'if __name__ == "__main__":\n print(input())',
    "main in sys.modules": "import sys; a = input(); print(sys.modules['__main__'].a)",
    "pickle": """
import pickle
class A:
    def __init__(self, x): self.x = x
print(pickle.loads(pickle.dumps(A(input()))).x)
""",
    "dataclass": """
from __future__ import annotations
from dataclasses import dataclass, field
@dataclass(order=True)
class Item:
    cost: int
    path: list[int] = field(default_factory=list)
print(min(Item(int(input())), Item(10**9)).cost)
""",
    "arguments": "import sys; assert len(sys.argv) == 1; print(input())",
    "exit in a function": "import sys\ndef main():\n print(input()); sys.exit()\nmain()",
    "exec": "exec('print(input())')",
    "decimal, fractions, datetime": "import decimal, fractions, datetime; print(input())",
    "lazy import": "def f():\n import statistics, difflib\n return input()\nprint(f())",
    "asyncio free": "import string, random; random.random(); print(input())",
    "signals to itself": """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: print(input()))
os.kill(os.getpid(), signal.SIGUSR1)
""",
    "raised limits": """
import resource, sys
resource.setrlimit(resource.RLIMIT_STACK, (1 << 26, resource.getrlimit(resource.RLIMIT_STACK)[1]))
print(input())
""",
    "output then flush": "print(input(), flush=True)",
    "stderr": "import sys; print('x', file=sys.stderr); print(input())",
    "assert": "assert True; print(input())",
    "walrus and match": "match (x := input()):\n case _: print(x)",
}


@pytest.mark.parametrize("code", _PROGRAMS.values(), ids=_PROGRAMS)
def test_legitimate_program(sandbox_held, code):
    """It prints the first word of its input and ends well."""
    (run,) = sandbox_held.run(code, "50000\nrest\n", memory_mb=1024)
    assert (run.status, run.stdout.strip()) == (Status.OK, "50000"), run


def test_megabytes_of_input(sandbox_held):
    """Four megabytes go in and out."""
    text = "1234567 " * (1 << 19)
    (run,) = sandbox_held.run("print(sum(map(int, input().split())))", text)
    assert (run.status, run.stdout) == (Status.OK, f"{1234567 << 19}\n")


def test_a_carriage_return_stays_in_the_input(sandbox_held):
    """As under the plain interpreter on Linux: `input` and `sys.stdin` keep it, `open(0)` does not."""
    (run,) = sandbox_held.run("import sys; print(repr(input()), repr(sys.stdin.read()))", "a\r\nb\r\n")
    assert (run.status, run.stdout) == (Status.OK, "'a\\r' 'b\\r\\n'\n")
    (run,) = sandbox_held.run("print(repr(open(0).read()))", "a\r\nb\r\n")
    assert (run.status, run.stdout) == (Status.OK, "'a\\nb\\n'\n")


def test_undecodable_output_stays_distinguishable(sandbox_held):
    """Bytes that are not UTF-8 come back escaped."""
    (run,) = sandbox_held.run("import os; os.write(1, b'\\xff\\xfe ok')")
    assert (run.status, run.stdout) == (Status.OK, "\\xff\\xfe ok")


def test_lone_surrogate_is_the_programs_error(sandbox_held):
    """As under the plain interpreter."""
    (run,) = sandbox_held.run("print(chr(0xD800))")
    assert (run.status, run.failure.type) == (Status.RE, "UnicodeEncodeError")


def test_runs_are_reproducible(sandbox_held):
    """Hash order and random numbers are the same in every run, also on another worker."""
    code = "import random; print(hash('x'), list({'a', 'b', 'c', 'd'}), random.random())"
    first = sandbox_held.run(code, *["x"] * 3)
    assert len({run.stdout for run in first}) == 1


def test_environment_is_ours(sandbox_held, monkeypatch):
    """Nothing of this process's environment is seen."""
    (run,) = sandbox_held.run("import os, time; print(sorted(os.environ), time.tzname[0])")
    assert "SECRET" not in run.stdout
    assert "PYTEST" not in run.stdout
    assert "UTC" in run.stdout


def test_missing_fork_is_said_clearly(sandbox_held):
    """A program that starts processes gets an error that names it."""
    (run,) = sandbox_held.run("import os; os.fork()")
    assert (run.status, run.failure.type, run.failure.line) == (Status.RE, "PermissionError", 1)


def test_traceback_shows_the_candidates_frames_alone(sandbox_held):
    """Standard error looks as if the program had been started plainly."""
    (run,) = sandbox_held.run("def f():\n 1 / 0\nf()")
    assert run.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert 'File "solution.py", line 3' in run.stderr
    assert "driver" not in run.stderr
