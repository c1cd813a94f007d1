"""What becomes of C++ programs, told as of Python's."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from sstar_code.sandbox import Program, SandboxError, Status
from sstar_code.sandbox.languages.table import find_language
from tests.sandbox.languages.programs import ALL, BROKEN, FAILING, IO, RIGHT
from tests.support import list_children

_LIMITS = {"cpu_s": 1.0, "wall_s": 60.0, "memory_mb": 256, "output_kb": 256}
_QUICK = ("sum", "vector", "thread", "bytes", "null", "busy", "memory", "bad_alloc", "output", "assert",
          "syntax", "undefined", "header")  # fmt: skip
"""Those that both sandboxes run in the quick suite; the rest of Docker's is slow."""


def _cases(table):
    return [
        pytest.param(
            where, name, id=f"{name}-{where}",
            marks=[pytest.mark.docker, *([] if name in _QUICK else [pytest.mark.slow])]
            if where == "docker" else [],
        )
        for where in ("local", "docker") for name in table
    ]  # fmt: skip


def _run(request, where, code, *inputs, **more):
    held = request.getfixturevalue(f"cpp_{where}")
    return held.run(Program(code, language="cpp"), *inputs, **_LIMITS | more)


@pytest.mark.parametrize(("where", "name"), _cases(RIGHT))
def test_right_program(request, where, name):
    """It ends well and its output is what plain g++ gives."""
    (code, text, output) = RIGHT[name]
    (run,) = _run(request, where, code, text, memory_mb=1024)
    assert (run.status, run.stdout, run.failure) == (Status.OK, output, None), run


@pytest.mark.parametrize(("where", "name"), _cases(FAILING))
def test_failing_program(request, where, name):
    """Each way to fail has its verdict and its name."""
    (code, status, failure) = FAILING[name]
    more = {"wall_s": 1.0} if status is Status.TLE and failure and name != "busy" else {}
    (run,) = _run(request, where, code, "", **more)
    assert run.failure is not None
    if status is None:
        assert run.status in {Status.CE, Status.MLE}, run
    else:
        assert (run.status, run.failure.type) == (status, failure), run


@pytest.mark.parametrize(("where", "name"), _cases(BROKEN))
def test_broken_program(request, where, name):
    """What does not compile is told by the compiler's first errors, in few lines."""
    (code, line, part) = BROKEN[name]
    (run, again) = _run(request, where, code, "", "")
    assert run == again
    assert (run.status, run.failure.type) == (Status.CE, "CompileError"), run
    assert part in run.failure.message
    assert len(run.failure.message) < 500
    if line is not None:
        assert run.failure.line == line
        assert run.failure.message.startswith(f"line {line}: ")


def test_uncaught_exception_says_what(cpp_local):
    """A model that repairs is told the exception, not the signal alone; so is an assertion with its line."""
    code = (
        ALL + 'int main() { string s; cin >> s; if (s == "a") throw runtime_error("why"); assert(s == "b"); }'
    )
    (thrown, asserted, fine) = cpp_local.run(Program(code, language="cpp"), "a", "c", "b", **_LIMITS)
    assert thrown.failure.message == "std::runtime_error: why"
    assert (asserted.failure.message, asserted.failure.line) == ('assertion failed: s == "b"', 3)
    assert fine.status is Status.OK


def test_standards_differ(cpp_local):
    """C++20 compiles what C++17 does not."""
    code = "#include <concepts>\nint main() { std::integral auto x = 0; return x; }"
    (run,) = cpp_local.run(Program(code, language="cpp20"), "", **_LIMITS)
    assert run.status is Status.OK


def test_many_inputs_one_compile(cpp_local):
    """Every input meets a fresh process, and the program is compiled once, for a later request too."""
    code = IO + 'int n;\nint main() { int x; scanf("%d", &x); n += x; printf("%d", n); }'
    inputs = [str(number) for number in range(50)]
    for _ in range(2):
        runs = cpp_local.run(Program(code, language="cpp"), *inputs, **_LIMITS)
        assert [run.stdout for run in runs] == inputs


def test_a_kept_program_is_not_compiled_again(cpp_local):
    """Later requests start far sooner than a compilation could: the CPU time of the worker tells.

    A process that has ended may be counted a request late, so all are added up.
    """
    code = ALL + 'int main() { puts("kept"); }'

    def spend():
        before = _children_cpu_s(cpp_local)
        (run,) = cpp_local.run(Program(code, language="cpp"), "", **_LIMITS)
        assert run.stdout == "kept\n"
        return _children_cpu_s(cpp_local) - before

    spent_s = [spend() for _ in range(7)]
    assert sum(spent_s) < 2 * max(spent_s), spent_s


def _children_cpu_s(held):
    """CPU time of what the worker's processes started and have seen end."""
    (conversation,) = held.sandbox._open
    pid = conversation.worker._process.pid
    total, waiting = 0.0, [pid]
    while waiting:
        here = waiting.pop()
        waiting += list_children(here)
        with suppress(OSError):  # it has ended meanwhile, and counts for its parent
            fields = Path(f"/proc/{here}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(value) for value in fields[13:15])
    return total


def test_python_beside_cpp(cpp_sandbox):
    """One sandbox runs both; a Python program has what it has elsewhere, and still no way to start a file."""
    (run,) = cpp_sandbox.run("print(int(input()) + 1)", "1")
    assert run.stdout == "2\n"
    code = "import os\ntry: os.execve('/usr/bin/as', ['as'], {})\nexcept OSError as e: print(e.errno)"
    assert cpp_sandbox.run(code, "")[0].stdout == "1\n"


def test_sandbox_without_the_language(sandbox_held):
    """A sandbox that was opened for Python says that it has no C++, and takes no other verdict for it."""
    with pytest.raises(SandboxError, match="was opened without cpp17"):
        sandbox_held.run(Program("int main() {}", language="cpp"), "")


def test_names():
    """`cpp` is C++17 to every cache; an unknown language and a function of C++ are refused."""
    assert Program("", language="cpp") == Program("", language="cpp17")
    assert find_language("C++20").name == "cpp20"
    with pytest.raises(ValueError, match="unknown language 'rust'"):
        Program("", language="rust")
    with pytest.raises(ValueError, match="reads standard input"):
        Program("", "call", "f", language="cpp")
