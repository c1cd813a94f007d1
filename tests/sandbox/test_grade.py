"""How a candidate becomes a program, in which batches it runs, and what its runs are judged to be."""

from __future__ import annotations

import json

import pytest

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.checkers import longest_right
from sstar_code.sandbox import Execution, Failure, Limits, Mode, Program, Status, Verdict
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.sandbox.grade import (
    CHECKER_AT_FAULT,
    Report,
    TestResult,
    assemble,
    limits_for,
    program_for,
    run_tests,
)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def f(a): return a", Verdict.AC),
        ("def f(a): return a + 1", Verdict.WA),
        ("def f(a): return 1 // 0", Verdict.RE),
        ("def f(a): assert False", Verdict.RE),
        ("def g(a): return a", Verdict.CE),
        ("def f(a): return g(a)", Verdict.RE),
        ("def f(a): return (", Verdict.CE),
        ("import sys\ndef f(a): sys.exit(0)", Verdict.RE),
    ],
)
def test_assertion_that_fails_is_wa(sandbox_held, code, verdict):
    """Only the test's own assertion says that the answer is wrong."""
    problem = Problem("p", "", Kind.FUNCTION, entry_point="f")
    test = Test(program="def check(c):\n    assert c(1) == 1\ncheck(f)")
    report = sandbox_held.call(run_tests, sandbox_held.sandbox, problem, code, [test])
    assert report.verdict is verdict


STARTER = "import math\ndef helper(): return 1\ndef f(a):\n    "


def _function(entry_point="f", starter=STARTER):
    return Problem("p", "", Kind.FUNCTION, entry_point=entry_point, starter_code=starter)


@pytest.mark.parametrize(
    "code",
    [
        "def f(a): return a",
        "async def f(a): return a",
        "class f: pass",
        "f = lambda a: a",
        "g = f = abs",
        "from math import sqrt as f",
        "import f",
        "def g(): pass\ndef f(a): return g()",
        "def f(a: return a",  # it does not compile, and shows what it meant
        "class f(: pass",
    ],
)
def test_a_candidate_that_defines_the_entry_point_stands_alone(code):
    """However it is defined at the top level, the starter code stays out."""
    assert assemble(_function(), code) == code


@pytest.mark.parametrize("code", ["return a", "    return a", "("])
def test_starter_code_stands_before_a_body(code):
    """HumanEval's candidates are often the body alone."""
    assert assemble(_function(), code) == f"{STARTER.rstrip()}\n{code}"


@pytest.mark.parametrize(
    "code",
    ["", "def g(a): return a", "g = 1", "from math import f as g", "if 1:\n def f(): 0", "class Solution: 0"],
)
def test_before_a_whole_program_goes_what_comes_before_the_open_entry_point(code):
    """It is no body: what it lacks is to be missing, and what the starter code has is to be there."""
    assert assemble(_function(), code) == f"import math\ndef helper(): return 1\n{code}"
    written = "def f(a): return helper(a)"
    assert assemble(_function(starter=written), code) == f"{written}\n{code}"


def test_of_a_method_the_class_counts():
    """`Solution.f` is there where `Solution` is."""
    starter, candidate = "class Solution:\n    def f(self): ...", "class Solution:\n    def f(self): return 1"
    problem = _function("Solution.f", starter)
    assert assemble(problem, candidate) == candidate
    assert assemble(problem, "def f(self): return 1") == "def f(self): return 1"


def test_a_program_is_never_touched():
    """Standard input has no entry point, and without starter code nothing can stand in front."""
    assert assemble(Problem("p", "", Kind.STDIN, starter_code=STARTER), "print(1)") == "print(1)"
    assert assemble(_function(starter=""), "print(1)") == "print(1)"


def test_kind_and_test_decide_how_it_runs():
    """A program, a call or an assertion, with the problem's preamble and limits."""
    function = Problem(
        "p", "", Kind.FUNCTION, entry_point="f", preamble="import math", time_limit_s=2.5, memory_limit_mb=99
    )
    stdin = Problem("p", "", Kind.STDIN)
    plain, asserting = Test("1", "1"), Test(program="assert f(1)")
    assert program_for(function, "x", plain) == Program("x", Mode.CALL, "f", "import math")
    assert program_for(function, "x") == program_for(function, "x", plain)
    assert program_for(function, "x", asserting) == Program("x", Mode.ASSERT, "f", "import math")
    assert program_for(stdin, "x", plain) == Program("x", Mode.MAIN)
    assert program_for(stdin, "x", asserting) == Program("x", Mode.ASSERT)
    assert limits_for(function) == Limits(cpu_s=2.5, memory_mb=99, kept_chars=65_536)


@pytest.mark.anyio
@pytest.mark.parametrize(("length", "wanted_kb"), [(5, 16 * 1024), (20 << 20, 40 * 1024)])
async def test_a_test_that_expects_much_makes_room_for_it(length, wanted_kb):
    """The limit of output is twice what is expected where that is more than the usual one."""
    given = []

    class Watched(FakeSandbox):
        async def run(self, program, inputs, limits, **more):
            given.append(limits)
            return await super().run(program, inputs, limits, **more)

    sandbox = Watched(lambda *_: "x" * length)
    problem = Problem("p", "", Kind.STDIN, int_digits=50_000)
    report = await run_tests(sandbox, problem, "", [Test("", "x" * length)])
    assert report.verdict is Verdict.AC
    kept = longest_right("x" * length)
    assert given == [Limits(output_kb=wanted_kb, int_digits=50_000, kept_chars=kept)]


@pytest.mark.anyio
async def test_the_first_failure_ends_the_grading_with_its_batch():
    """Sixteen tests are run, then thirty-two more: none behind the batch of the first failure."""
    problem, tests = Problem("p", "", Kind.STDIN), [Test(str(number), str(number)) for number in range(60)]

    async def ask(wrong, **options):
        sandbox = FakeSandbox(lambda _, text: "no" if int(text) == wrong else text)
        report = await run_tests(sandbox, problem, "x", tests, **options)
        assert report.total == 60
        return report.verdict, report.passed, len(report.results), len(sandbox.calls)

    assert await ask(3) == (Verdict.WA, 59, 60, 60)
    assert await ask(3, stop_on_failure=True) == (Verdict.WA, 15, 16, 16)
    assert await ask(16, stop_on_failure=True) == (Verdict.WA, 47, 48, 48)
    assert await ask(99, stop_on_failure=True) == (Verdict.AC, 60, 60, 60)


@pytest.mark.anyio
async def test_each_mode_runs_together_and_results_stay_in_order():
    """Assertions and inputs alternate; every result belongs to its own test."""
    problem = Problem("p", "", Kind.FUNCTION, entry_point="f")
    tests = [Test("1", "1"), Test(program="assert 2"), Test("3", "3"), Test("4")]

    def answer(program, text):
        if program.mode is Mode.ASSERT:
            return Execution(Status.RE, failure=Failure("AssertionError"))
        return Execution(Status.OK, result=text.replace("3", "0"))

    sandbox = FakeSandbox(answer)
    report = await run_tests(sandbox, problem, "x", tests)
    assert [result.test for result in report.results] == tests
    assert [str(result.verdict) for result in report.results] == ["AC", "WA", "WA", "AC"]
    assert [result.verdict for result in report.failures] == [Verdict.WA, Verdict.WA]


@pytest.mark.parametrize(
    ("verdicts", "whole"), [("", "AC"), ("AC AC", "AC"), ("AC TLE WA", "TLE"), ("WA IE", "IE"), ("CE", "CE")]
)
def test_the_whole_is_lost_or_the_first_failure(verdicts, whole):
    """IE beats all, since the candidate may have been right; otherwise the first that is not AC counts."""
    run = Execution(Status.OK)
    results = tuple(TestResult(Test(), Verdict(name), run) for name in verdicts.split())
    assert Report(results, len(results)).verdict == whole


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("failure", "verdict"),
    [
        (Failure("AssertionError"), "WA"),
        (Failure("AssertionError", line=3), "RE"),
        (Failure("KeyError"), "RE"),
    ],
)
async def test_an_assertion_of_the_candidates_own_is_a_crash(failure, verdict):
    """A failed assertion refutes an answer only where no line of the candidate raised it."""
    sandbox = FakeSandbox(lambda *_: Execution(Status.RE, failure=failure))
    report = await run_tests(sandbox, _function(), "x", [Test(program="assert f(1)")])
    assert report.verdict == verdict


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("ended", "verdict"),
    [
        (Execution(Status.OK), "AC"),
        (Execution(Status.RE, failure=Failure("exit status 1")), "WA the checker: exit status 1"),
        (Execution(Status.RE, failure=Failure("exit status 1", "no")), "WA the checker: no"),
        (
            Execution(Status.RE, stderr="a\nfar off", failure=Failure("exit status 2")),
            "WA the checker: far off",
        ),
        (Execution(Status.RE, failure=Failure("KeyError", "'a'")), "WA the checker: KeyError: 'a'"),
        (Execution(Status.CE, failure=Failure("SyntaxError")), f"IE {CHECKER_AT_FAULT}: CE: SyntaxError"),
    ],
)
async def test_a_checker_program_accepts_rejects_or_is_at_fault(ended, verdict):
    """Status 0 accepts, another or an exception rejects; any other end is said to be the checker's fault."""
    problem = Problem("p", "", Kind.STDIN, checker={"program": "check"})
    questions = []

    def answer(program, text):
        if program.code == "check":
            questions.append((json.loads(text), program.mode))
            return ended
        return "out"

    report = await run_tests(FakeSandbox(answer), problem, "x", [Test("in", "wanted")])
    assert f"{report.verdict} {report.results[0].note}".strip() == verdict
    assert questions == [({"input": "in", "expected": "wanted", "output": "out"}, Mode.MAIN)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("on_expected", "verdict"),
    [
        (Execution(Status.OK), "WA the checker cannot read it: TLE: TimeLimit"),
        (
            Execution(Status.RE, failure=Failure("ValueError")),
            "WA the checker cannot read it: TLE: TimeLimit",
        ),
        (Execution(Status.MLE, failure=Failure("MemoryError")), f"IE {CHECKER_AT_FAULT}: TLE: TimeLimit"),
        (Execution(Status.RE, failure=Failure("SIGSEGV")), f"IE {CHECKER_AT_FAULT}: TLE: TimeLimit"),
        (
            Execution(Status.IE, failure=Failure("SandboxError", "gone")),
            "IE the checker's run was lost: SandboxError: gone",
        ),
    ],
)
async def test_a_checker_that_breaks_on_one_output_only_rejects_it(on_expected, verdict):
    """What is expected, given as output, tells whether the checker or the candidate is at fault."""
    problem = Problem("p", "", Kind.STDIN, checker={"program": "check"})

    def answer(program, text):
        if program.code != "check":
            return "out"
        slow = Execution(Status.TLE, failure=Failure("TimeLimit"))
        return on_expected if json.loads(text)["output"] == "wanted" else slow

    report = await run_tests(FakeSandbox(answer), problem, "x", [Test("in", "wanted")])
    assert f"{report.verdict} {report.results[0].note}".strip() == verdict


@pytest.mark.anyio
async def test_a_checker_program_reads_all_of_a_long_output():
    """What was cut to save memory is made again when its turn comes."""
    problem = Problem("p", "", Kind.STDIN, checker={"program": "check"})
    whole, read = "7" * (3 << 20), []

    class Cutting(FakeSandbox):
        async def run(self, program, inputs, limits, **more):
            return [
                run.shorten(limits.kept_chars) for run in await super().run(program, inputs, limits, **more)
            ]

    def answer(program, text):
        if program.code == "check":
            read.append(json.loads(text)["output"])
            return ""
        return whole

    report = await run_tests(Cutting(answer), problem, "x", [Test("in", "yes"), Test("in", "yes")])
    assert (report.verdict, report.passed) == (Verdict.AC, 2)
    assert [text == whole for text in read] == [True, True]
    assert all(len(result.execution.stdout) < 70_000 for result in report.results)


@pytest.mark.anyio
async def test_an_output_far_longer_than_expected_is_wrong_and_says_so():
    """It is not compared, and of what is kept of it only the beginning."""
    problem = Problem("p", "", Kind.STDIN)
    report = await run_tests(FakeSandbox(lambda *_: "1 " * (1 << 20)), problem, "x", [Test("in", "1")])
    (result,) = report.results
    assert (result.verdict, result.note) == (Verdict.WA, "over 65636 characters, not compared")
    assert len(result.execution.stdout) < 70_000


@pytest.mark.anyio
async def test_outputs_of_a_batch_fit_into_memory():
    """However many tests there are, no more are asked for at once than may be kept together."""
    asked = []

    class Watched(FakeSandbox):
        async def run(self, program, inputs, limits, **more):
            asked.append(len(inputs) * limits.kept_chars)
            return await super().run(program, inputs, limits, **more)

    problem = Problem("p", "", Kind.STDIN)
    tests = [Test(str(number), "5" * (1 << 19) if number == 7 else "5") for number in range(300)]
    report = await run_tests(Watched(lambda *_: "5"), problem, "x", tests)
    assert (report.passed, len(report.results)) == (299, 300)
    assert max(asked) <= 1 << 24
