"""The lines that lead to a wrong value, found by running programs, and the cuts that follow from them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sstar_code.agent.generation.prefix import Prefix
from sstar_code.agent.strategies.backtracking.rollback import list_cuts
from sstar_code.agent.strategies.backtracking.trace import find_difference, trace_failure
from sstar_code.problems import Kind, Problem, Test
from sstar_code.sandbox import Execution, Mode, Status
from sstar_code.sandbox.fake import FakeSandbox

pytestmark = pytest.mark.anyio


def execute(program, text):
    """What a harmless program of these tests does; calls are made by hand, with one argument a line."""
    code = program.code
    if program.mode is Mode.CALL:
        arguments = ", ".join(text.splitlines())
        code += f"\nimport json, sys\nsys.stdout.write(json.dumps({program.entry_point}({arguments})))\n"
    done = subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return Execution(Status.RE, stdout=done.stdout)
    return Execution(Status.OK, result=done.stdout) if program.mode is Mode.CALL else done.stdout


async def trace(code, text, output, **more):
    """The last executed lines for one public test."""
    problem = Problem("p", "Sum.", **{"kind": Kind.STDIN, **more}, public_tests=(Test(text, output),))
    return await trace_failure(problem, code, FakeSandbox(execute))


PRINTS = """\
import sys
numbers = list(map(int, sys.stdin.read().split()))
total = 0
for number in numbers[1:]:
    total += number
    print("so far", total)
print(total)
print("end")
"""


@pytest.mark.parametrize(
    ("output", "last"),
    [
        ("so far 2\nso far 5\n0\nend\n", 7),  # the sum is the first wrong word
        ("so far 3\n", 6),
        ("so far 2\nso far 5\n5\nend\nmore", 8),  # a word is missing
    ],
)
async def test_the_line_that_wrote_the_first_wrong_word_is_last(output, last):
    """And what ran later than the wrong word is not among those executed before it."""
    lines = await trace(PRINTS, "1 2 3", output)
    assert lines[-1] == last
    assert (8 in lines) == (last == 8)


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nx = 1\nsys.stdout.buffer.write(b'no')\n",
        "import threading\nt = threading.Thread(target=lambda: [print('no')])\nt.start()\n",
        "x = 1\nfrom sys import exit\nexit(print('no'))\n",
    ],
)
async def test_other_ways_to_print_are_seen(code):
    """Bytes, a thread, and a program that ends itself."""
    lines = await trace(code, "", "yes")
    assert lines
    assert list_cuts(code, lines)[0] == lines[-1]


FUNCTION = """\
def add(a, b):
    if a < 0:
        return add(-a, b)
    total = a - b
    return total
"""


async def test_the_return_of_a_function_is_last():
    """Its calls of itself are part of the one run."""
    more = {"kind": Kind.FUNCTION, "entry_point": "add"}
    assert await trace(FUNCTION, "1\n2", "3", **more) == [2, 4, 5]
    assert await trace(FUNCTION, "-1\n2", "1", **more) == [3, 2, 4, 5]


async def test_an_endless_run_is_ended():
    """The lines of the loop are the last."""
    endless = Execution(Status.TLE)
    problem = Problem("p", "Loop.", Kind.STDIN, public_tests=(Test("", "1"),))
    code = "x = 0\nwhile True:\n    x += 1\n"
    sandbox = FakeSandbox(lambda program, text: endless if program.code == code else execute(program, text))
    assert set((await trace_failure(problem, code, sandbox))[-2:]) == {2, 3}


@pytest.mark.parametrize(
    "said", ["", "[]", '{"writes": 3}', '{"writes": [[1, ["x", 99]]], "end": [true, 99]}', "null"]
)
async def test_what_is_no_report_is_not_believed(said):
    """A program may print what it likes; then all its lines count as executed."""
    sandbox = FakeSandbox(lambda *_: said or "wrong")
    problem = Problem("p", "Sum.", Kind.STDIN, public_tests=(Test("", "1"),))
    lines = await trace_failure(problem, "a = 1\nb = 2\n", sandbox)
    assert lines in ([1, 2], [1])


def test_cuts_follow_the_slice_upwards():
    """From the statement that gave the wrong value to those that it rests on; each above the one before."""
    code = "a = int(input())\nb = 7\nc = a * 2\nlog = []\nlog.append(c)\nd = c + 1\nprint(d)\n"
    assert list_cuts(code, [1, 2, 3, 4, 5, 6, 7]) == [6, 3, 1]
    assert list_cuts("x = [3]\nx[0] += 1\ny = 5\nreturned = x\nprint(*returned, 1)", [1, 2, 3, 4, 5]) == [
        4,
        2,
        1,
    ]


def test_a_line_that_works_something_out_is_itself_cut():
    """A print of names is passed over; a return of an expression, and a failing line, are not."""
    assert list_cuts("x = [1]\nprint(' '.join(map(str, x)), f'{x}')\n", [1, 2]) == [1]
    assert list_cuts("import sys\nx = 1\nsys.stdout.write(str(x) + '\\n')\n", [1, 2, 3]) == [2, 1]
    assert list_cuts("x = 1\nprint('yes' if x else 'no')\n", [1, 2]) == [2, 1]
    assert list_cuts("x = 1\nprint(x + 1)\n", [1, 2]) == [2, 1]
    assert list_cuts(FUNCTION, [2, 4, 5])[0] == 4
    assert list_cuts(FUNCTION, [2, 3])[0] == 3


def test_the_header_of_a_loop_stands_for_itself():
    """Not for what is inside it."""
    code = "s = 0\nfor k in range(3):\n    t = k\n    s += t\nprint(s)\n"
    assert list_cuts(code, [1, 2, 3, 4, 5])[:2] == [4, 3]
    assert list_cuts(code, [1, 3, 4, 2, 5]) == [4, 3, 2, 1]


def test_what_does_not_parse_is_cut_line_by_line():
    """From the line that is at fault upwards."""
    assert list_cuts("a = 1\n\nb = (\nc = 3\n", [1, 2, 3]) == [3, 1]
    assert list_cuts("", []) == [1]


@pytest.mark.parametrize(
    ("got", "expected", "place"),
    [("1 2 3", "1 9 3", 2), ("11 1", "11 2", 3), ("1", "1 2", 1), ("1 2", "1", 2), ("", "1", 0)],
)
def test_the_first_wrong_word(got, expected, place):
    """By words, as outputs are compared."""
    assert find_difference(got, expected) == place


@pytest.mark.parametrize(
    ("code", "more", "lines"),
    [
        ("n = int(input())\nwhile n:\n    n -= 1\nprint(n)\n", {}, [1, 3, 2, 4]),
        (
            "class Solution:\n    def add(self, a: int) -> int:\n        b = a\n        return b\n",
            {"kind": Kind.FUNCTION, "entry_point": "Solution.add"},
            [3, 4],
        ),
        ("class Solution:\n    def add(self, a):\n        return missing\n",
         {"kind": Kind.FUNCTION, "entry_point": "Solution.add"}, [3]),
    ],
)  # fmt: skip
def test_programs_are_traced_in_the_sandbox(sandbox_local, code, more, lines):
    """As they are run there: with standard input, or by calling what they define."""
    problem = Problem("p", "Add.", **{"kind": Kind.STDIN, **more}, public_tests=(Test("2", "9"),))
    assert sandbox_local.call(trace_failure, problem, code, sandbox_local.sandbox) == lines


async def test_lines_are_those_of_python():
    """A form feed or a separator inside a text ends no line."""
    code = "mark = 'a\u2028b'\ntext = '\x0c'\nprint(len(text) + 1)\n"
    lines = await trace(code, "", "1")
    assert lines == [1, 2, 3]
    assert Prefix.of(code, list_cuts(code, lines)[0]).lines == "mark = 'a\u2028b'\ntext = '\x0c'"
