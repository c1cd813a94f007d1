"""Forged verdicts: programs that solve nothing, on assert-style tests of every form, on every backend."""

from __future__ import annotations

import gzip
import json

import pytest

from benchmarks.recorded.forgeries import FORGERIES, is_accepted, write_forgery
from sstar_code.problems import Kind, Problem, Test, load_set
from sstar_code.sandbox import Mode, Program, Status
from sstar_code.sandbox.grade import run_tests

_PROMPT = 'from typing import List\n\n\ndef Total(xs: List[float]) -> float:\n    """The sum of xs."""\n'
_BODY = "    return sum(xs) + 0\n"
_CHECK = (
    "import math\ndef check(candidate):\n    assert candidate([1, 2, 3.5]) == 6.5\n"
    "    assert abs(candidate([2, 5]) - 7) < 1e-6\n    assert math.isclose(candidate([4]), 4.0)\n"
)
_HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": _PROMPT,
    "entry_point": "Total",
    "canonical_solution": _BODY,
    "test": _CHECK,
}
_MBPP = {
    "task_id": 900,
    "text": "Sum the numbers of a list.",
    "code": "import sys\ndef Total(xs):\n    return sum(xs)",
    "test_list": ["assert Total(xs) == 6 + int(sys.maxsize > 9)", "assert 3 <= Total([1, 2]) <= 3"],
    "test_setup_code": "xs = [1, 2, 4]",
}
_PLUS = {
    "task_id": "Mbpp/900",
    "prompt": '"""\nSum the numbers of a list.\nassert Total([1, 2]) == 3\n"""\n',
    "entry_point": "Total",
    "canonical_solution": "def Total(xs):\n    return sum(xs)\n",
    "assertion": "assert Total([1, 2]) == 3",
    "plus_input": [[[5, 6]], [[7]], [[3, 4, 5]]],
    "base_input": [[[1, 2]]],
    "atol": 0,
}
_RIGHT = "def Total(xs):\n    return sum(xs)\n"


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    """A problem of each published form, and one whose tests are unittest's and a bare program."""
    folder = tmp_path_factory.mktemp("sets")
    plus = {**_HUMANEVAL, "plus_input": [[[5, 6]], [[7.25]]], "base_input": [[[1]]], "atol": 0}
    rows = {"humaneval": _HUMANEVAL, "humaneval+": plus, "mbpp": _MBPP, "mbpp+": _PLUS}
    found = []
    for name, row in rows.items():
        path = folder / f"{name}.jsonl.gz"
        with gzip.open(path, "wt") as file:
            file.write(json.dumps(row) + "\n")
        found += load_set(f"{name}:{path}").problems
    program = (
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test_sum(self): self.assertEqual(Total([1, 2]), 3)\n"
        "    def test_order(self): self.assertAlmostEqual(Total([2.5, 1]), 3.5)\n"
        "end = unittest.main(argv=['t'], exit=False)\n"
        "assert end.result.wasSuccessful() and end.result.testsRun == 2 and not end.result.skipped"
    )
    return [
        *found,
        Problem("own", "Sum.", Kind.FUNCTION, entry_point="Total", hidden_tests=(Test(program=program),)),
    ]


def test_the_right_program_is_accepted(attacked, problems):
    """In every form, so that what follows refuses forgeries and not everything."""
    for problem in problems:
        assert attacked.call(is_accepted, attacked.sandbox, problem, _RIGHT), problem.id


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(attacked, problems, name):
    """No program that solves nothing is accepted, and none is a fault of the sandbox."""
    code = write_forgery(name, "Total")
    for problem in problems:
        tests = [test for test in problem.hidden_tests if test.program is not None]
        assert tests, problem.id
        report = attacked.call(run_tests, attacked.sandbox, problem, code, tests[:1])
        assert report.verdict not in ("AC", "IE"), (problem.id, report)


_SEARCH = """
import ctypes, os
def Total(xs):
    try: lines = open('/proc/self/maps').read().splitlines()
    except OSError: lines = []
    (reader, writer) = os.pipe()
    libc = ctypes.CDLL(None)
    libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    for line in lines:
        if ' rw' not in line: continue
        (start, end) = (int(part, 16) for part in line.split()[0].split('-'))
        while start < end:
            count = libc.write(writer, start, min(65536, end - start))
            if count <= 0:
                start += 4096; continue
            data = os.read(reader, count); start += count
            at = data.find(b'MARK')
            while at >= 0:
                if data[at + 4 : at + 12].isdigit(): print('found')
                at = data.find(b'MARK', at + 1)
    print('searched', len(lines) > 10)
    return 0
"""


def test_what_a_test_expects_is_not_in_the_candidates_memory(attacked):
    """Its whole memory is searched while it is called; the test is nowhere, nor is it in its files."""
    test = "seen = Total([1])\nassert seen == 'MARK12345678'"
    (run,) = attacked.run(Program(_SEARCH, Mode.ASSERT, "Total"), test, cpu_s=20.0)
    assert (run.status, run.failure.type) == (Status.RE, "AssertionError")
    assert run.stdout in ("searched True\n", "searched False\n")


_CHANGES = """
import sys
peer = sys.modules['sstar_code.sandbox.inside.asserting.peer']
send = peer.Peer.send
peer.Peer.send = lambda self, head, body: send(self, head, [body[0], [[[0]]] * 64])
def Total(xs): return 0
"""


def test_a_candidate_chooses_no_inputs_of_the_reference(attacked, problems):
    """Its answer to many calls cannot change the inputs on which the reference is then called."""
    for problem in problems:
        if problem.id in ("HumanEval/900", "Mbpp/900"):
            test = problem.hidden_tests[-1]
            report = attacked.call(run_tests, attacked.sandbox, problem, _CHANGES, [test])
            assert report.verdict not in ("AC", "IE"), report


def test_a_result_tells_nothing_about_itself(attacked):
    """Neither what it equals nor what it holds, and it does not see what it is compared with."""
    code = write_forgery("equal to everything", "f")
    for test in (
        "assert f() == 3",
        "assert 3 in f()",
        "assert abs(f() - 3) < 1",
        "assert f() > 2",
        "assert 3 - f() == 0",
    ):
        (run,) = attacked.run(Program(code, Mode.ASSERT, "f"), test)
        assert run.status is Status.RE, test


def test_leaving_a_with_block_hides_no_failure(attacked):
    """An object of the candidate's handles other exceptions of the test, not its failed assertions."""
    code = (
        "class Block:\n    def __enter__(self): return self\n    def __exit__(self, kind, *_): return True\n"
        "    def get(self): return 2"
    )
    tests = ["with Block() as b: assert b.get() == 1", "with Block() as b: raise ValueError"]
    runs = attacked.run(Program(code, Mode.ASSERT), *tests)
    assert [run.status for run in runs] == [Status.RE, Status.OK]


def test_a_loop_over_calls_does_not_end_early(attacked):
    """StopIteration out of a call would end a `map` as if there were no more."""
    test = "for got, want in zip(map(f, [1, 2]), [1, 2]): assert got == want"
    (run,) = attacked.run(Program("def f(x): raise StopIteration", Mode.ASSERT, "f"), test)
    assert (run.status, run.failure.type) == (Status.RE, "RuntimeError")


_ENDS_A_LOOP = {
    "a class": ("class C:\n    def __init__(self): raise StopIteration", "C().get(n) == n + 9"),
    "an attribute": (
        "class C:\n    @property\n    def value(self): raise StopIteration",
        "C().value == n + 9",
    ),
    "an item": ("class C:\n    def __getitem__(self, n): raise StopIteration", "C()[n] == n + 9"),
    "a name": (
        """import sstar_code.sandbox.inside.asserting.candidate as here
def stop(*_): raise StopIteration
here._Answering._look_up = stop""",
        "f(n) == n + 9",
    ),
}
"""What a program raises StopIteration for, and what a test says of each number of a list."""


@pytest.mark.parametrize("what", _ENDS_A_LOOP)
def test_nothing_that_is_asked_ends_a_loop_of_the_test_early(attacked, what):
    """`all(map(...))` is true of no items: a StopIteration of the program's must not leave it with none."""
    (code, said) = _ENDS_A_LOOP[what]
    (run,) = attacked.run(Program(code, Mode.ASSERT, "f"), f"assert all(map(lambda n: {said}, [1, 2]))")
    assert (run.status, run.failure.type) == (Status.RE, "RuntimeError")


def test_a_candidate_does_not_say_which_names_a_test_imports(attacked):
    """`from solution import *` with a list of names would put the program's own in the place of Python's."""
    code = (
        "__all__ = ['f', 'math', 'sorted']\ndef f(n): return 0\nsorted = lambda seen: [1, 2, 3]\n"
        "class math:\n    isclose = staticmethod(lambda *seen: True)"
    )
    tests = ["import math", "from solution import *", "assert {}"]
    for said in ("math.isclose(f(1), 12345.5)", "sorted([f(1)]) == [1, 2, 3]"):
        (run,) = attacked.run(Program(code, Mode.ASSERT, "f"), "\n".join(tests).format(said))
        assert (run.status, run.failure.type) == (Status.RE, "AssertionError")
