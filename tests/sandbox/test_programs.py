"""Programs that are right and unusual: each must run as it does under the plain interpreter."""

from __future__ import annotations

import subprocess
import sys

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
    "stdout taken apart": """
import sys, io
sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")
sys.stdout.write(input() + "\\n")
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
    "two threads with stacks beyond the memory limit": """
import threading
threading.stack_size(700 << 20)
threads = [threading.Thread(target=lambda: None) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(input())
""",
    "no limit of the stack": """
import resource
resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(input())
""",
    "asyncio": """
import asyncio
async def read():
    await asyncio.sleep(0.001)
    return input()
print(asyncio.run(read()))
""",
    "streams by mode": """
import os, sys
from io import BytesIO, IOBase
class Fast(IOBase):
    def __init__(self, file):
        self.fd = file.fileno()
        self.buffer = BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
        self.write = self.buffer.write if self.writable else None
    def read(self): return os.read(self.fd, max(os.fstat(self.fd).st_size, 8192))
    def flush(self):
        if self.writable:
            os.write(self.fd, self.buffer.getvalue())
            self.buffer.truncate(0), self.buffer.seek(0)
out = Fast(sys.stdout)
out.write(Fast(sys.stdin).read().split()[0])
""",
    "devices": """
for name in ("/dev/stdin", "/dev/fd/0"):
    with open(name) as file: word = file.readline().strip()
print("told", file=open("/dev/stderr", "w"))
print(word, file=open("/dev/stdout", "w"))
""",
    "output of a destructor": """
class A:
    def __del__(self): print(self.word)
a = A(); a.word = input()
""",
    "output of a destructor in a circle": """
class A:
    def __del__(self): print(self.word)
def keep(): return a
a = A(); a.word = input(); a.me = a
""",
    "output of a generator that is left": """
def words():
    try: yield input()
    finally: print(word)
kept = words(); word = next(kept)
""",
    "streams closed": "import sys; print(input()); sys.stdin.close(); sys.stdout.close()",
    "byte order mark": "\ufeffprint(input())",
    "coding line": "# -*- coding: latin-1 -*-\né = input()\nprint(é)",
    "temporary files": """
import os, tempfile
with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("w+") as file:
    file.write(input()); file.seek(0)
    with open(os.path.join(folder, "copy"), "w") as copy: copy.write(file.read())
    with open(os.path.join(folder, "copy")) as copy: print(copy.read())
""",
    "a file beside it": "open('out.txt', 'w').write(input()); print(open('out.txt').read())",
    "no asyncio": "import string, random; random.random(); print(input())",
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


def test_the_streams_are_those_of_plain_python(sandbox_held):
    """What a program can ask its streams for is what `python3 program.py < input > output` tells."""
    code = """
import sys
for stream in (sys.stdin, sys.stdout, sys.stderr):
    raw = stream.buffer.raw
    print(stream, stream.mode, stream.errors, stream.line_buffering, stream.isatty(), stream.buffer, raw)
    print(stream is getattr(sys, f"__{stream.name[1:-1]}__"), stream.newlines, stream.write_through)
"""
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    files = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    plain = subprocess.run([sys.executable, "-c", code], env=environment, text=True, check=True, **files)
    (run,) = sandbox_held.run(code)
    assert run.stdout == plain.stdout


_ENDS = {
    "a descriptor closed by what is destroyed": (
        "out = open(1, 'wb', 0)\nout.write(b'first')\ndef g():\n try: yield\n finally: print('lost')\n"
        "x = g(); next(x)"
    ),
    "two buffers": (
        "import io, os, sys\nkept, sys.stdout = sys.stdout, io.StringIO()\nkept.write('second')\n"
        "class Own(io.RawIOBase):\n def writable(self): return True\n"
        " def flush(self):\n  if not self.closed: os.write(1, b'first')\nown = Own()"
    ),
    "a stream that cannot be written": "import os\nprint(1)\nos.close(1)",
    "no stream": "import sys\nprint(1)\nsys.stdout = None",
    "private names first": (
        "class A:\n def __init__(self, n): self.n = n\n def __del__(self): print(self.n)\n"
        "import sys\nlast, _first = A(2), A(1)\nsys.kept = sys.modules['__main__']"
    ),
}


@pytest.mark.parametrize("code", _ENDS.values(), ids=_ENDS)
def test_the_end_is_that_of_plain_python(sandbox_held, tmp_path, code):
    """What is written when the program ends, in which order, and with which exit status."""
    with (tmp_path / "out").open("wb") as out:
        files = {"stdout": out, "stderr": subprocess.DEVNULL}
        plain = subprocess.run([sys.executable, "-c", code], env={"LC_ALL": "C.UTF-8"}, check=False, **files)
    for inputs in ((), ("", "")):
        run = sandbox_held.run(code, *inputs)[0]
        assert run.stdout == (tmp_path / "out").read_text()
        status = int(run.failure.type.removeprefix("exit status ")) if run.failure else 0
        assert status == plain.returncode


@pytest.mark.parametrize(("digits", "status"), [(None, Status.RE), (5000, Status.OK), (0, Status.OK)])
def test_the_longest_integer_is_a_limit(sandbox_held, digits, status):
    """4,300 digits are Python's own limit of what becomes text; a problem may set another."""
    (run, alone) = (
        sandbox_held.run("print(10 ** int(input()))", *inputs, int_digits=digits)[0]
        for inputs in (("4500", "1"), ("4500",))
    )
    assert (run.status, alone.status) == (status, status)
    (long,) = sandbox_held.run("print(10 ** 6000)", int_digits=digits)
    assert long.status is (Status.OK if digits == 0 else Status.RE)


def test_limits_beyond_all_sense_are_limits(sandbox_held):
    """A time or memory limit that no clock and no machine has is the largest that they have."""
    (run,) = sandbox_held.run("print(1)", cpu_s=1e9, wall_s=1e12, memory_mb=1 << 50)
    assert (run.status, run.stdout) == (Status.OK, "1\n")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import mmap; a = mmap.mmap(-1, 1 << 30); print(1)", Status.OK),
        ("import mmap; a = mmap.mmap(-1, 1 << 30); a.write(bytes(1 << 29)); print(1)", Status.MLE),
        ("a = bytearray(b'x' * (1 << 30)); print(1)", Status.MLE),
        ("a = bytearray(1 << 40)", Status.MLE),
        ("import time\na = bytearray(b'x' * (300 << 20))\ntime.sleep(50)", Status.MLE),
    ],
    ids=["reserved", "used", "filled", "more than there is", "kept"],
)
def test_memory_counts_when_it_is_used(sandbox_held, code, status):
    """What is reserved only is no memory; what is used beyond the limit ends the run, and at once."""
    for inputs in ((), ("", "")):
        run = sandbox_held.run(code, *inputs, memory_mb=256, cpu_s=10, wall_s=60)[0]
        assert run.status is status, run
        assert run.wall_s < 30


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
