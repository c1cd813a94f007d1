"""Checkers in C++: their verdicts, and that no output stops or fools one."""

from __future__ import annotations

import pytest

from sstar_code.problems import Test, UserError
from sstar_code.sandbox import Limits
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.judging import checkers
from tests.sandbox.judging.programs import SUM, in_cpp, in_problem

PROBLEM = in_problem([("7\n", "5\n")], checker=SUM)


def judge(held, problem, code):
    (result,) = held.call(run_tests, held.sandbox, problem, code, list(problem.hidden_tests)).results
    return result


@pytest.mark.parametrize(
    ("code", "verdict", "note"),
    [
        ("print(3, 4)", "AC", ""),
        ("print(4, 4)", "WA", "the checker: wrong answer 4 + 4 is not 7"),
        ("print(3)", "WA", "Unexpected end of file"),
        ("print(3, 4, 5)", "WA", "Extra information in the output file"),
        ("print('three', 4)", "WA", 'Expected integer, but "three" found'),
        ("print(9 ** 40, 4)", "WA", "wrong output format"),
        ("print(-1, 8)", "WA", "parameter a equals to -1"),
        ("import sys; sys.stdout.buffer.write(bytes(range(256)) * 9)", "WA", "wrong output format"),
        ("print('3' * 10 ** 6)", "WA", "wrong output format"),
        ("print('\\n' * 10 ** 6)", "WA", "Unexpected end of file"),
        ("print('points 1\\nok fine')", "WA", 'Expected integer, but "points" found'),
        ("print(6, 1)", "IE", "the checker program of the problem is at fault: FAIL better than the jury"),
        ("1 / 0", "RE", ""),
    ],
)
def test_a_checker_in_cpp_has_testlibs_verdicts(cpp_local, code, verdict, note):
    """Accepted, wrong, malformed in every way, and what says of itself that the set is at fault."""
    result = judge(cpp_local, PROBLEM, code)
    assert (result.verdict.value, note in result.note) == (verdict, True), result.note
    assert len(result.note) < 600


@pytest.mark.parametrize(("code", "how"), [("print(666, -659)", "SIGSEGV"), ("print(667, -660)", "TLE")])
def test_an_output_that_breaks_a_checker_is_wrong(cpp_local, monkeypatch, code, how):
    """One that judges the expected output is not at fault, and a candidate gains nothing by breaking it."""
    monkeypatch.setattr(checkers, "_LIMITS", Limits(cpu_s=0.3))
    problem = in_problem([("7\n", "3 4\n")], checker=SUM)
    result = judge(cpp_local, problem, code)
    assert result.verdict.value == "WA"
    assert result.note.startswith("the checker cannot read it: ")
    assert how in result.note


@pytest.mark.parametrize(
    ("checker", "note"),
    [
        (in_cpp("    abort();"), "SIGABRT"),
        (in_cpp("    quitf(_ok, undeclared);"), "CE: CompileError: line 4: 'undeclared' was not declared"),
        (in_cpp("    ans.readInt(); ans.readInt();"), "FAIL Unexpected end of file"),
        (in_cpp("    exit(7);"), "it gives points without a number"),
    ],
)
def test_a_checker_that_breaks_by_itself_is_the_sets_fault(cpp_local, checker, note):
    """Nothing is known of the candidate, and the words say whose fault it is."""
    problem = in_problem([("7\n", "5\n")], checker=checker)
    result = judge(cpp_local, problem, "print(3, 4)")
    assert result.verdict.value == "IE"
    assert result.note.startswith("the checker program of the problem is at fault: ")
    assert note in result.note


@pytest.mark.docker
def test_a_checker_in_cpp_runs_in_docker(cpp_docker):
    """As on this machine."""
    assert judge(cpp_docker, PROBLEM, "print(3, 4)").verdict.value == "AC"
    assert judge(cpp_docker, PROBLEM, "print(3, 5)").note == "the checker: wrong answer 3 + 5 is not 7"


def test_a_checker_is_compiled_once(cpp_local):
    """However many programs it judges, also where it is the one used longest ago."""
    worker = cpp_local.sandbox._idle[0]
    compiled = []
    for number in range(14):
        code = (
            f'// language: cpp17\n#include <cstdio>\nint main() {{ std::puts("{number} {7 - number}"); }}\n'
        )
        result = judge(cpp_local, in_problem([("7\n", "50\n")], checker=SUM), code)
        compiled.append(result.verdict.value)
    assert compiled == ["AC"] * 14
    assert len(set(worker.compiled)) == len(worker.compiled)  # so that it is known who has what


@pytest.mark.parametrize(
    ("body", "full", "verdict", "score"),
    [
        ('quitp(0.25, "a part");', None, "WA", 0.25),
        ("quitp(1.0);", None, "AC", 1.0),
        ("quitp(30);", 40, "WA", 0.75),
        ("quitp(99);", 40, "AC", 1.0),
        ('quitf(_pc(20), "a part");', 40, "WA", 0.5),
        ('quitf(_ok, "all");', 40, "AC", 1.0),
        ('quitf(_wa, "none");', 40, "WA", 0.0),
    ],
)
def test_points_are_a_share_of_the_full_score(cpp_local, body, full, verdict, score):
    """Kept with the test, and nothing but the full score passes."""
    problem = in_problem([("7\n", "5\n")], checker=in_cpp(f"    {body}"), full_score=full)
    result = judge(cpp_local, problem, "print()")
    assert (result.verdict.value, result.score) == (verdict, score)


def test_a_checker_in_python_prints_its_points(sandbox_local):
    """The last word that it prints; and every test is run, for the mean of their scores."""
    source = "import json, sys\nprint('so', len(json.load(sys.stdin)['output'].strip()))\n"
    problem = in_problem([("1", "-")] * 40, checker={"program": source}, full_score=4)
    tests = [Test("1", "-"), Test("2", "-"), Test("4", "-"), *[Test("0", "-")] * 37]
    code = "n = int(input())\nprint('x' * n)"
    report = sandbox_local.call(_run_to_failure, sandbox_local.sandbox, problem, code, tests)
    assert [result.score for result in report.results[:4]] == [0.25, 0.5, 1.0, 0.0]
    assert (len(report.results), report.score) == (40, 1.75 / 40)


async def _run_to_failure(sandbox, problem, code, tests):
    return await run_tests(sandbox, problem, code, tests, stop_on_failure=True)


def test_a_header_that_was_not_named_is_told(cpp_local):
    """Which problem and which of its programs want it, and how to name it."""
    from sstar_code.problems import Kind, Problem

    problem = Problem("p", "", Kind.STDIN, hidden_tests=[Test("7", "5")], checker=SUM)
    with pytest.raises(UserError, match=r"p: its checker includes testlib\.h, .* --testlib PATH"):
        judge(cpp_local, problem, "print(3, 4)")
